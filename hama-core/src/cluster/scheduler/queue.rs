//! Jobs that come and wait: first come first served, none refused for lack of room at the moment.

use std::sync::Arc;

use crate::cluster::model::action::{Launch, What};
use crate::cluster::model::error::WireError;
use crate::cluster::model::ids::{Epoch, GroomId, Moment, RunId};
use crate::cluster::model::job::{Cause, Stage};
use crate::cluster::model::record::{Booking, Launched, Record, StoredJob};
use crate::cluster::model::spec::{Slots, Submission};
use crate::cluster::scheduler::groom::Hold;
use crate::cluster::scheduler::job::Job;
use crate::cluster::scheduler::placement::{self, Room, Share};
use crate::cluster::scheduler::{JOBS_MAX, PROGRAMS_BYTES_MAX, Scheduler, tell};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::JobId;

impl Scheduler {
    /// A client wants a job. Where the master has that job already, that is fine. Whether it has ended, only the history
    /// can say.
    ///
    /// # Errors
    /// `Invalid` when it can be no job or fits into no set of the grooms that are there, `Exists` when there is another job
    /// of that id, `Unavailable` when too many wait.
    pub(crate) fn submit(&mut self, now: Moment, submission: Submission) -> Result<()> {
        submission.spec.validate()?;
        let id = submission.job;
        if let Some(job) = self.jobs.get(&id) {
            return if job.spec() == &submission.spec {
                Ok(())
            } else {
                Err(Error::new(
                    ErrorKind::Exists,
                    format!("cannot submit job {id}: there is another of that name"),
                ))
            };
        }
        self.check_queue(&submission)?;
        if now >= self.grace_until {
            self.check_fit(&submission.spec)?;
        }
        let number = self.next_number;
        self.next_number += 1;
        let job = Job::new(number, Arc::new(submission), now);
        let (submission, progress) = (Arc::clone(&job.submission), job.progress.clone());
        self.effects.records.push(Record::Submitted(StoredJob { number, submission, progress }));
        self.jobs.insert(id, job);
        self.queue.push_back(id);
        self.is_room_new = true;
        self.start_queued(now);
        Ok(())
    }

