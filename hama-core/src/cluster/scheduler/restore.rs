//! How a master begins: with what the one before it has left, or with nothing.

use std::collections::{BTreeMap, VecDeque};

use crate::cluster::model::ids::{Epoch, Moment};
use crate::cluster::model::job::Stage;
use crate::cluster::model::record::StoredJob;
use crate::cluster::model::task::How;
use crate::cluster::scheduler::groom::{Groom, Hold};
use crate::cluster::scheduler::job::Job;
use crate::cluster::scheduler::{Effects, Scheduler, Times};
use crate::ids::JobId;

impl Scheduler {
    /// A master of `epoch` that goes on with these jobs, of which the history has no outcome. Those that wait stay in their
    /// order. The others go on as soon as the grooms that have their tasks have registered; where one does not in
    /// time, its tasks are lost.
    pub(crate) fn restore(epoch: Epoch, times: Times, now: Moment, stored: Vec<StoredJob>) -> Scheduler {
        let mut jobs: Vec<Job> = stored.into_iter().map(|stored| Job::stored(stored, now)).collect();
        jobs.sort_by_key(|job| job.number);
        let waits = |job: &&Job| job.stage() == Stage::Queued;
        let queue: VecDeque<JobId> = jobs.iter().filter(waits).map(Job::id).collect();
        let next_number = jobs.last().map_or(0, |job| job.number + 1);
        let mut scheduler = Scheduler {
            epoch,
            grace_until: now.after(times.grace),
            times,
            grooms: BTreeMap::new(),
            jobs: jobs.into_iter().map(|job| (job.id(), job)).collect(),
            queue,
            next_number,
            last_tick: now,
            is_room_new: true,
            effects: Effects::default(),
        };
        scheduler.expect_grooms(now);
        scheduler.end_outlived(now);
        let ids: Vec<JobId> = scheduler.jobs.keys().copied().collect();
        // A job that was killed while it waited has no tasks to wait for.
        ids.into_iter().for_each(|id| scheduler.advance(id, now));
        scheduler
    }

    fn expect_grooms(&mut self, now: Moment) {
        for job in self.jobs.values() {
            let (Some(run), Some(launched)) = (job.run(), &job.progress.launched) else { continue };
            for booking in &launched.bookings {
                let new = || Groom::expected(booking.start, now);
                let groom = self.grooms.entry(booking.groom.clone()).or_insert_with(new);
                // Of two processes of one name the later has outlived the other.
                if booking.start > groom.start {
                    *groom = new();
                }
                if booking.start < groom.start {
                    continue;
                }
                let hold = Hold {
                    slots: booking.slots,
                    memory_bytes: job.spec().memory_bytes,
                    live: booking.peers.iter().copied().collect(),
                    killed: job.progress.cause.is_some(),
                    ..Hold::default()
                };
                groom.holds.insert(run, hold);
            }
        }
    }

    /// Tasks of a groom's process that a later one has outlived.
    fn end_outlived(&mut self, now: Moment) {
        let mut lost = Vec::new();
        for (id, job) in &self.jobs {
            for booking in job.progress.launched.iter().flat_map(|launched| &launched.bookings) {
                if self.grooms.get(&booking.groom).is_none_or(|groom| groom.start != booking.start) {
                    lost.push((*id, booking.clone()));
                }
            }
        }
        for (id, booking) in lost {
            for peer in booking.peers {
                let why = format!("groom {} was started again", booking.groom);
                let task = self.jobs.get_mut(&id).and_then(|job| job.tasks.get_mut(peer.index()));
                if task.is_some_and(|task| task.end(How::Lost { why })) {
                    self.ended(id, peer, now);
                }
            }
        }
    }
}
