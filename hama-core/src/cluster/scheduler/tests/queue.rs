//! Jobs that come, wait and start.

use super::*;
use crate::cluster::model::spec::Slots;
use crate::cluster::model::spec::tests::spec;
use crate::error::ErrorKind;

#[test]
fn a_job_runs_from_submission_to_outcome() {
    let mut cluster = Cluster::new(&[("a", 2), ("b", 1)]);
    cluster.submit(1, spec(3)).unwrap();
    cluster.exchange();
    assert_eq!(cluster.state(1), JobState::Starting);
    assert_eq!(cluster.forked(1), [(0, "a".to_owned()), (1, "a".to_owned()), (2, "b".to_owned())]);
    // Nobody is connected before the last listens.
    cluster.ready(1, 0);
    cluster.ready(1, 1);
    cluster.exchange();
    let connects = |cluster: &Cluster| {
        let is_connect = |effect: &Effect| matches!(effect, Effect::Connect { .. });
        cluster.done.iter().filter(|(_, effect)| is_connect(effect)).cloned().collect::<Vec<_>>()
    };
    assert!(connects(&cluster).is_empty());
    cluster.run(1);
    assert_eq!(cluster.state(1), JobState::Running);
    let addresses = vec![vec!["a:0".to_owned()], vec!["a:1".to_owned()], vec!["b:2".to_owned()]];
    let connected = connects(&cluster);
    assert_eq!(connected.len(), 3);
    for (_, effect) in connected {
        assert!(matches!(effect, Effect::Connect { roster, .. } if roster.addresses == addresses));
    }
    cluster.finish(1);
    assert_eq!(cluster.state(1), JobState::Succeeded);
    let outcome = &cluster.history[&id(1)];
    let outputs: Vec<_> =
        outcome.peers.iter().map(|peer| peer.returned.as_ref().unwrap().output.clone()).collect();
    assert_eq!(outputs, [vec![1, 0], vec![1, 1], vec![1, 2]]);
    assert_eq!(outcome.peers[2].host.name(), "b");
    // Nothing is left anywhere.
    cluster.exchange();
    assert!(cluster.stored.is_empty() && cluster.grooms.values().all(GroomState::is_idle));
    assert_eq!(cluster.slots_taken(), 0);
}

#[test]
fn jobs_wait_for_slots_and_start_in_their_order() {
    let mut cluster = Cluster::new(&[("a", 2), ("b", 2)]);
    cluster.submit(1, spec(3)).unwrap();
    cluster.submit(2, spec(2)).unwrap();
    // There is a slot for it, and it came later.
    cluster.submit(3, spec(1)).unwrap();
    cluster.exchange();
    assert_eq!((cluster.state(2), cluster.state(3)), (JobState::Queued, JobState::Queued));
    assert_eq!(cluster.master.job(id(3)).unwrap().before, Some(1));
    assert_eq!(cluster.slots_taken(), 3);
    cluster.run(1);
    cluster.finish(1);
    assert_eq!((cluster.state(2), cluster.state(3)), (JobState::Starting, JobState::Starting));
    assert_eq!(cluster.slots_taken(), 3);
    assert_eq!((cluster.forked(2).len(), cluster.forked(3).len()), (2, 1));
}

#[test]
fn a_slot_is_free_as_soon_as_its_peer_has_returned() {
    let mut cluster = Cluster::new(&[("a", 2)]);
    cluster.submit(1, spec(2)).unwrap();
    cluster.submit(2, spec(1)).unwrap();
    cluster.exchange();
    cluster.run(1);
    cluster.end(1, 0, How::Returned(Arc::default()));
    cluster.exchange();
    assert_eq!((cluster.state(1), cluster.state(2)), (JobState::Running, JobState::Starting));
    assert_eq!(cluster.slots_taken(), 2);
}

#[test]
fn memory_is_counted_over_all_jobs() {
    let mut cluster = Cluster::new(&[("a", 9)]);
    cluster.submit(1, JobSpec { memory_bytes: 3 << 30, ..spec(2) }).unwrap();
    cluster.submit(2, JobSpec { memory_bytes: 3 << 30, ..spec(1) }).unwrap();
    cluster.exchange();
    assert_eq!((cluster.state(1), cluster.state(2)), (JobState::Starting, JobState::Queued));
    cluster.run(1);
    cluster.finish(1);
    assert_eq!(cluster.state(2), JobState::Starting);
}

