//! Masters that follow another.

use super::*;
use crate::cluster::model::spec::tests::spec;
use crate::cluster::scheduler::view::Health;
use crate::error::ErrorKind;

#[test]
fn running_jobs_go_on_and_queued_ones_stay_in_their_order() {
    let mut cluster = Cluster::new(&[("a", 2), ("b", 1)]);
    for (job, peers) in [(9, 3), (5, 2), (7, 1), (1, 1)] {
        cluster.submit(job, spec(peers)).unwrap();
    }
    cluster.exchange();
    cluster.run(9);
    cluster.succeed();
    let queued: Vec<JobId> = cluster.master.jobs().iter().map(|job| job.job).collect();
    assert_eq!(queued, [id(9), id(5), id(7), id(1)]);
    assert_eq!(cluster.master.grooms(cluster.now)[0].health, Health::Expected);
    cluster.exchange();
    cluster.pass(11);
    assert_eq!((cluster.state(9), cluster.state(5)), (JobState::Running, JobState::Queued));
    assert_eq!((cluster.forked(9).len(), cluster.killed(9).len()), (3, 0));
    cluster.finish(9);
    assert_eq!(cluster.state(9), JobState::Succeeded);
    assert_eq!((cluster.state(5), cluster.state(7)), (JobState::Starting, JobState::Starting));
    assert_eq!(cluster.state(1), JobState::Queued);
    // Another that is submitted now comes last.
    cluster.submit(3, spec(1)).unwrap();
    assert_eq!(cluster.master.job(id(3)).unwrap().before, Some(1));
}

#[test]
fn a_launch_that_was_not_heard_is_made_again_and_a_heard_one_is_not() {
    let mut cluster = Cluster::new(&[("a", 1), ("b", 1)]);
    cluster.submit(1, spec(2)).unwrap();
    cluster.exchange_with(&["a"]);
    assert_eq!(cluster.forked(1).len(), 1);
    cluster.succeed();
    cluster.exchange();
    assert_eq!(cluster.forked(1), [(0, "a".to_owned()), (1, "b".to_owned())]);
    // Their frames carry the epoch of the first launch.
    let epochs = cluster.done.iter().filter_map(|(_, effect)| match effect {
        Effect::Fork { launch, .. } => Some(launch.epoch),
        _ => None,
    });
    assert_eq!(epochs.collect::<Vec<_>>(), [Epoch(1), Epoch(1)]);
    cluster.run(1);
    cluster.finish(1);
    assert_eq!(cluster.state(1), JobState::Succeeded);
}

#[test]
fn what_peers_left_is_told_again() {
    let mut cluster = Cluster::new(&[("a", 2)]);
    cluster.submit(1, spec(2)).unwrap();
    cluster.exchange();
    cluster.run(1);
    cluster.keeps = true;
    cluster.finish(1);
    // The master dies before the outcome is put away.
    cluster.keeps = false;
    cluster.succeed();
    cluster.exchange();
    assert_eq!(cluster.state(1), JobState::Succeeded);
    assert_eq!(cluster.history[&id(1)].peers[1].returned.as_ref().unwrap().output, [1, 1]);
    cluster.exchange();
    assert!(cluster.grooms.values().all(GroomState::is_idle));
}

#[test]
fn a_connection_that_was_not_heard_is_made_again() {
    let mut cluster = Cluster::new(&[("a", 1), ("b", 1)]);
    cluster.submit(1, spec(2)).unwrap();
    cluster.exchange();
    cluster.ready(1, 0);
    cluster.ready(1, 1);
    for groom in ["a", "b"] {
        let request = cluster.grooms.get_mut(&name(groom)).unwrap().request(HostLoad::default());
        cluster.master.hear(cluster.now, &request).unwrap();
        cluster.carry_out();
    }
    assert_eq!(cluster.state(1), JobState::Running);
    cluster.succeed();
    cluster.exchange();
    let connects = cluster.done.iter().filter(|(_, effect)| matches!(effect, Effect::Connect { .. }));
    assert_eq!(connects.count(), 2);
    cluster.finish(1);
    assert_eq!(cluster.state(1), JobState::Succeeded);
}

#[test]
fn tasks_of_grooms_that_do_not_come_are_lost_after_a_while() {
    let mut cluster = Cluster::new(&[("a", 1), ("b", 1)]);
    cluster.submit(1, spec(2)).unwrap();
    cluster.exchange();
    cluster.run(1);
    cluster.succeed();
    cluster.pass_with(9, &["a"]);
    assert_eq!(cluster.state(1), JobState::Running);
    cluster.pass_with(2, &["a"]);
    assert_eq!(cluster.killed(1), [0]);
    cluster.end(1, 0, How::Signalled { signal: 9 });
    cluster.exchange_with(&["a"]);
    assert_eq!(
        (cluster.error(1).kind(), cluster.error(1).place().unwrap().peer),
        (ErrorKind::PeerLost, PeerId::from_index(1))
    );
    // The groom comes after all.
    cluster.exchange();
    assert_eq!(cluster.killed(1), [0, 1]);
}

#[test]
fn a_groom_that_was_started_again_meanwhile_has_lost_its_tasks() {
    let mut cluster = Cluster::new(&[("a", 1)]);
    cluster.submit(1, spec(1)).unwrap();
    cluster.exchange();
    cluster.run(1);
    cluster.succeed();
    cluster.start_groom("a", 1);
    cluster.exchange();
    assert_eq!(cluster.error(1).message(), "groom a was started again");
}

#[test]
fn tasks_of_jobs_that_have_ended_are_ended() {
    let mut cluster = Cluster::new(&[("a", 2)]);
    cluster.submit(1, spec(2)).unwrap();
    cluster.exchange();
    cluster.run(1);
    cluster.stored.clear();
    cluster.succeed();
    cluster.exchange();
    assert_eq!(cluster.killed(1), [0, 1]);
    assert_eq!(cluster.slots_taken(), 2);
    cluster.end(1, 0, How::Signalled { signal: 9 });
    cluster.end(1, 1, How::Signalled { signal: 9 });
    cluster.exchange();
    assert_eq!(cluster.slots_taken(), 0);
    assert!(cluster.grooms.values().all(GroomState::is_idle));
}

#[test]
fn a_job_that_was_ending_ends_as_it_would_have() {
    let mut cluster = Cluster::new(&[("a", 2)]);
    cluster.submit(1, spec(2)).unwrap();
    cluster.submit(2, spec(2)).unwrap();
    cluster.exchange();
    cluster.run(1);
    cluster.end(1, 0, How::Exited { code: 4 });
    cluster.exchange();
    cluster.keeps = true;
    cluster.master.kill(cluster.now, id(2), "enough").unwrap();
    cluster.carry_out();
    cluster.keeps = false;
    cluster.succeed();
    assert_eq!(cluster.state(2), JobState::Killed { why: "enough".to_owned() });
    cluster.exchange();
    cluster.end(1, 1, How::Signalled { signal: 9 });
    cluster.exchange();
    let error = cluster.error(1);
    assert_eq!((error.kind(), error.place().unwrap().peer), (ErrorKind::Program, PeerId::from_index(0)));
}
