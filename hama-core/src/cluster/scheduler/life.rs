//! How a job goes on and ends, and what the passing of time does.

use std::sync::Arc;

use crate::cluster::model::action::What;
use crate::cluster::model::ids::{GroomId, Moment};
use crate::cluster::model::job::{Cause, JobState, Stage};
use crate::cluster::model::record::{Booking, Record};
use crate::cluster::model::task::How;
use crate::cluster::scheduler::groom::{Draining, Presence};
use crate::cluster::scheduler::job::Job;
use crate::cluster::scheduler::{Scheduler, tell};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{JobId, PeerId};

/// A master that did not look for so long was stopped itself: it counts nobody's silence in that time.
const STALL: std::time::Duration = std::time::Duration::from_secs(2);

impl Scheduler {
    /// Somebody wants the end of a job. One that ends already ends as it would.
    ///
    /// # Errors
    /// `NotFound` when there is no such job, or not any more.
    pub(crate) fn kill(&mut self, now: Moment, id: JobId, why: &str) -> Result<()> {
        let Some(job) = self.jobs.get(&id) else {
            return Err(Error::new(
                ErrorKind::NotFound,
                format!("cannot kill job {id}: it does not run here"),
            ));
        };
        if job.progress.cause.is_none() && job.stage() != Stage::Returned {
            self.end(id, Cause::Killed { why: why.to_owned() }, now);
            self.start_queued(now);
        }
        Ok(())
    }

    /// The history has an outcome of a job: the one that it was given, or one from before. That is how the job ended.
    pub(crate) fn archived(&mut self, now: Moment, id: JobId, state: JobState) {
        let Some(job) = self.jobs.get(&id).filter(|job| job.is_settled) else { return };
        let run = job.run();
        self.effects.records.push(Record::Removed { job: id });
        self.effects.done.push((id, state));
        let bookings = self.bookings(id);
        self.jobs.remove(&id);
        let Some(run) = run else { return };
        for Booking { groom: name, .. } in bookings {
            let hold = self.grooms.get(&name).and_then(|groom| groom.holds.get(&run));
            if hold.is_some_and(|hold| hold.live.is_empty()) {
                self.forget(&name, run);
            }
        }
        self.start_queued(now);
    }

    /// Has a groom forget tasks that have ended, of a job that has none either.
    pub(super) fn forget(&mut self, name: &GroomId, run: crate::cluster::model::ids::RunId) {
        let action = tell(&mut self.grooms, &mut self.effects, self.epoch, name, What::Forget { run });
        let hold = self.grooms.get_mut(name).and_then(|groom| groom.holds.get_mut(&run));
        if let Some(hold) = hold {
            hold.forget = Some(action);
        }
    }

    /// No more tasks for a groom; those that it has go on.
    ///
    /// # Errors
    /// `NotFound` when there is no such groom.
    pub(crate) fn drain(&mut self, now: Moment, name: &GroomId, then: Draining) -> Result<()> {
        let Some(groom) = self.grooms.get_mut(name).filter(|groom| groom.session().is_some()) else {
            return Err(Error::new(
                ErrorKind::NotFound,
                format!("cannot drain groom {name}: it is not there"),
            ));
        };
        if groom.draining != Draining::Stopped {
            groom.draining = then;
            self.is_room_new = true;
            tell(
                &mut self.grooms,
                &mut self.effects,
                self.epoch,
                name,
                What::Drain { stop: then == Draining::Stop },
            );
            self.stop_drained(name);
        }
        self.start_queued(now);
        Ok(())
    }

    pub(super) fn stop_drained(&mut self, name: &GroomId) {
        let Some(groom) = self.grooms.get_mut(name) else { return };
        if groom.draining == Draining::Stop && groom.holds.is_empty() {
            groom.draining = Draining::Stopped;
            tell(&mut self.grooms, &mut self.effects, self.epoch, name, What::Stop);
        }
    }

    /// Time has passed: to be called twice a second or more often.
    pub(crate) fn tick(&mut self, now: Moment) {
        let gap = now.since(self.last_tick);
        if gap >= STALL {
            self.grooms.values_mut().for_each(|groom| groom.heard = groom.heard.after(gap).min(now));
            self.is_room_new = true;
        }
        let is_silent = |name: &GroomId| {
            let groom = self.grooms.get(name)?;
            let limit = match groom.presence {
                Presence::Expected => self.times.grace,
                Presence::Present(..) => self.times.dead,
                Presence::Gone(..) => return None,
            };
            let silence = groom.silence(now);
            (silence >= limit).then(|| format!("was not heard for {:.1} s", silence.as_secs_f64()))
        };
        let silent: Vec<(GroomId, String)> =
            self.grooms.keys().filter_map(|name| Some((name.clone(), is_silent(name)?))).collect();
        for (name, why) in silent {
            self.lose(&name, &why, now);
        }
        let listed = self.times.listed;
        self.grooms
            .retain(|_, groom| !matches!(groom.presence, Presence::Gone(..)) || groom.silence(now) < listed);
        self.give_up_tasks(now);
        self.end_unfit(now);
        self.last_tick = self.last_tick.max(now);
        self.start_queued(now);
    }

    /// A job that ends does not wait for ever for tasks that do not.
    fn give_up_tasks(&mut self, now: Moment) {
        let is_late = |job: &&Job| {
            job.stage() == Stage::Ending && !job.is_settled && now.since(job.since) >= self.times.ending
        };
        let late: Vec<JobId> = self.jobs.values().filter(is_late).map(Job::id).collect();
        for id in late {
            if let Some(job) = self.jobs.get_mut(&id) {
                for task in &mut job.tasks {
                    task.end(How::Killed);
                }
            }
            self.advance(id, now);
        }
    }

