//! Those who submit jobs and kill them, again and again until they are heard.

use std::sync::Arc;

use super::World;
use super::network::Event;
use crate::cluster::model::ids::Secret;
use crate::cluster::model::spec::Submission;
use crate::error::{Error, ErrorKind};

const AGAIN_MS: u64 = 700;

impl World {
    /// The master that answers, if one does.
    fn reach(&mut self) -> Option<usize> {
        let now = self.now.0;
        let (last, leader) = self.leaders.iter().enumerate().next_back()?;
        let is_lost = self.network.rate > 0 && self.random.below(100) < self.network.rate;
        (!leader.is_dead() && leader.frozen_until <= now && !is_lost).then_some(last)
    }

    pub(super) fn submit(&mut self, index: usize) -> Result<(), String> {
        if self.jobs[index].is_over {
            return Ok(());
        }
        let again = self.now.0 + AGAIN_MS;
        let Some(leader) = self.reach() else {
            self.network.at(again, Event::Submit(index));
            return Ok(());
        };
        let (job, spec) = (self.jobs[index].id, Arc::clone(&self.jobs[index].spec));
        let submission = Submission { job, spec, secret: Secret([7; 32]) };
        let submitted = self.leaders[leader].scheduler.submit(self.now, submission);
        if !self.carry_out(leader)? {
            self.network.at(again, Event::Submit(index));
            return Ok(());
        }
        match submitted {
            Ok(()) => {
                if self.leaders[leader].scheduler.job(job).is_none() {
                    return Err(format!("job {job} is taken and not known"));
                }
                self.jobs[index].accepted = true;
                // Where that is not heard, it submits again.
                if self.reach().is_none() {
                    self.network.at(again, Event::Submit(index));
                }
            }
            Err(error) => self.refused(index, &error)?,
        }
        Ok(())
    }

    fn refused(&mut self, index: usize, error: &Error) -> Result<(), String> {
        if error.kind() != ErrorKind::Invalid || self.jobs[index].accepted {
            return Err(format!("a job is refused: {error:?}"));
        }
        if self.is_calm && self.fits_ever(&self.jobs[index].spec) {
            return Err(format!("a job is refused that fits: {error}"));
        }
        self.jobs[index].is_over = true;
        self.seen.refused += 1;
        Ok(())
    }

    pub(super) fn kill(&mut self, index: usize) -> Result<(), String> {
        let job = self.jobs[index].id;
        if self.jobs[index].is_over {
            return Ok(());
        }
        let leader = if self.jobs[index].accepted { self.reach() } else { None };
        let Some(leader) = leader else {
            self.network.at(self.now.0 + AGAIN_MS, Event::Kill(index));
            return Ok(());
        };
        self.jobs[index].is_killed = true;
        let killed = self.leaders[leader].scheduler.kill(self.now, job, "somebody wanted its end");
        let leads = self.carry_out(leader)?;
        if killed.is_err() || !leads {
            self.network.at(self.now.0 + AGAIN_MS, Event::Kill(index));
        }
        Ok(())
    }
}
