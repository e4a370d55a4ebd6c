//! What one participant knows of a meeting: it follows from the news alone.

use std::collections::{BTreeMap, BTreeSet};

use super::names::News;
use crate::barrier::Tally;
use crate::cluster::gather::{Participant, Summary};
use crate::error::{Error, ErrorKind, Result};

/// What one participant knows.
#[derive(Debug)]
pub(super) struct Known {
    participants: Vec<Participant>,
    present: BTreeSet<usize>,
    left: BTreeSet<usize>,
    /// What grooms said that have arrived at a superstep that has not ended, by superstep and groom.
    arrived: BTreeMap<(u64, usize), Summary>,
    /// The last two supersteps that all have ended.
    released: Vec<(u64, Tally)>,
    failed: bool,
}

impl Known {
    pub(super) fn new(participants: Vec<Participant>) -> Known {
        let (present, left) = (BTreeSet::new(), BTreeSet::new());
        let (arrived, released) = (BTreeMap::new(), Vec::new());
        Known { participants, present, left, arrived, released, failed: false }
    }

    pub(super) fn participants(&self) -> &[Participant] {
        &self.participants
    }

    /// Whether the job is said to have failed.
    pub(super) fn has_failed(&self) -> bool {
        self.failed
    }

    /// The tally of a superstep that all have ended.
    pub(super) fn tally(&self, superstep: u64) -> Option<Tally> {
        self.released.iter().find(|(ended, _)| *ended == superstep).map(|(_, tally)| *tally)
    }

    /// What all say, once they have arrived at a superstep. What they said of those before is forgotten.
    pub(super) fn all_arrived(&mut self, superstep: u64) -> Option<Vec<Summary>> {
        self.arrived = self.arrived.split_off(&(superstep, 0));
        let all = self.arrived.range(..(superstep + 1, 0)).map(|(_, said)| *said);
        (all.clone().count() == self.participants.len()).then(|| all.collect())
    }

    /// The others who have gone in good order: no superstep will end any more.
    pub(super) fn check_all_stay(&self, superstep: u64) -> Result<()> {
        match self.left.first() {
            None => Ok(()),
            Some(groom) => {
                Err(self.lost(*groom, &format!("has left the job before the end of superstep {superstep}")))
            }
        }
    }

    /// A node of the news is there.
    pub(super) fn created(&mut self, news: News) {
        match news {
            News::Present(groom) => drop(self.present.insert(groom)),
            News::Left(groom) => drop(self.left.insert(groom)),
            News::Arrived(superstep, groom, said) => drop(self.arrived.insert((superstep, groom), said)),
            News::Released(superstep, tally) if self.tally(superstep).is_none() => {
                if self.released.len() == 2 {
                    self.released.remove(0);
                }
                self.released.push((superstep, tally));
            }
            News::Released(..) => {}
            News::Failed => self.failed = true,
        }
    }

    /// A node of the news is gone.
    ///
    /// # Errors
    /// `PeerLost` where a groom went away without a word.
    pub(super) fn deleted(&mut self, news: News) -> Result<()> {
        match news {
            News::Present(groom) if self.present.remove(&groom) && !self.left.contains(&groom) => {
                Err(self.lost(groom, "went away: its session with ZooKeeper has ended"))
            }
            _ => Ok(()),
        }
    }

    /// All the news that there are, after some may have been missed.
    ///
    /// # Errors
    /// As [`deleted`](Known::deleted).
    pub(super) fn all(&mut self, all: &[News]) -> Result<()> {
        let mut all = all.to_vec();
        // In the order of their supersteps, so that the last two stay.
        all.sort_by_key(|news| if let News::Released(superstep, _) = news { *superstep } else { 0 });
        all.iter().for_each(|news| self.created(*news));
        let is_there = |groom: &usize| all.contains(&News::Present(*groom));
        let gone: Vec<usize> = self.present.iter().copied().filter(|groom| !is_there(groom)).collect();
        gone.into_iter().try_for_each(|groom| self.deleted(News::Present(groom)))
    }

    /// The error that says that a groom is lost.
    pub(super) fn lost(&self, groom: usize, how: &str) -> Error {
        let host = self.participants.get(groom).map_or("an unknown host", |one| one.host.name());
        Error::new(ErrorKind::PeerLost, format!("the groom on {host} {how}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::barrier::Ending;
    use crate::ids::{Host, PeerId};

    fn known() -> Known {
        let participant = |index: u32| Participant { host: Host::new(format!("dn{index}")), peers: 1 };
        let mut known = Known::new((0..3).map(participant).collect());
        (0..3).for_each(|groom| known.created(News::Present(groom)));
        known
    }

    fn tally(messages: u64) -> Tally {
        Tally { halt: false, messages }
    }

    #[test]
    fn two_supersteps_are_kept() {
        let mut known = known();
        for superstep in 0..5 {
            known.created(News::Released(superstep, tally(superstep)));
            known.created(News::Released(superstep, tally(99)));
        }
        assert_eq!(known.tally(4), Some(tally(4)));
        assert_eq!(known.tally(3), Some(tally(3)));
        assert_eq!(known.tally(2), None);
    }

    #[test]
    fn all_have_arrived_when_each_has() {
        let said = |messages| Summary {
            ending: Ending::Sync,
            first: PeerId::from_index(0),
            halt: false,
            messages,
            peers: 1,
        };
        let mut known = known();
        for (groom, superstep) in [(1, 0), (0, 0), (0, 1), (0, 0)] {
            known.created(News::Arrived(superstep, groom, said(groom as u64)));
            assert_eq!(known.all_arrived(0), None);
        }
        known.created(News::Arrived(0, 2, said(2)));
        assert_eq!(known.all_arrived(0), Some(vec![said(0), said(1), said(2)]));
        known.deleted(News::Arrived(0, 2, said(2))).unwrap();
        assert_eq!(known.all_arrived(1), None);
        // News that are late.
        let late = [0, 1, 2].map(|groom| [News::Present(groom), News::Arrived(0, groom, said(0))]);
        known.all(late.as_flattened()).unwrap();
        known.created(News::Arrived(1, 1, said(1)));
        known.created(News::Arrived(1, 2, said(2)));
        assert_eq!(known.all_arrived(1), Some(vec![said(0), said(1), said(2)]));
    }

    #[test]
    fn who_goes_without_a_word_is_lost() {
        let mut known = known();
        let error = known.deleted(News::Present(1)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PeerLost);
        assert!(error.message().contains("dn1"), "{error}");
        // It was never there.
        known.deleted(News::Present(7)).unwrap();
    }

    #[test]
    fn who_leaves_in_good_order_is_missed_only_where_it_is_needed() {
        let mut known = known();
        known.created(News::Left(2));
        known.deleted(News::Present(2)).unwrap();
        let error = known.check_all_stay(8).unwrap_err();
        assert!(error.message().contains("dn2") && error.message().contains("superstep 8"), "{error}");
    }

    #[test]
    fn what_was_missed_is_found() {
        let mut known = known();
        let mut all = vec![News::Released(10, tally(1)), News::Released(9, tally(2)), News::Left(1)];
        all.extend([News::Present(0), News::Present(2)]);
        known.all(&all).unwrap();
        assert_eq!((known.tally(9), known.tally(10)), (Some(tally(2)), Some(tally(1))));
        all.retain(|news| *news != News::Present(2));
        let error = known.all(&all).unwrap_err();
        assert!(error.message().contains("dn2"), "{error}");
        known.all(&[News::Failed]).unwrap_err();
        assert!(known.has_failed());
    }
}