    /// Something outside says that the process of a groom is gone or cut off, before its silence does: its session with
    /// ZooKeeper ended.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn cut_off(&mut self, now: Moment, name: &GroomId, start: u64) {
        if self.grooms.get(name).is_some_and(|groom| groom.start == start) {
            self.lose(name, "lost its session with ZooKeeper", now);
            self.start_queued(now);
        }
    }

    /// A groom is gone, and with it all of its tasks.
    pub(super) fn lose(&mut self, name: &GroomId, why: &str, now: Moment) {
        let Some(groom) = self.grooms.get_mut(name) else { return };
        let holds = std::mem::take(&mut groom.holds);
        match groom.presence.clone() {
            Presence::Expected => drop(self.grooms.remove(name)),
            Presence::Present(session, info) => groom.presence = Presence::Gone(session, info),
            Presence::Gone(..) => {}
        }
        self.is_room_new = true;
        for (run, hold) in holds {
            for peer in hold.live {
                let why = format!("groom {name} {why}");
                let task = self.jobs.get_mut(&run.job).and_then(|job| job.task_on(run, peer, name));
                if task.is_some_and(|task| task.end(How::Lost { why })) {
                    self.ended(run.job, peer, now);
                }
            }
            self.advance(run.job, now);
        }
    }

    /// A task has ended: if not well, so does its job.
    pub(super) fn ended(&mut self, id: JobId, peer: PeerId, now: Moment) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        let excess = job.has_returned(peer);
        if job.progress.cause.is_some() {
            job.forget_outputs();
        }
        let Some(ended) = job.tasks.get(peer.index()).and_then(|task| task.ended()) else { return };
        let remoteness = ended.how.remoteness();
        if let Some(cause) = job.cause_of(peer, ended) {
            self.end(id, cause, now);
            if let Some(job) = self.jobs.get_mut(&id) {
                job.remoteness = remoteness;
            }
        } else if let Some(cause) = excess {
            self.end(id, cause, now);
        }
    }

    /// A job ends without a result, or it is known better why it does.
    pub(super) fn end(&mut self, id: JobId, cause: Cause, now: Moment) {
        let Some(job) = self.jobs.get_mut(&id).filter(|job| !job.is_settled) else { return };
        let (was, why) = (job.stage(), cause.why());
        job.progress.cause = Some(cause);
        job.remoteness = 0;
        job.forget_outputs();
        if was != Stage::Ending {
            job.come(Stage::Ending, now);
        }
        self.record_move(id);
        if was == Stage::Queued {
            self.queue.retain(|queued| *queued != id);
            self.is_room_new = true;
        }
        self.kill_tasks(id, &why);
        self.advance(id, now);
    }

    /// Has all grooms end the tasks of a job, those that are not told already.
    pub(super) fn kill_tasks(&mut self, id: JobId, why: &str) {
        let Some(run) = self.jobs.get(&id).and_then(Job::run) else { return };
        for Booking { groom: name, .. } in self.bookings(id) {
            let hold = self.grooms.get_mut(&name).and_then(|groom| groom.holds.get_mut(&run));
            let Some(hold) = hold.filter(|hold| !hold.killed && !hold.live.is_empty()) else { continue };
            hold.killed = true;
            let what = What::Kill { run, why: why.to_owned() };
            tell(&mut self.grooms, &mut self.effects, self.epoch, &name, what);
        }
    }

    /// Goes on with a job as far as its tasks are.
    pub(super) fn advance(&mut self, id: JobId, now: Moment) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        if job.stage() == Stage::Starting && job.is_ready() {
            job.come(Stage::Running, now);
            self.record_move(id);
        }
        self.connect(id);
        let Some(job) = self.jobs.get_mut(&id) else { return };
        if job.stage() == Stage::Queued || job.is_settled || !job.is_ended() {
            return;
        }
        if job.progress.cause.is_none() && job.stage() != Stage::Returned {
            job.come(Stage::Returned, now);
            self.record_move(id);
        }
        let Some(job) = self.jobs.get_mut(&id) else { return };
        job.is_settled = true;
        self.effects.archive.push(job.outcome(now));
    }

    /// Tells the peers of a job that runs where the others listen, those that were not told.
    fn connect(&mut self, id: JobId) {
        let Some(job) = self.jobs.get(&id).filter(|job| job.stage() == Stage::Running) else { return };
        let Some(run) = job.run() else { return };
        let wants = |name: &GroomId| {
            let hold = self.grooms.get(name).filter(|groom| groom.session().is_some())?.holds.get(&run)?;
            Some(!hold.connected && !hold.live.is_empty())
        };
        let wanting = job.grooms().filter(|(_, name)| wants(name) == Some(true));
        let wanting: Vec<(u32, GroomId)> = wanting.map(|(me, name)| (me, name.clone())).collect();
        if wanting.is_empty() || !job.is_ready() {
            return;
        }
        let roster = Arc::new(job.roster());
        for (me, name) in wanting {
            let what = What::Connect { run, me, roster: Arc::clone(&roster) };
            tell(&mut self.grooms, &mut self.effects, self.epoch, &name, what);
            let hold = self.grooms.get_mut(&name).and_then(|groom| groom.holds.get_mut(&run));
            if let Some(hold) = hold {
                hold.connected = true;
            }
        }
    }

    pub(super) fn bookings(&self, id: JobId) -> Vec<Booking> {
        let launched = self.jobs.get(&id).and_then(|job| job.progress.launched.as_ref());
        launched.map_or_else(Vec::new, |launched| launched.bookings.clone())
    }
}
