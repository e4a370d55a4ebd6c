//! Grooms that come, go silent, come back and lie.

use super::*;
use crate::cluster::model::report::Request;
use crate::cluster::model::spec::tests::spec;
use crate::cluster::scheduler::groom::Draining;
use crate::cluster::scheduler::view::Health;
use crate::error::ErrorKind;

fn health(cluster: &Cluster, groom: &str) -> Option<Health> {
    let grooms = cluster.master.grooms(cluster.now);
    grooms.into_iter().find(|view| view.groom == name(groom)).map(|view| view.health)
}

/// What a groom says now.
fn says(cluster: &mut Cluster, groom: &str) -> Request {
    cluster.grooms.get_mut(&name(groom)).unwrap().request(HostLoad::default())
}

#[test]
fn a_silent_groom_gets_no_tasks_and_then_its_jobs_fail() {
    let mut cluster = Cluster::new(&[("a", 2), ("b", 2)]);
    cluster.submit(1, spec(3)).unwrap();
    cluster.exchange();
    cluster.run(1);
    cluster.pass_with(6, &["a"]);
    assert_eq!(health(&cluster, "b"), Some(Health::Stale));
    cluster.submit(2, spec(1)).unwrap();
    assert_eq!((cluster.state(1), cluster.state(2)), (JobState::Running, JobState::Queued));
    cluster.pass_with(3, &["a"]);
    cluster.exchange_with(&["a"]);
    assert_eq!(health(&cluster, "b"), Some(Health::Dead));
    assert_eq!((cluster.state(1), cluster.killed(1)), (JobState::Ending, vec![0, 2]));
    cluster.end(1, 0, How::Signalled { signal: 9 });
    cluster.end(1, 2, How::Signalled { signal: 9 });
    cluster.exchange_with(&["a"]);
    let error = cluster.error(1);
    assert_eq!((error.kind(), error.place().unwrap().host.name()), (ErrorKind::PeerLost, "b"));
    assert_eq!(error.message(), "groom b was not heard for 9.0 s");
    assert_eq!(cluster.forked(2), [(0, "a".to_owned())]);
    // It comes back, ends what it had, and serves again.
    cluster.exchange();
    assert_eq!(health(&cluster, "b"), Some(Health::Alive));
    assert_eq!(cluster.killed(1), [0, 1, 2]);
    assert_eq!(cluster.master.grooms(cluster.now)[1].slots_taken, 1);
    cluster.end(1, 1, How::Signalled { signal: 9 });
    cluster.exchange();
    assert!(cluster.grooms[&name("b")].is_idle());
    cluster.submit(3, spec(3)).unwrap();
    assert_eq!(cluster.state(3), JobState::Starting);
}

#[test]
fn a_groom_that_is_started_again_has_lost_its_tasks() {
    let mut cluster = Cluster::new(&[("a", 1)]);
    cluster.submit(1, spec(1)).unwrap();
    cluster.exchange();
    cluster.run(1);
    let before = says(&mut cluster, "a");
    cluster.start_groom("a", 1);
    cluster.exchange();
    assert_eq!(cluster.error(1).message(), "groom a was started again");
    // What the process before it said and comes late changes nothing.
    let answer = cluster.master.hear(cluster.now, &before).unwrap_err();
    assert!(matches!(answer, Answer::Reregister { .. }), "{answer:?}");
    assert_eq!(health(&cluster, "a"), Some(Health::Alive));
}

#[test]
fn of_two_grooms_of_one_name_the_later_stays() {
    let mut cluster = Cluster::new(&[("a", 1)]);
    let mut early = GroomState::new(name("a"), 0, info("a", 1, 1)).unwrap();
    let request = early.request(HostLoad::default());
    early.hear(cluster.master.hear(cluster.now, &request).unwrap_err()).unwrap();
    let request = early.request(HostLoad::default());
    let answer = cluster.master.hear(cluster.now, &request).unwrap_err();
    assert_eq!(early.hear(answer).unwrap_err().kind(), ErrorKind::Conflict);
    // When the other is gone it may, even if its clock was set back.
    cluster.pass_with(10, &[]);
    let request = early.request(HostLoad::default());
    cluster.master.hear(cluster.now, &request).unwrap();
}

