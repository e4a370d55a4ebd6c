//! What a groom does and says, told by a master that is played here.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::state::{Effect, GroomState, HostLoad};
use crate::cluster::gather::Participant;
use crate::cluster::model::action::{Action, Answer, Launch, Orders, Roster, What};
use crate::cluster::model::bounds::PART_BYTES_MAX;
use crate::cluster::model::error::WireError;
use crate::cluster::model::ids::{Epoch, RunId, Secret, Session, TaskId};
use crate::cluster::model::report::tests::info;
use crate::cluster::model::report::{Report, Request};
use crate::cluster::model::spec::Submission;
use crate::cluster::model::spec::tests::spec;
use crate::cluster::model::task::{Ended, How, Returned, TaskStatus};
use crate::error::{Error, ErrorKind};
use crate::ids::{Host, JobId, PeerId};

const RUN: RunId = RunId { job: JobId::from_bytes([1; 16]), attempt: 0 };

fn task(peer: u32) -> TaskId {
    RUN.task(PeerId::from_index(peer))
}

fn session(number: u64) -> Session {
    Session { start: 5, number }
}

fn launch(peers: &[u32]) -> What {
    let submission = Submission { job: RUN.job, spec: Arc::new(spec(3)), secret: Secret([0; 32]) };
    let peers = peers.iter().copied().map(PeerId::from_index).collect();
    What::Launch(Launch { run: RUN, epoch: Epoch(1), submission: Arc::new(submission), peers })
}

/// The orders of the master of epoch 1, with the actions from `first` on.
fn orders(heard: u64, first: u64, whats: Vec<What>) -> Answer {
    let actions = (first..).zip(whats).map(|(id, what)| Action { id, epoch: Epoch(1), what }).collect();
    Answer::Orders(Orders { epoch: Epoch(1), session: session(2), heard, actions })
}

/// A groom in its second session, with a master of epoch 1.
fn groom() -> GroomState {
    let mut groom = GroomState::new("g".parse().unwrap(), 5, info("h", 4, 8)).unwrap();
    groom.hear(Answer::Reregister { epoch: Epoch(1), session: session(1) }).unwrap();
    groom.hear(orders(0, 1, Vec::new())).unwrap();
    groom.take_effects();
    groom
}

fn report(groom: &mut GroomState) -> Report {
    match groom.request(HostLoad { free_memory_bytes: 7, load_percent: 150 }) {
        Request::Report(report) => report,
        Request::Register(registration) => unreachable!("it has a session: {registration:?}"),
    }
}

fn statuses(groom: &mut GroomState) -> Vec<TaskStatus> {
    report(groom).tasks.into_iter().map(|task| task.status).collect()
}

/// A groom whose tasks listen.
fn ready(peers: &[u32]) -> GroomState {
    let mut groom = groom();
    groom.hear(orders(0, 1, vec![launch(peers)])).unwrap();
    groom.fetched(spec(3).executable, Ok(()));
    peers.iter().for_each(|peer| groom.ready(task(*peer), vec![format!("h:{peer}")]));
    groom.take_effects();
    groom
}

fn returned(bytes: usize) -> How {
    How::Returned(Arc::new(Returned { output: vec![1; bytes], ..Returned::default() }))
}

#[test]
fn it_registers_and_reports_what_it_was_told_to_do() {
    let mut groom = groom();
    let said = report(&mut groom);
    assert_eq!((said.sequence, said.seen, said.epoch, said.session), (1, 0, Epoch(1), session(2)));
    assert_eq!((said.free_memory_bytes, said.load_percent), (7, 150));
    groom.hear(orders(1, 1, vec![launch(&[0, 2])])).unwrap();
    assert_eq!(groom.take_effects(), [Effect::Fetch(spec(3).executable), Effect::Tell]);
    assert_eq!(statuses(&mut groom), [TaskStatus::Launching, TaskStatus::Launching]);
    groom.fetched(spec(3).executable, Ok(()));
    groom.fetched(spec(3).executable, Ok(()));
    assert_eq!(groom.take_effects().len(), 2);
    groom.ready(task(2), vec!["h:2".to_owned()]);
    assert_eq!(statuses(&mut groom), [TaskStatus::Launching, TaskStatus::Ready]);
    assert_eq!(report(&mut groom).seen, 1);
}

#[test]
fn actions_are_done_once_and_in_their_order() {
    let mut groom = groom();
    groom.hear(orders(0, 2, vec![What::Drain { stop: true }])).unwrap();
    assert_eq!((report(&mut groom).seen, groom.take_effects()), (0, vec![]));
    let both = orders(0, 1, vec![launch(&[0]), What::Drain { stop: true }]);
    groom.hear(both.clone()).unwrap();
    assert_eq!(groom.take_effects(), [Effect::Fetch(spec(3).executable), Effect::Drain, Effect::Tell]);
    groom.hear(both).unwrap();
    groom.hear(orders(0, 1, vec![launch(&[0])])).unwrap();
    assert_eq!((report(&mut groom).seen, groom.take_effects()), (2, vec![]));
}

