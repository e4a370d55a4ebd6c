//! Exchanges in which all peers take part alike: each ends one superstep.
//!
//! All peers must call the same one, with the same root; where they do not, the barrier says who called what
//! and no value is taken. Values are combined in the order of the peers, so the result is the same every time.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::barrier::Ending;
use crate::error::{Error, Result};
use crate::ids::PeerId;
use crate::message::inbox::Inbox;
use crate::peer::Peer;

impl<M> Peer<M> {
    /// Returns on every peer the value that `root` gives. The others give `None`.
    ///
    /// # Errors
    /// `Invalid` when messages of this superstep are unsent, when there is no such peer, when the root gives no
    /// value or another peer gives one, when peers do not all call this with the same root, or when the value,
    /// encoded, has more than 16 MiB; `Program` when the value refuses to be serialised; `Internal` when the
    /// root's value is missing. `Cancelled`, `PeerLost`, `Data`, `OutOfMemory` and `Unavailable` as for
    /// [`sync`](Peer::sync).
    ///
    /// # Cost
    /// One superstep: g (p - 1) times the value's bytes, and l.
    pub fn broadcast<T>(&mut self, root: PeerId, value: Option<T>) -> Result<T>
    where
        T: Serialize + DeserializeOwned,
    {
        self.begin_collective(root)?;
        if value.is_some() != (self.id() == root) {
            let says = if value.is_some() { "a value" } else { "no value" };
            let id = self.id();
            return Err(Error::invalid(format!("peer {id} gave {says} to a broadcast from peer {root}")));
        }
        if let Some(value) = &value {
            let others: Vec<PeerId> = self.peers().filter(|peer| *peer != root).collect();
            self.outbox().send_encoded(&others, value, None)?;
        }
        let values = self.collect(Ending::Broadcast { root })?;
        value.map_or_else(|| one(values, root), Ok)
    }

    /// Returns on `root` the values of all peers, by index, and `None` on the others.
    ///
    /// # Errors
    /// `Invalid` when messages of this superstep are unsent, when there is no such peer, when peers do not all
    /// call this with the same root, or when the value, encoded, has more than 16 MiB; `Program` when the value
    /// refuses to be serialised; `Internal` when the value of a peer is missing. `Cancelled`, `PeerLost`,
    /// `Data`, `OutOfMemory` and `Unavailable` as for [`sync`](Peer::sync).
    ///
    /// # Cost
    /// One superstep: g p times a value's bytes, and l.
    pub fn gather<T>(&mut self, root: PeerId, value: &T) -> Result<Option<Vec<T>>>
    where
        T: Serialize + DeserializeOwned,
    {
        self.begin_collective(root)?;
        self.outbox().send_encoded(&[root], value, None)?;
        let values = self.collect(Ending::Gather { root })?;
        if self.id() == root { self.all(values).map(Some) } else { Ok(None) }
    }

    /// Returns on `root` the values of all peers combined, ((v0 . v1) . v2) and so on, and `None` on the
    /// others.
    ///
    /// # Errors
    /// As for [`gather`](Peer::gather).
    ///
    /// # Cost
    /// One superstep: g p times a value's bytes, and l.
    pub fn reduce<T>(&mut self, root: PeerId, value: &T, combine: impl FnMut(T, T) -> T) -> Result<Option<T>>
    where
        T: Serialize + DeserializeOwned,
    {
        self.begin_collective(root)?;
        self.outbox().send_encoded(&[root], value, None)?;
        let values = self.collect(Ending::Reduce { root })?;
        if self.id() == root { Ok(self.all(values)?.into_iter().reduce(combine)) } else { Ok(None) }
    }

    /// Returns on every peer the values of all peers combined, ((v0 . v1) . v2) and so on.
    ///
    /// # Errors
    /// As for [`gather`](Peer::gather).
    ///
    /// # Cost
    /// One superstep: g p times a value's bytes, and l.
    pub fn all_reduce<T>(&mut self, value: &T, combine: impl FnMut(T, T) -> T) -> Result<T>
    where
        T: Serialize + DeserializeOwned,
    {
        self.begin_collective(self.id())?;
        let all: Vec<PeerId> = self.peers().collect();
        self.outbox().send_encoded(&all, value, None)?;
        let values = self.collect(Ending::AllReduce)?;
        let combined = self.all(values)?.into_iter().reduce(combine);
        combined.ok_or_else(|| Error::internal("a job has no peers"))
    }

    fn begin_collective(&mut self, root: PeerId) -> Result<()> {
        self.peer(root.index())?;
        self.outbox().check_empty("a collective")
    }

    fn collect<T: DeserializeOwned>(&mut self, ending: Ending) -> Result<Inbox<T>> {
        let me = self.id();
        self.end_superstep(ending, false, |arrived| Inbox::decode(arrived, me)).map(|(inbox, _)| inbox)
    }

    /// One value of each peer, by index.
    fn all<T>(&self, inbox: Inbox<T>) -> Result<Vec<T>> {
        if !inbox.iter().map(|received| received.from).eq(self.peers()) {
            let count = inbox.len();
            return Err(Error::internal(format!("{count} values arrived from {} peers", self.count())));
        }
        Ok(inbox.into_iter().map(|received| received.message).collect())
    }
}

fn one<T>(inbox: Inbox<T>, root: PeerId) -> Result<T> {
    let value = inbox.into_iter().find(|received| received.from == root);
    value
        .map(|received| received.message)
        .ok_or_else(|| Error::internal(format!("no value arrived from peer {root}")))
}