    fn check_queue(&self, submission: &Submission) -> Result<()> {
        let bytes: usize = self.jobs.values().map(|job| job.spec().arguments.len()).sum();
        if self.jobs.len() < JOBS_MAX && bytes + submission.spec.arguments.len() <= PROGRAMS_BYTES_MAX {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Unavailable,
            format!(
                "cannot submit job {}: the master has {} jobs with {bytes} bytes of programs, the limits are {JOBS_MAX} \
                 and {PROGRAMS_BYTES_MAX}",
                submission.job,
                self.jobs.len()
            ),
        ))
    }

    /// Where no groom is there, nobody knows what will fit.
    fn check_fit(&self, spec: &crate::cluster::model::spec::JobSpec) -> Result<()> {
        let whole: Vec<Room> = self.grooms.values().filter_map(|groom| groom.whole()).collect();
        if whole.is_empty() { Ok(()) } else { placement::fits_ever(spec, &whole) }
    }

    /// Starts the first of the queue as long as there is room for it. The others wait for the first, but not for a client
    /// that other clients keep from starting: it may be these whose jobs wait.
    pub(super) fn start_queued(&mut self, now: Moment) {
        while self.is_room_new {
            let for_clients = self.room_for_clients();
            let may_start = |id: &&JobId| {
                let spec = self.jobs.get(*id).map(Job::spec).filter(|spec| spec.slots == Slots::Unneeded);
                spec.is_none_or(|spec| for_clients.is_none_or(|room| spec.memory_of_all() <= room))
            };
            let Some(id) = self.queue.iter().find(may_start).copied() else { break };
            if !self.start(id, now) {
                break;
            }
            self.queue.retain(|queued| *queued != id);
        }
        self.is_room_new = false;
    }

    /// The memory that more clients of jobs may take, as all of them together leave three quarters to the jobs that they
    /// wait for. The first may take what there is.
    fn room_for_clients(&self) -> Option<u64> {
        let is_client =
            |run: &RunId| self.jobs.get(&run.job).is_some_and(|job| job.spec().slots == Slots::Unneeded);
        let holds = self.grooms.values().flat_map(|groom| &groom.holds);
        let of_clients = holds.filter(|(run, _)| is_client(run)).map(|(_, hold)| hold.memory_taken());
        let taken = of_clients.fold(0, u64::saturating_add);
        let whole = self.grooms.values().filter_map(|groom| groom.whole()).map(|room| room.memory_bytes);
        (taken > 0).then(|| (whole.fold(0, u64::saturating_add) / 4).saturating_sub(taken))
    }

    fn start(&mut self, id: JobId, now: Moment) -> bool {
        let mut names = Vec::new();
        let (mut free, mut whole) = (Vec::new(), Vec::new());
        for (name, groom) in &self.grooms {
            let (Some(now_free), Some(all)) = (groom.free(now, &self.times), groom.whole()) else { continue };
            names.push(name.clone());
            free.push(now_free);
            whole.push(all);
        }
        let Some(job) = self.jobs.get_mut(&id) else { return true };
        let Some(shares) = placement::place(job.spec(), &free, &whole) else { return false };
        let booking = |share: Share| {
            let groom = names.get(share.room)?;
            Some(Booking {
                groom: groom.clone(),
                host: free.get(share.room)?.host.clone(),
                start: self.grooms.get(groom)?.start,
                slots: share.slots,
                peers: share.peers,
            })
        };
        let bookings: Vec<Booking> = shares.into_iter().filter_map(booking).collect();
        job.launch(Launched { attempt: 0, epoch: self.epoch, bookings: bookings.clone() }, now);
        self.record_move(id);
        for booking in &bookings {
            self.book(id, booking);
        }
        true
    }

    /// Takes what a job gets of a groom, and has that launch its tasks.
    fn book(&mut self, id: JobId, booking: &Booking) {
        let Some(job) = self.jobs.get(&id) else { return };
        let Some(run) = job.run() else { return };
        let launch = Launch {
            run,
            epoch: self.epoch,
            submission: Arc::clone(&job.for_grooms),
            peers: booking.peers.clone(),
        };
        let hold = Hold {
            slots: booking.slots,
            memory_bytes: job.spec().memory_bytes,
            live: booking.peers.iter().copied().collect(),
            ..Hold::default()
        };
        let action =
            tell(&mut self.grooms, &mut self.effects, self.epoch, &booking.groom, What::Launch(launch));
        if let Some(groom) = self.grooms.get_mut(&booking.groom) {
            groom.holds.insert(run, Hold { launch: action, ..hold });
        }
    }

    /// Ends what waits in vain: when the time for grooms to come is over, all that could not run if nothing else did; later
    /// what has been so for long, because grooms went and did not come back.
    pub(super) fn end_unfit(&mut self, now: Moment) {
        if now < self.grace_until || self.queue.is_empty() {
            return;
        }
        let whole: Vec<Room> = self.grooms.values().filter_map(|groom| groom.whole()).collect();
        let is_first_look = self.last_tick < self.grace_until && !whole.is_empty();
        for id in Vec::from_iter(self.queue.iter().copied()) {
            let Some(job) = self.jobs.get_mut(&id) else { continue };
            let Err(error) = placement::fits_ever(job.spec(), &whole) else {
                job.unfit_since = None;
                continue;
            };
            if is_first_look {
                self.end(id, Cause::Failed(WireError::from(&error)), now);
            } else if now.since(*job.unfit_since.get_or_insert(now)) >= self.times.patience {
                let waited = format!("; it waited {} s for more", self.times.patience.as_secs());
                let error = Error::new(ErrorKind::Unavailable, error.message()).and(&waited);
                self.end(id, Cause::Failed(WireError::from(&error)), now);
            }
        }
    }

    /// Launches again what a groom of the same process never heard of.
    pub(super) fn relaunch(
        &mut self,
        run: RunId,
        groom: &GroomId,
        peers: Vec<crate::ids::PeerId>,
        epoch: Epoch,
    ) -> u64 {
        let Some(job) = self.jobs.get(&run.job).filter(|job| job.stage() == Stage::Starting) else {
            return 0;
        };
        let launch = Launch { run, epoch, submission: Arc::clone(&job.for_grooms), peers };
        tell(&mut self.grooms, &mut self.effects, self.epoch, groom, What::Launch(launch))
    }
}
