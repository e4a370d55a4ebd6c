//! What grooms say: that they are there, and how their tasks are.

use std::collections::{BTreeMap, BTreeSet};

use crate::cluster::model::action::{Answer, What};
use crate::cluster::model::error::WireError;
use crate::cluster::model::ids::{Epoch, GroomId, Moment, RunId, Session};
use crate::cluster::model::job::{Cause, Stage};
use crate::cluster::model::record::Booking;
use crate::cluster::model::report::{Drained, Registration, Report, Request, TaskReport};
use crate::cluster::model::task::How;
use crate::cluster::scheduler::groom::{Draining, Groom, Hold, Presence};
use crate::cluster::scheduler::{GROOMS_MAX, Scheduler, tell};
use crate::error::{Error, ErrorKind};
use crate::ids::{JobId, PeerId};

impl Scheduler {
    /// A groom asks. Where it has a session it is answered with its [`orders`](Scheduler::orders), as soon as it has any or
    /// has waited long enough.
    ///
    /// # Errors
    /// The answer for one that has no session.
    pub(crate) fn hear(&mut self, now: Moment, request: &Request) -> Result<(), Answer> {
        let (session, epoch) = match request {
            Request::Register(registration) => (registration.session, registration.epoch),
            Request::Report(report) => (report.session, report.epoch),
        };
        request.validate().map_err(|error| self.refused(session, &error))?;
        self.fence(session, epoch)?;
        match request {
            Request::Register(registration) => self.register(now, registration)?,
            Request::Report(report) => self.report(now, report)?,
        }
        self.start_queued(now);
        Ok(())
    }

    /// Who knows a later master makes this one end; who knows only an earlier one has to say again what it has.
    fn fence(&mut self, session: Session, epoch: Epoch) -> Result<(), Answer> {
        if epoch > self.epoch {
            self.effects.deposed = self.effects.deposed.max(Some(epoch));
            let message =
                format!("the master of epoch {} is none any more: a groom knows epoch {epoch}", self.epoch);
            return Err(self.refused(session, &Error::new(ErrorKind::Unavailable, message)));
        }
        if epoch < self.epoch { Err(Answer::Reregister { epoch: self.epoch, session }) } else { Ok(()) }
    }

    fn refused(&self, session: Session, error: &Error) -> Answer {
        Answer::Refused { epoch: self.epoch, session, error: WireError::from(error) }
    }

    fn register(&mut self, now: Moment, registration: &Registration) -> Result<(), Answer> {
        let Registration { groom: name, session, info, draining, tasks, .. } = registration;
        match self.grooms.get(name) {
            Some(groom) if groom.session() == Some(*session) => return Ok(()),
            // Of long ago, or of a session that ended before the groom knew that it had begun.
            Some(groom)
                if groom
                    .last_session()
                    .is_some_and(|last| last.start == session.start && *session <= last) =>
            {
                return Err(Answer::Reregister { epoch: self.epoch, session: *session });
            }
            Some(groom) if !gives_way(groom, *session) => {
                let message = format!("cannot register groom {name}: a later one of that name is there");
                return Err(self.refused(*session, &Error::new(ErrorKind::Conflict, message)));
            }
            None if self.grooms.len() >= GROOMS_MAX => {
                let message = format!("cannot register groom {name}: there are {GROOMS_MAX}");
                return Err(self.refused(*session, &Error::new(ErrorKind::Unavailable, message)));
            }
            Some(groom) if groom.start != session.start => self.lose(name, "was started again", now),
            Some(_) | None => {}
        }
        let groom = self.grooms.entry(name.clone()).or_insert_with(|| Groom::expected(session.start, now));
        let before = std::mem::take(&mut groom.holds);
        let drained = match groom.draining {
            _ if groom.start != session.start => Draining::No,
            Draining::No => match draining {
                None => Draining::No,
                Some(Drained { stop: false }) => Draining::Stay,
                Some(Drained { stop: true }) => Draining::Stop,
            },
            Draining::Stopped => Draining::Stop,
            drained => drained,
        };
        *groom = Groom::expected(session.start, now);
        groom.presence = Presence::Present(*session, info.clone());
        groom.draining = drained;
        if drained != Draining::No && draining.is_none() {
            let stop = drained == Draining::Stop;
            tell(&mut self.grooms, &mut self.effects, self.epoch, name, What::Drain { stop });
        }
        self.is_room_new = true;
        let mut has = BTreeMap::<RunId, Hold>::new();
        for held in tasks {
            let hold = has.entry(held.task.run()).or_default();
            hold.live.insert(held.task.peer);
            hold.memory_bytes = hold.memory_bytes.max(held.memory_bytes);
        }
        let runs: BTreeSet<RunId> = has.keys().chain(before.keys()).copied().collect();
        for run in runs {
            let hold = has.remove(&run).unwrap_or_default();
            let expected = before.get(&run).map(|hold| hold.live.clone()).unwrap_or_default();
            self.take_over(name, run, hold, &expected, now);
        }
        self.stop_drained(name);
        Ok(())
    }