#[test]
fn requests_that_come_twice_or_late_count_once() {
    let mut cluster = Cluster::new(&[("a", 1)]);
    cluster.submit(1, spec(1)).unwrap();
    cluster.exchange();
    let early = says(&mut cluster, "a");
    cluster.run(1);
    cluster.finish(1);
    assert_eq!(cluster.state(1), JobState::Succeeded);
    cluster.submit(2, spec(1)).unwrap();
    cluster.exchange();
    let heard = cluster.master.orders(&name("a")).unwrap().heard;
    cluster.master.hear(cluster.now, &early).unwrap();
    assert_eq!(cluster.master.orders(&name("a")).unwrap().heard, heard);
    assert_eq!(cluster.state(2), JobState::Starting);
    cluster.exchange();
    assert_eq!(cluster.forked(2).len(), 1);
    assert!(cluster.killed(1).is_empty() && cluster.killed(2).is_empty());
}

#[test]
fn a_groom_that_lies_is_refused() {
    let mut cluster = Cluster::new(&[("a", 1)]);
    let Request::Report(report) = says(&mut cluster, "a") else { unreachable!("it has registered") };
    let mut wrong = report.clone();
    wrong.seen = 77;
    let answer = cluster.master.hear(cluster.now, &Request::Report(wrong)).unwrap_err();
    assert!(matches!(answer, Answer::Refused { error, .. } if error.message.contains("action 77")));
    let mut unknown = report;
    unknown.groom = name("nobody");
    let answer = cluster.master.hear(cluster.now, &Request::Report(unknown)).unwrap_err();
    assert!(matches!(answer, Answer::Reregister { .. }));
}

#[test]
fn epochs_fence_both_ways() {
    let mut cluster = Cluster::new(&[("a", 1)]);
    let Request::Report(mut report) = says(&mut cluster, "a") else { unreachable!("it has registered") };
    report.epoch = Epoch(0);
    let answer = cluster.master.hear(cluster.now, &Request::Report(report.clone())).unwrap_err();
    assert!(matches!(answer, Answer::Reregister { epoch: Epoch(1), .. }));
    assert_eq!(cluster.master.take_effects().deposed, None);
    report.epoch = Epoch(9);
    let answer = cluster.master.hear(cluster.now, &Request::Report(report)).unwrap_err();
    assert!(matches!(answer, Answer::Refused { .. }));
    assert_eq!(cluster.master.take_effects().deposed, Some(Epoch(9)));
}

#[test]
fn a_drained_groom_goes_on_with_what_it_has_and_then_stops() {
    let mut cluster = Cluster::new(&[("a", 2), ("b", 1)]);
    cluster.submit(1, spec(2)).unwrap();
    cluster.exchange();
    cluster.run(1);
    cluster.master.drain(cluster.now, &name("a"), Draining::Stop).unwrap();
    assert!(cluster.master.drain(cluster.now, &name("x"), Draining::Stay).is_err());
    let error = cluster.submit(2, spec(2)).unwrap_err();
    assert!(error.message().contains("the 1 grooms that are there have 1 slots"), "{error}");
    cluster.exchange();
    let has = |cluster: &Cluster, effect| cluster.done.contains(&(name("a"), effect));
    assert!(has(&cluster, Effect::Drain) && !has(&cluster, Effect::Stop));
    assert_eq!(cluster.state(1), JobState::Running);
    // Another master learns of it from the groom.
    cluster.succeed();
    cluster.exchange();
    assert!(!has(&cluster, Effect::Stop));
    cluster.finish(1);
    cluster.exchange();
    assert!(has(&cluster, Effect::Stop));
}

#[test]
fn a_master_that_was_stopped_blames_nobody() {
    let mut cluster = Cluster::new(&[("a", 1)]);
    cluster.submit(1, spec(1)).unwrap();
    cluster.exchange();
    cluster.run(1);
    cluster.now = cluster.now.after(Duration::from_secs(60));
    cluster.master.tick(cluster.now);
    cluster.carry_out();
    assert_eq!((cluster.state(1), health(&cluster, "a")), (JobState::Running, Some(Health::Alive)));
}

#[test]
fn a_groom_cut_off_from_zookeeper_loses_its_tasks_at_once() {
    let mut cluster = Cluster::new(&[("a", 1)]);
    cluster.submit(1, spec(1)).unwrap();
    cluster.exchange();
    cluster.run(1);
    // Of a process before.
    cluster.master.cut_off(cluster.now, &name("a"), 0);
    assert_eq!(cluster.state(1), JobState::Running);
    cluster.master.cut_off(cluster.now, &name("a"), 1);
    cluster.carry_out();
    assert_eq!(cluster.error(1).message(), "groom a lost its session with ZooKeeper");
    cluster.exchange();
    assert_eq!(cluster.killed(1), [0]);
}
