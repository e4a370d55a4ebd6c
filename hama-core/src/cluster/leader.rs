//! Which master leads: one at a time, each with an epoch that is greater than those before.
//!
//! `leader` is a node of the leader's session, and the version of `epoch` is the epoch: it is raised in the same multi that
//! makes the node. So two of one epoch cannot be, and whoever checks that version in a multi of theirs is the last leader
//! or does nothing.

use std::time::Instant;

use tokio::time::sleep_until;

use crate::cluster::zookeeper::{Change, Event, Events, Fault, State, Stay, ZooKeeper};
use crate::error::{Error, ErrorKind, Result};

const LEADER: &str = "/leader";
pub(crate) const EPOCH: &str = "/epoch";
const ELECT: &str = "cannot become the leading master";

/// The number of a leader; the next one's is greater. The first is 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Epoch(i32);

impl Epoch {
    /// As the frames between peers carry it.
    pub(crate) fn number(self) -> u64 {
        u64::try_from(self.0).unwrap_or_default()
    }

    /// Lets a multi do nothing where another leads.
    pub(crate) fn check(self) -> Change {
        Change::Check { path: EPOCH.to_owned(), version: self.0 }
    }
}

/// The one who leads, until [`ended`](Leader::ended) or dropped with its session.
#[derive(Debug)]
pub(crate) struct Leader {
    zookeeper: ZooKeeper,
    epoch: Epoch,
    events: Events,
    /// Whether somebody may have deleted our node.
    doubts: bool,
    /// Why it stopped, for good.
    stopped: Option<Error>,
}

impl Leader {
    /// Waits until this session leads. `name` is for people, and for those who look for the leader.
    ///
    /// # Errors
    /// `Unavailable` when the session ends.
    pub(crate) async fn elect(zookeeper: &ZooKeeper, name: &str) -> Result<Leader> {
        zookeeper.ensure(EPOCH).await?;
        let mut events = zookeeper.events(LEADER).await?;
        loop {
            if let Some(epoch) = stand(zookeeper, name).await? {
                return Ok(Leader {
                    zookeeper: zookeeper.clone(),
                    epoch,
                    events,
                    doubts: false,
                    stopped: None,
                });
            }
            wait_for_an_end(zookeeper, &mut events).await?;
        }
    }

    pub(crate) fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Whether commands may still be given. They may not from two thirds of the session's time after the servers last
    /// heard us: another may lead when it is over.
    ///
    /// # Errors
    /// `Unavailable`, with how long it is.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn check(&self) -> Result<()> {
        if let Some(error) = &self.stopped {
            return Err(error.twin());
        }
        let now = Instant::now();
        if *self.zookeeper.state().borrow() == State::Ended {
            return Err(self.zookeeper.ended());
        }
        if now < self.zookeeper.stop_at() { Ok(()) } else { Err(self.silent()) }
    }

    /// Waits until it must stop, and says why; from then on [`check`](Leader::check) says so too. It may be dropped while it
    /// waits, and called again.
    pub(crate) async fn ended(&mut self) -> Error {
        let error = match self.stopped.take() {
            Some(error) => error,
            None => self.wait_for_the_end().await,
        };
        self.stopped.insert(error).twin()
    }

    async fn wait_for_the_end(&mut self) -> Error {
        let mut state = self.zookeeper.state();
        loop {
            if self.doubts {
                match self.zookeeper.get(LEADER).await {
                    Ok(Some(node)) if node.is_ours => self.doubts = false,
                    Ok(_) => {
                        let servers = self.zookeeper.servers();
                        let message = format!("somebody deleted the node {LEADER} of ZooKeeper at {servers}");
                        return Error::new(ErrorKind::Conflict, message);
                    }
                    Err(error) => return error,
                }
            }
            let stop_at = self.zookeeper.stop_at();
            tokio::select! {
                _ = state.wait_for(|state| *state == State::Ended) => return self.zookeeper.ended(),
                () = sleep_until(stop_at.into()) => if Instant::now() >= self.zookeeper.stop_at() {
                    return self.silent();
                },
                event = self.events.next() => match event {
                    // It may have been that of somebody before us.
                    Event::Deleted(_) | Event::Resumed => self.doubts = true,
                    Event::Ended => return self.zookeeper.ended(),
                    Event::Created(_) => {}
                },
            }
        }
    }

    /// Lets another lead at once.
    ///
    /// # Errors
    /// `Unavailable` when the session has ended, which does it too.
    pub(crate) async fn resign(self) -> Result<()> {
        self.zookeeper.delete(LEADER).await
    }

    fn silent(&self) -> Error {
        let message = format!(
            "ZooKeeper at {} has not been heard for two thirds of the session's {:.1} s: another master may lead",
            self.zookeeper.servers(),
            self.zookeeper.session_time().as_secs_f64()
        );
        Error::new(ErrorKind::Unavailable, message)
    }
}