#[test]
fn clients_leave_room_for_the_jobs_that_they_wait_for() {
    let client = || JobSpec { slots: Slots::Unneeded, memory_bytes: 3 << 30, ..spec(1) };
    let mut cluster = Cluster::new(&[("a", 2), ("b", 2)]);
    (1..=3).for_each(|job| cluster.submit(job, client()).unwrap());
    cluster.submit(4, JobSpec { memory_bytes: 5 << 30, ..spec(2) }).unwrap();
    cluster.exchange();
    let states = |cluster: &Cluster| [1, 2, 3, 4].map(|job| cluster.state(job));
    let [starts, waits] = [JobState::Starting, JobState::Queued];
    assert_eq!(states(&cluster), [starts.clone(), waits.clone(), waits.clone(), starts]);
    cluster.run(1);
    cluster.finish(1);
    assert_eq!((cluster.state(2), cluster.state(3)), (JobState::Starting, waits));
}

#[test]
fn what_never_fits_is_refused_with_the_numbers() {
    let mut cluster = Cluster::new(&[("a", 2), ("b", 2)]);
    let error = cluster.submit(1, spec(5)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.message().contains("5 peers") && error.message().contains("4 slots"), "{error}");
    let error = cluster.submit(1, JobSpec { memory_bytes: 9 << 30, ..spec(1) }).unwrap_err();
    assert!(error.message().contains("memory for 0 such peers"), "{error}");
    assert!(cluster.submit(1, JobSpec { peers: 0, ..spec(1) }).is_err());
    assert!(cluster.stored.is_empty() && cluster.master.jobs().is_empty());
}

#[test]
fn those_that_share_fill_all_slots_and_free_them_one_by_one() {
    let mut cluster = Cluster::new(&[("a", 2)]);
    cluster.submit(1, JobSpec { slots: Slots::Shared, ..spec(5) }).unwrap();
    cluster.submit(2, spec(1)).unwrap();
    cluster.exchange();
    assert_eq!(cluster.forked(1).len(), 5);
    assert_eq!(cluster.slots_taken(), 2);
    cluster.run(1);
    for peer in 0..3 {
        cluster.end(1, peer, How::Returned(Arc::default()));
    }
    cluster.exchange();
    // Two are left, and take both slots.
    assert_eq!(cluster.state(2), JobState::Queued);
    cluster.end(1, 3, How::Returned(Arc::default()));
    cluster.exchange();
    assert_eq!(cluster.state(2), JobState::Starting);
}

#[test]
fn without_grooms_jobs_wait_and_too_large_ones_end_when_the_time_for_grooms_is_over() {
    let mut cluster = Cluster::without_grooms();
    cluster.submit(1, spec(5)).unwrap();
    cluster.submit(2, spec(2)).unwrap();
    cluster.start_groom("a", 2);
    cluster.exchange();
    assert_eq!((cluster.state(1), cluster.state(2)), (JobState::Queued, JobState::Queued));
    cluster.pass(10);
    assert_eq!(cluster.error(1).kind(), ErrorKind::Invalid);
    assert_eq!(cluster.state(2), JobState::Starting);
}

#[test]
fn what_waits_for_grooms_that_do_not_come_back_ends() {
    let mut cluster = Cluster::new(&[("a", 1), ("b", 1)]);
    cluster.submit(1, spec(2)).unwrap();
    cluster.submit(2, spec(2)).unwrap();
    cluster.pass_with(200, &["a"]);
    assert_eq!(cluster.error(1).kind(), ErrorKind::PeerLost);
    assert_eq!(cluster.state(2), JobState::Queued);
    cluster.pass_with(120, &["a"]);
    let error = cluster.error(2);
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.message().ends_with("it waited 300 s for more"), "{error}");
}

#[test]
fn a_job_is_submitted_once() {
    let mut cluster = Cluster::new(&[("a", 1)]);
    cluster.submit(1, spec(1)).unwrap();
    cluster.submit(1, spec(1)).unwrap();
    assert_eq!(cluster.master.jobs().len(), 1);
    let other = JobSpec { program: "another".to_owned(), ..spec(1) };
    assert_eq!(cluster.submit(1, other).unwrap_err().kind(), ErrorKind::Exists);
}

#[test]
fn the_queue_is_bounded_in_jobs_and_in_bytes() {
    let mut cluster = Cluster::new(&[("a", 1)]);
    for job in 0..16 {
        cluster.submit(job, JobSpec { arguments: vec![0; 16 << 20].into(), ..spec(1) }).unwrap();
    }
    let error = cluster.submit(200, spec(1)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.message().contains("268435456"), "{error}");
    let mut cluster = Cluster::new(&[("a", 1)]);
    for job in 0..1000u16 {
        let mut bytes = [0; 16];
        bytes[..2].copy_from_slice(&job.to_le_bytes());
        let submission = Submission { job: JobId::from_bytes(bytes), ..submission(0, spec(1)) };
        cluster.master.submit(cluster.now, submission).unwrap();
    }
    let error = cluster.submit(255, spec(1)).unwrap_err();
    assert!(error.message().contains("1000 jobs"), "{error}");
}