#[test]
fn peers_that_listen_are_connected_once() {
    let mut groom = ready(&[0, 1]);
    groom.ended(task(1), How::Exited { code: 2 }, Arc::default());
    groom.take_effects();
    let addresses = vec![vec!["h:0".to_owned()]; 3];
    let grooms = vec![Participant { host: Host::new("h"), peers: 3 }];
    let roster = Arc::new(Roster { addresses, grooms });
    let connect =
        |first| orders(0, first, vec![What::Connect { run: RUN, me: 0, roster: Arc::clone(&roster) }]);
    groom.hear(connect(2)).unwrap();
    groom.hear(connect(3)).unwrap();
    let connected: Vec<Effect> =
        groom.take_effects().into_iter().filter(|effect| *effect != Effect::Tell).collect();
    assert_eq!(connected, [Effect::Connect { task: task(0), me: 0, roster }]);
    let counters = BTreeMap::from([("words".to_owned(), 9)]);
    for task in [task(0), task(1)] {
        groom.superstep(task, 4);
        groom.progress(task, 7, counters.clone());
    }
    let ended = TaskStatus::Ended(Ended { superstep: 0, how: How::Exited { code: 2 }, log: Arc::default() });
    assert_eq!(statuses(&mut groom), [TaskStatus::Running { superstep: 4, units: 7, counters }, ended]);
}

#[test]
fn an_end_is_told_until_it_is_heard_and_remembered_until_it_is_to_be_forgotten() {
    let mut groom = ready(&[0]);
    groom.ended(task(0), returned(10), Arc::default());
    let ended = vec![TaskStatus::Ended(Ended { superstep: 0, how: returned(10), log: Arc::default() })];
    assert_eq!(groom.take_effects(), [Effect::Tell]);
    assert_eq!(statuses(&mut groom), ended);
    // Said in report 1; what the master heard before does not count.
    groom.hear(orders(0, 2, Vec::new())).unwrap();
    assert_eq!(statuses(&mut groom), ended);
    groom.hear(orders(1, 2, Vec::new())).unwrap();
    assert_eq!(statuses(&mut groom), [TaskStatus::Told]);
    // In another session everything is said again.
    groom.hear(Answer::Reregister { epoch: Epoch(1), session: session(2) }).unwrap();
    let Request::Register(registration) = groom.request(HostLoad::default()) else {
        unreachable!("another session")
    };
    assert_eq!((registration.session, registration.tasks.len()), (session(3), 1));
    let Answer::Orders(mut again) = orders(0, 1, Vec::new()) else { unreachable!("orders") };
    again.session = session(3);
    groom.hear(Answer::Orders(again.clone())).unwrap();
    assert_eq!(statuses(&mut groom), ended);
    assert!(!groom.is_idle());
    again.actions = vec![Action { id: 1, epoch: Epoch(1), what: What::Forget { run: RUN } }];
    groom.take_effects();
    groom.hear(Answer::Orders(again)).unwrap();
    assert_eq!(groom.take_effects(), [Effect::Remove(task(0)), Effect::Tell]);
    assert!(groom.is_idle());
}

#[test]
fn outputs_that_do_not_fit_into_a_report_come_in_the_next() {
    let mut groom = ready(&[0, 1, 2]);
    for peer in 0..3 {
        groom.ended(task(peer), returned(PART_BYTES_MAX / 2 + 1), Arc::default());
    }
    let ends = |groom: &mut GroomState| -> Vec<bool> {
        statuses(groom).iter().map(|status| matches!(status, TaskStatus::Ended(_))).collect()
    };
    assert_eq!(ends(&mut groom), [true, false, false]);
    assert_eq!(ends(&mut groom), [true, false, false]);
    groom.hear(orders(1, 2, Vec::new())).unwrap();
    assert_eq!(ends(&mut groom), [false, true, false]);
    groom.hear(orders(3, 2, Vec::new())).unwrap();
    assert_eq!(ends(&mut groom), [false, false, true]);
    groom.hear(orders(4, 2, Vec::new())).unwrap();
    assert_eq!(statuses(&mut groom), [TaskStatus::Told, TaskStatus::Told, TaskStatus::Told]);
}