    /// Goes on with what a groom has of a run, where it was `expected` to have these tasks.
    fn take_over(
        &mut self,
        name: &GroomId,
        run: RunId,
        mut hold: Hold,
        expected: &BTreeSet<PeerId>,
        now: Moment,
    ) {
        let missing: Vec<PeerId> = expected.difference(&hold.live).copied().collect();
        let Some((booking, stage, launched_in)) = self.booked(name, run) else {
            if hold.live.is_empty() {
                return;
            }
            hold.slots = hold.live.len() as u32;
            return self.put_hold(name, run, Hold { killed: true, ..hold }, Some("the job has ended"));
        };
        hold.slots = booking.slots;
        let job = self.jobs.get(&run.job);
        hold.memory_bytes = job.map_or(hold.memory_bytes, |job| job.spec().memory_bytes);
        if stage == Stage::Starting && !missing.is_empty() {
            // The groom's process is the same, and it never forgets by itself: it has not heard of them.
            hold.live.extend(&missing);
            hold.launch = self.relaunch(run, name, missing, launched_in);
            return self.put_hold(name, run, hold, None);
        }
        let cause = job.and_then(|job| job.progress.cause.as_ref()).map(Cause::why);
        hold.killed = cause.is_some();
        let how = |name| match cause {
            Some(_) => How::Killed,
            None => How::Lost { why: format!("groom {name} does not know the task any more") },
        };
        let ends: Vec<(PeerId, How)> = missing.into_iter().map(|peer| (peer, how(name))).collect();
        if !hold.live.is_empty() {
            self.put_hold(name, run, hold, cause.as_deref());
        }
        for (peer, how) in ends {
            self.end_task(name, run, peer, how, now);
        }
        self.advance(run.job, now);
    }

    fn put_hold(&mut self, name: &GroomId, run: RunId, hold: Hold, kill: Option<&str>) {
        if let Some(groom) = self.grooms.get_mut(name) {
            groom.holds.insert(run, hold);
        }
        if let Some(why) = kill {
            let what = What::Kill { run, why: why.to_owned() };
            tell(&mut self.grooms, &mut self.effects, self.epoch, name, what);
        }
    }

    /// What a groom's process got of a run that has not ended.
    fn booked(&self, name: &GroomId, run: RunId) -> Option<(&Booking, Stage, Epoch)> {
        let start = self.grooms.get(name)?.start;
        let job = self.jobs.get(&run.job).filter(|job| job.run() == Some(run))?;
        let launched = job.progress.launched.as_ref()?;
        let is_it = |booking: &&Booking| booking.groom == *name && booking.start == start;
        Some((launched.bookings.iter().find(is_it)?, job.stage(), launched.epoch))
    }

