//! What a groom is to do and has not said to have seen.

use std::collections::VecDeque;

use crate::cluster::model::action::{Action, What};
use crate::cluster::model::bounds::{ACTIONS_MAX, PART_BYTES_MAX};
use crate::cluster::model::ids::Epoch;

/// The actions of one session.
#[derive(Debug, Default)]
pub(crate) struct Mailbox {
    waiting: VecDeque<Action>,
    /// The id of the last action that was put in.
    last: u64,
}

impl Mailbox {
    /// Puts an action in and says its id.
    pub(crate) fn put(&mut self, epoch: Epoch, what: What) -> u64 {
        self.last += 1;
        self.waiting.push_back(Action { id: self.last, epoch, what });
        self.last
    }

    /// The groom has seen all up to this one.
    pub(crate) fn seen(&mut self, id: u64) {
        while self.waiting.front().is_some_and(|action| action.id <= id) {
            self.waiting.pop_front();
        }
    }

    /// The id of the last action that was put in.
    pub(crate) fn last(&self) -> u64 {
        self.last
    }

    /// What has not been seen, or the first of it where that is much.
    pub(crate) fn unseen(&self) -> Vec<Action> {
        let mut bytes = 0;
        let fits = |action: &&Action| {
            let is_first = bytes == 0;
            bytes += action.what.bytes() + 1;
            is_first || bytes <= PART_BYTES_MAX
        };
        self.waiting.iter().take(ACTIONS_MAX).take_while(fits).cloned().collect()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::model::action::Roster;
    use crate::cluster::model::ids::RunId;
    use crate::ids::JobId;
    use std::sync::Arc;

    #[test]
    fn what_was_not_seen_is_said_again_in_bounds() {
        let mut mailbox = Mailbox::default();
        assert!(mailbox.is_empty() && mailbox.unseen().is_empty());
        for _ in 0..ACTIONS_MAX + 10 {
            mailbox.put(Epoch(1), What::Drain { stop: true });
        }
        assert_eq!(mailbox.unseen().len(), ACTIONS_MAX);
        assert_eq!(mailbox.unseen(), mailbox.unseen());
        mailbox.seen(1030);
        assert_eq!(
            mailbox.unseen().iter().map(|action| action.id).collect::<Vec<_>>(),
            [1031, 1032, 1033, 1034]
        );
        mailbox.seen(5);
        assert_eq!(mailbox.unseen().len(), 4);
        assert_eq!(mailbox.last(), 1034);
    }

    #[test]
    fn large_actions_come_one_after_the_other() {
        let run = RunId { job: JobId::from_bytes([1; 16]), attempt: 0 };
        let addresses = vec![vec!["x".repeat(PART_BYTES_MAX)]];
        let large = What::Connect { run, me: 0, roster: Arc::new(Roster { addresses, grooms: Vec::new() }) };
        let mut mailbox = Mailbox::default();
        for what in [large.clone(), large, What::Drain { stop: true }, What::Stop] {
            mailbox.put(Epoch(1), what);
        }
        assert_eq!(mailbox.unseen().len(), 1);
        mailbox.seen(1);
        assert_eq!(mailbox.unseen().len(), 1);
        mailbox.seen(2);
        assert_eq!(mailbox.unseen().len(), 2);
    }
}