/// Who leads, by its name, and with which epoch.
///
/// # Errors
/// `Unavailable` when the session ends; `Data` for a node that no master wrote.
#[cfg(any(test, feature = "testing"))]
pub(crate) async fn look(zookeeper: &ZooKeeper) -> Result<Option<(String, Epoch)>> {
    zookeeper.get(LEADER).await?.map(|node| parse(&node.data)).transpose()
}

/// Takes the place if nobody has it.
async fn stand(zookeeper: &ZooKeeper, name: &str) -> Result<Option<Epoch>> {
    loop {
        let Some(before) = zookeeper.get(EPOCH).await? else {
            return Err(Error::new(
                ErrorKind::Conflict,
                format!("{ELECT}: somebody deleted the node {EPOCH}"),
            ));
        };
        let Some(number) = before.version.checked_add(1) else {
            return Err(Error::internal(format!("{ELECT}: {} epochs are over", before.version)));
        };
        let data = format!("{number} {name}").into_bytes();
        let changes = [
            Change::Create { path: LEADER.to_owned(), data: data.clone(), stay: Stay::Session },
            Change::Set { path: EPOCH.to_owned(), data, version: Some(before.version) },
        ];
        match zookeeper.multi(ELECT, &changes).await {
            Ok(_) => return Ok(Some(Epoch(number))),
            // By another, or by us before a connection was lost.
            Err((_, Fault::NodeExists)) => match zookeeper.get(LEADER).await? {
                Some(node) if node.is_ours => return parse(&node.data).map(|(_, epoch)| Some(epoch)),
                Some(_) => return Ok(None),
                None => {}
            },
            Err((_, Fault::BadVersion)) => {}
            Err((_, Fault::Lost)) => zookeeper.resumed().await?,
            Err((_, fault)) => return Err(zookeeper.unexpected(ELECT, fault)),
        }
    }
}

async fn wait_for_an_end(zookeeper: &ZooKeeper, events: &mut Events) -> Result<()> {
    let mut state = zookeeper.state();
    loop {
        let event = tokio::select! {
            _ = state.wait_for(|state| *state == State::Ended) => return Err(zookeeper.ended()),
            event = events.next() => event,
        };
        match event {
            Event::Created(_) => {}
            // After the second we look again.
            Event::Deleted(_) | Event::Resumed => return Ok(()),
            Event::Ended => return Err(zookeeper.ended()),
        }
    }
}

fn parse(data: &[u8]) -> Result<(String, Epoch)> {
    let text = std::str::from_utf8(data).ok();
    let parts = text.and_then(|text| text.split_once(' '));
    let parsed = parts.and_then(|(number, name)| Some((name.to_owned(), Epoch(number.parse().ok()?))));
    parsed.filter(|(_, epoch)| epoch.0 > 0).ok_or_else(|| {
        let shown: String = String::from_utf8_lossy(data).chars().take(100).collect();
        Error::data(format!("the node {LEADER} holds {shown:?}: an epoch and a name were expected"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leader_is_read() {
        let (name, epoch) = parse(b"17 dn1:7000 (west)").unwrap();
        assert_eq!((name.as_str(), epoch.number()), ("dn1:7000 (west)", 17));
        for wrong in [&b""[..], b"17", b"0 a", b"-1 a", b"x a", b"99999999999 a", b"1\xff a"] {
            assert_eq!(parse(wrong).unwrap_err().kind(), ErrorKind::Data);
        }
    }
}