#[test]
fn a_kill_ends_processes_and_what_was_not_started() {
    let mut groom = groom();
    groom.hear(orders(0, 1, vec![launch(&[0]), What::Kill { run: RUN, why: "no".to_owned() }])).unwrap();
    groom.fetched(spec(3).executable, Ok(()));
    assert_eq!(groom.take_effects(), [Effect::Fetch(spec(3).executable), Effect::Tell]);
    let killed = TaskStatus::Ended(Ended { superstep: 0, how: How::Killed, log: Arc::default() });
    assert_eq!(statuses(&mut groom), std::slice::from_ref(&killed));

    let mut groom = ready(&[0, 1, 2]);
    let kill = |first| orders(0, first, vec![What::Kill { run: RUN, why: "no".to_owned() }]);
    groom.hear(kill(2)).unwrap();
    groom.hear(kill(3)).unwrap();
    let kills =
        groom.take_effects().into_iter().filter(|effect| matches!(effect, Effect::Kill { .. })).count();
    assert_eq!(kills, 3);
    groom.ended(task(0), How::Signalled { signal: 9 }, Arc::default());
    groom.ended(task(1), returned(1), Arc::default());
    groom.ended(task(2), How::MemoryLimit { bytes: 5 }, Arc::default());
    // What a kill does not cause is still told.
    let ended = |how| TaskStatus::Ended(Ended { superstep: 0, how, log: Arc::default() });
    assert_eq!(statuses(&mut groom), [killed, ended(returned(1)), ended(How::MemoryLimit { bytes: 5 })]);
}

#[test]
fn what_is_forgotten_while_it_lives_is_ended_first() {
    let mut groom = ready(&[0]);
    groom.hear(orders(0, 2, vec![What::Forget { run: RUN }])).unwrap();
    assert!(matches!(groom.take_effects()[..], [Effect::Kill { .. }, Effect::Tell]));
    groom.ended(task(0), How::Signalled { signal: 9 }, Arc::default());
    assert_eq!(groom.take_effects(), [Effect::Tell, Effect::Remove(task(0))]);
    assert!(groom.is_idle());
}

#[test]
fn an_executable_that_cannot_be_had_ends_the_task() {
    let mut groom = groom();
    groom.hear(orders(0, 1, vec![launch(&[0])])).unwrap();
    let error = WireError::from(&Error::new(ErrorKind::NotFound, "cannot fetch it"));
    groom.fetched(spec(3).executable, Err(error.clone()));
    assert_eq!(
        statuses(&mut groom),
        [TaskStatus::Ended(Ended { superstep: 0, how: How::Failed(error), log: Arc::default() })]
    );
}

#[test]
fn a_master_of_an_earlier_epoch_is_refused_whatever_it_says() {
    let mut groom = ready(&[0]);
    groom.hear(Answer::Reregister { epoch: Epoch(4), session: session(2) }).unwrap();
    groom.take_effects();
    for answer in [
        orders(9, 2, vec![What::Stop]),
        Answer::Reregister { epoch: Epoch(3), session: session(3) },
        Answer::Refused {
            epoch: Epoch(3),
            session: session(3),
            error: WireError::from(&Error::invalid("no")),
        },
    ] {
        let error = groom.hear(answer).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict);
        assert!(error.message().contains("knows epoch 4"), "{error}");
    }
    assert!(groom.take_effects().is_empty());
    // It goes on with what it has, and says so to the later one.
    let Request::Register(registration) = groom.request(HostLoad::default()) else {
        unreachable!("another session")
    };
    assert_eq!((registration.epoch, registration.tasks.len()), (Epoch(4), 1));
}

#[test]
fn answers_of_other_sessions_and_impossible_ones_change_nothing() {
    let mut groom = ready(&[0]);
    groom.hear(Answer::Reregister { epoch: Epoch(1), session: session(1) }).unwrap();
    let Answer::Orders(mut other) = orders(0, 2, vec![What::Stop]) else { unreachable!("orders") };
    other.session = session(7);
    groom.hear(Answer::Orders(other)).unwrap();
    assert!(groom.take_effects().is_empty());
    assert_eq!(report(&mut groom).session, session(2));
    let wrong = orders(0, 2, vec![launch(&[3])]);
    assert_eq!(groom.hear(wrong).unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!(report(&mut groom).seen, 1);
    let refusal = WireError::from(&Error::new(ErrorKind::Unavailable, "there are too many"));
    let refused = Answer::Refused { epoch: Epoch(1), session: session(2), error: refusal };
    assert_eq!(groom.hear(refused).unwrap_err().message(), "there are too many");
    // Peers that never were, and a peer that listens nowhere.
    groom.ended(task(2), How::Killed, Arc::default());
    groom.ready(task(2), Vec::new());
    groom.superstep(task(2), 3);
    assert_eq!(report(&mut groom).tasks.len(), 1);
}
