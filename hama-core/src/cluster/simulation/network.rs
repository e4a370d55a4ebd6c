//! What will happen, and when; and what the network does to what is said.

use std::collections::BTreeMap;

use super::plan::Strike;
use crate::cluster::model::action::Answer;
use crate::cluster::model::ids::{Digest, GroomId, TaskId};
use crate::cluster::model::report::Request;
use crate::cluster::model::task::How;
use crate::ids::JobId;
use crate::transport::framed::faulty::Random;

/// How long most messages take at most, and how long late ones do.
const DELAY_MS: u64 = 20;
const LATE_MS: u64 = 12_000;

/// Something that happens. Leaders, hosts and jobs are indices; a host's events are of the process that started when they
/// say.
#[derive(Clone, Debug)]
pub(super) enum Event {
    Request {
        leader: usize,
        host: usize,
        call: u64,
        request: Request,
    },
    PollEnd {
        leader: usize,
        groom: GroomId,
        call: u64,
    },
    Archived {
        leader: usize,
        job: JobId,
    },
    MasterTick {
        leader: usize,
    },
    /// Another master takes the next epoch.
    Lead,
    Submit(usize),
    Kill(usize),
    /// A groom is started.
    Start(usize),
    Answer {
        host: usize,
        start: u64,
        call: u64,
        answer: Answer,
    },
    /// A groom waited long enough for an answer, or after one.
    Ask {
        host: usize,
        start: u64,
        call: u64,
    },
    Fetched {
        host: usize,
        start: u64,
        executable: Digest,
    },
    /// A peer goes on.
    Step {
        host: usize,
        start: u64,
        task: TaskId,
    },
    /// The process of a peer ends.
    Die {
        host: usize,
        start: u64,
        task: TaskId,
        how: How,
    },
    /// A frozen groom goes on.
    Thaw {
        host: usize,
    },
    Strike(Strike),
    /// No strikes any more.
    Heal,
}

/// All that will happen.
pub(super) struct Network {
    events: BTreeMap<(u64, u64), Event>,
    number: u64,
    /// Of a hundred messages so many each are lost, late and doubled.
    pub(super) rate: u64,
    pub(super) faults: u64,
}

impl Network {
    pub(super) fn new(rate: u64) -> Network {
        Network { events: BTreeMap::new(), number: 0, rate, faults: 0 }
    }

    /// Has something happen at a time.
    pub(super) fn at(&mut self, ms: u64, event: Event) {
        self.number += 1;
        self.events.insert((ms, self.number), event);
    }

    /// What happens next, and when.
    pub(super) fn next(&mut self) -> Option<(u64, Event)> {
        self.events.pop_first().map(|((at, _), event)| (at, event))
    }

    /// Sends a message, which may have a fate.
    pub(super) fn send(&mut self, now: u64, random: &mut Random, event: Event) {
        let soon = now + 1 + random.below(DELAY_MS);
        let fate = random.below(100).checked_div(self.rate).unwrap_or(3);
        self.faults += u64::from(fate < 3);
        match fate {
            0 => {}
            1 => self.at(now + random.below(LATE_MS), event),
            2 => {
                self.at(now + random.below(LATE_MS), event.clone());
                self.at(soon, event);
            }
            _ => self.at(soon, event),
        }
    }
}
