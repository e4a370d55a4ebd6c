//! A groom as the master knows it: what it offers, what it has, when it was heard.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cluster::model::action::{Orders, What};
use crate::cluster::model::ids::{Epoch, Moment, RunId, Session};
use crate::cluster::model::report::GroomInfo;
use crate::cluster::scheduler::Times;
use crate::cluster::scheduler::mailbox::Mailbox;
use crate::cluster::scheduler::placement::Room;
use crate::ids::PeerId;

/// A groom that has registered, or is expected to.
#[derive(Debug)]
pub(crate) struct Groom {
    pub(crate) presence: Presence,
    /// The process that its tasks belong to.
    pub(crate) start: u64,
    pub(crate) heard: Moment,
    /// The last report of the session that counted.
    pub(crate) sequence: u64,
    pub(crate) seen: u64,
    pub(crate) mailbox: Mailbox,
    pub(crate) holds: BTreeMap<RunId, Hold>,
    pub(crate) draining: Draining,
    pub(crate) free_memory_bytes: u64,
    pub(crate) load_percent: u32,
}

/// Whether a groom is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Presence {
    /// The master before this one knew it.
    Expected,
    /// It has this session.
    Present(Session, GroomInfo),
    /// It was not heard for too long. It had this session.
    Gone(Session, GroomInfo),
}

/// What was said about a groom that is to take no more tasks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Draining {
    #[default]
    No,
    /// It goes on without tasks.
    Stay,
    /// It ends once it has no tasks any more.
    Stop,
    /// It was told to end.
    Stopped,
}

/// What a groom has of a run: its slots and memory are taken as long as processes may be there.
#[derive(Debug, Default)]
pub(crate) struct Hold {
    /// The most slots that it takes.
    pub(crate) slots: u32,
    /// Of each task.
    pub(crate) memory_bytes: u64,
    /// Those whose processes may be there.
    pub(crate) live: BTreeSet<PeerId>,
    /// The action that the groom has to have seen before it can have its tasks. 0 where it said itself that it has them.
    pub(crate) launch: u64,
    pub(crate) connected: bool,
    pub(crate) killed: bool,
    /// The action that the groom has to have seen before it has forgotten them.
    pub(crate) forget: Option<u64>,
}

impl Hold {
    pub(crate) fn slots_taken(&self) -> u32 {
        self.slots.min(self.live.len() as u32)
    }

    pub(crate) fn memory_taken(&self) -> u64 {
        self.memory_bytes.saturating_mul(self.live.len() as u64)
    }
}

impl Groom {
    /// One of which nothing is known but its process.
    pub(crate) fn expected(start: u64, now: Moment) -> Groom {
        Groom {
            presence: Presence::Expected,
            start,
            heard: now,
            sequence: 0,
            seen: 0,
            mailbox: Mailbox::default(),
            holds: BTreeMap::new(),
            draining: Draining::No,
            free_memory_bytes: 0,
            load_percent: 0,
        }
    }

    /// Its session, as long as it is there.
    pub(crate) fn session(&self) -> Option<Session> {
        match &self.presence {
            Presence::Present(session, _) => Some(*session),
            Presence::Expected | Presence::Gone(..) => None,
        }
    }

    /// The last session that it had.
    pub(crate) fn last_session(&self) -> Option<Session> {
        match &self.presence {
            Presence::Present(session, _) | Presence::Gone(session, _) => Some(*session),
            Presence::Expected => None,
        }
    }

    /// What it offers, if it ever said so.
    pub(crate) fn info(&self) -> Option<&GroomInfo> {
        match &self.presence {
            Presence::Present(_, info) | Presence::Gone(_, info) => Some(info),
            Presence::Expected => None,
        }
    }

    /// For how long it was not heard.
    pub(crate) fn silence(&self, now: Moment) -> Duration {
        now.since(self.heard)
    }

    /// Tells it to do something. Nothing happens where it is not there: what it has to do is found out when it comes.
    pub(crate) fn tell(&mut self, epoch: Epoch, what: What) -> u64 {
        if self.session().is_some() { self.mailbox.put(epoch, what) } else { 0 }
    }

    /// What it is to hear now.
    pub(crate) fn orders(&self, epoch: Epoch) -> Option<Orders> {
        let session = self.session()?;
        Some(Orders { epoch, session, heard: self.sequence, actions: self.mailbox.unseen() })
    }

    /// All that it has for jobs, with nothing running; nothing where it takes no tasks.
    pub(crate) fn whole(&self) -> Option<Room> {
        match &self.presence {
            Presence::Present(_, info) if self.draining == Draining::No => {
                Some(Room { host: info.host.clone(), slots: info.slots, memory_bytes: info.memory_bytes })
            }
            _ => None,
        }
    }

    /// The same without what is taken; nothing is left of one that is silent.
    pub(crate) fn free(&self, now: Moment, times: &Times) -> Option<Room> {
        let mut room = self.whole()?;
        room.slots = room.slots.saturating_sub(self.slots_taken());
        room.memory_bytes = room.memory_bytes.saturating_sub(self.memory_taken());
        if self.silence(now) >= times.stale {
            (room.slots, room.memory_bytes) = (0, 0);
        }
        Some(room)
    }

    pub(crate) fn slots_taken(&self) -> u32 {
        self.holds.values().map(Hold::slots_taken).sum()
    }

    pub(crate) fn memory_taken(&self) -> u64 {
        self.holds.values().map(Hold::memory_taken).fold(0, u64::saturating_add)
    }

    /// How many processes may be there.
    pub(crate) fn live(&self) -> usize {
        self.holds.values().map(|hold| hold.live.len()).sum()
    }
}