    fn report(&mut self, now: Moment, report: &Report) -> Result<(), Answer> {
        let (name, session) = (&report.groom, report.session);
        let Some(groom) = self.grooms.get_mut(name).filter(|groom| groom.session() == Some(session)) else {
            return Err(Answer::Reregister { epoch: self.epoch, session });
        };
        if report.seen > groom.mailbox.last() {
            let last = groom.mailbox.last();
            let message = format!("groom {name} has seen action {}, and {last} was the last", report.seen);
            return Err(self.refused(session, &Error::data(message)));
        }
        if report.sequence <= groom.sequence {
            return Ok(());
        }
        self.is_room_new |= groom.silence(now) >= self.times.stale;
        groom.heard = now;
        groom.sequence = report.sequence;
        groom.seen = report.seen;
        groom.mailbox.seen(report.seen);
        groom.free_memory_bytes = report.free_memory_bytes;
        groom.load_percent = report.load_percent;
        groom.holds.retain(|_, hold| hold.forget.is_none_or(|forget| forget > report.seen));
        let mut changed = BTreeSet::new();
        for told in &report.tasks {
            if self.task(name, told, now) {
                changed.insert(told.task.job);
            }
        }
        self.miss(name, report, &mut changed, now);
        changed.into_iter().for_each(|job| self.advance(job, now));
        self.stop_drained(name);
        Ok(())
    }

    /// Takes what a groom says about a task. Says whether its job may go on.
    fn task(&mut self, name: &GroomId, told: &TaskReport, now: Moment) -> bool {
        let (run, peer) = (told.task.run(), told.task.peer);
        let is_ended = told.status.is_ended();
        let known = self.jobs.get_mut(&run.job).and_then(|job| job.task_on(run, peer, name));
        let is_known = known.is_some();
        let is_changed = known.is_some_and(|task| task.told(told));
        if is_changed && is_ended {
            self.ended(run.job, peer, now);
        }
        let Some(groom) = self.grooms.get_mut(name) else { return false };
        let hold = groom.holds.entry(run).or_default();
        if is_ended {
            self.is_room_new |= hold.live.remove(&peer);
        } else if !is_known && hold.live.insert(peer) {
            hold.slots = hold.live.len() as u32;
        }
        let (is_empty, is_killed, is_forgotten) = (hold.live.is_empty(), hold.killed, hold.forget.is_some());
        hold.killed |= !is_known && !is_empty;
        if !is_known && is_empty && !is_forgotten {
            self.forget(name, run);
        } else if !is_known && !is_empty && !is_killed {
            let what = What::Kill { run, why: "the job has ended".to_owned() };
            tell(&mut self.grooms, &mut self.effects, self.epoch, name, what);
        }
        is_changed
    }

    /// What a groom should have, and does not speak of.
    fn miss(&mut self, name: &GroomId, report: &Report, changed: &mut BTreeSet<JobId>, now: Moment) {
        let Some(groom) = self.grooms.get(name) else { return };
        let told: BTreeSet<_> = report.tasks.iter().map(|told| told.task).collect();
        let mut missing = Vec::new();
        for (run, hold) in groom.holds.iter().filter(|(_, hold)| hold.launch <= report.seen) {
            missing.extend(hold.live.iter().map(|peer| run.task(*peer)).filter(|task| !told.contains(task)));
        }
        for task in missing {
            let why = format!("groom {name} does not know the task any more");
            self.end_task(name, task.run(), task.peer, How::Lost { why }, now);
            changed.insert(task.job);
        }
    }

    /// A task that its groom has not.
    fn end_task(&mut self, name: &GroomId, run: RunId, peer: PeerId, how: How, now: Moment) {
        if let Some(groom) = self.grooms.get_mut(name)
            && let Some(hold) = groom.holds.get_mut(&run)
        {
            hold.live.remove(&peer);
            if hold.live.is_empty() {
                groom.holds.remove(&run);
            }
            self.is_room_new = true;
        }
        let task = self.jobs.get_mut(&run.job).and_then(|job| job.task_on(run, peer, name));
        if task.is_some_and(|task| task.end(how)) {
            self.ended(run.job, peer, now);
        }
    }
}

/// Whether a groom of the same name may take a groom's place.
fn gives_way(groom: &Groom, to: Session) -> bool {
    match &groom.presence {
        Presence::Expected => true,
        Presence::Present(session, _) => to > *session,
        // A clock that was set back does not keep a groom out.
        Presence::Gone(..) => true,
    }
}
