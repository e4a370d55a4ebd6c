//! How jobs end.

use super::*;
use crate::cluster::model::bounds::OUTPUT_BYTES_MAX;
use crate::cluster::model::error::WireError;
use crate::cluster::model::spec::tests::spec;
use crate::error::ErrorKind;

fn lost() -> How {
    How::Failed(WireError::from(&Error::new(ErrorKind::PeerLost, "a connection broke")))
}

#[test]
fn a_failure_ends_the_job_and_says_where() {
    let mut cluster = Cluster::new(&[("a", 2), ("b", 1)]);
    cluster.submit(1, spec(3)).unwrap();
    cluster.submit(2, spec(3)).unwrap();
    cluster.exchange();
    cluster.run(1);
    cluster.grooms.get_mut(&name("b")).unwrap().superstep(task(1, 2), 7);
    cluster.end(1, 2, How::Signalled { signal: 9 });
    cluster.exchange();
    assert_eq!((cluster.state(1), cluster.killed(1)), (JobState::Ending, vec![0, 1]));
    // Their slots are not free before they are gone.
    assert_eq!(cluster.state(2), JobState::Queued);
    cluster.end(1, 0, How::Signalled { signal: 15 });
    cluster.end(1, 1, How::Signalled { signal: 15 });
    cluster.exchange();
    let error = cluster.error(1);
    assert_eq!(error.kind(), ErrorKind::PeerLost);
    assert_eq!(error.to_string(), "peer 2 on b in superstep 7: the peer's process was ended by signal 9");
    assert_eq!(cluster.state(2), JobState::Starting);
}

#[test]
fn a_consequence_gives_way_to_its_cause_and_to_nothing_else() {
    let mut cluster = Cluster::new(&[("a", 3)]);
    cluster.submit(1, spec(3)).unwrap();
    cluster.exchange();
    cluster.run(1);
    cluster.end(1, 0, lost());
    cluster.exchange();
    cluster.end(1, 1, How::MemoryLimit { bytes: 9 });
    cluster.exchange();
    cluster.end(1, 2, How::Exited { code: 1 });
    cluster.exchange();
    let error = cluster.error(1);
    assert_eq!(error.kind(), ErrorKind::OutOfMemory);
    assert_eq!(error.place().unwrap().peer, PeerId::from_index(1));
}

#[test]
fn a_task_that_cannot_be_fetched_or_launched_fails_the_job() {
    let mut cluster = Cluster::new(&[("a", 1)]);
    cluster.submit(1, spec(1)).unwrap();
    let groom = name("a");
    let answer = {
        let request = cluster.grooms.get_mut(&groom).unwrap().request(HostLoad::default());
        cluster.master.hear(cluster.now, &request).unwrap();
        Answer::Orders(cluster.master.orders(&groom).unwrap())
    };
    let state = cluster.grooms.get_mut(&groom).unwrap();
    state.hear(answer).unwrap();
    let error = Error::new(ErrorKind::OutOfSpace, "cannot keep the executable");
    state.fetched(spec(1).executable, Err(WireError::from(&error)));
    cluster.exchange();
    assert_eq!(cluster.error(1).kind(), ErrorKind::OutOfSpace);
    assert_eq!(cluster.error(1).place().unwrap().host.name(), "a");
}

#[test]
fn jobs_are_killed_in_every_state() {
    for stage in 0..4 {
        let mut cluster = Cluster::new(&[("a", 1)]);
        cluster.submit(1, spec(1)).unwrap();
        cluster.submit(2, spec(1)).unwrap();
        if stage > 0 {
            cluster.exchange();
        }
        if stage > 1 {
            cluster.run(1);
        }
        if stage > 2 {
            cluster.keeps = true;
            cluster.finish(1);
        }
        cluster.master.kill(cluster.now, id(1), "enough").unwrap();
        cluster.master.kill(cluster.now, id(1), "really").unwrap();
        cluster.carry_out();
        cluster.exchange();
        if stage == 0 {
            // It was not even started.
            assert!(cluster.forked(1).is_empty() && cluster.killed(1).is_empty());
        } else {
            assert_eq!(cluster.state(1), JobState::Ending);
        }
        if stage == 1 || stage == 2 {
            assert_eq!(cluster.killed(1), [0]);
            cluster.end(1, 0, How::Signalled { signal: 9 });
            cluster.exchange();
        }
        if stage < 3 {
            assert_eq!(cluster.state(1), JobState::Killed { why: "enough".to_owned() });
        }
        cluster.exchange();
        assert_eq!(cluster.state(2), JobState::Starting);
    }
    // Waiting.
    let mut cluster = Cluster::new(&[("a", 1)]);
    cluster.submit(1, spec(1)).unwrap();
    cluster.submit(2, spec(1)).unwrap();
    cluster.submit(3, spec(1)).unwrap();
    cluster.master.kill(cluster.now, id(2), "enough").unwrap();
    cluster.carry_out();
    assert_eq!(cluster.state(2), JobState::Killed { why: "enough".to_owned() });
    assert!(cluster.history[&id(2)].peers.is_empty());
    assert_eq!(cluster.master.job(id(3)).unwrap().before, Some(0));
    assert_eq!(cluster.master.kill(cluster.now, id(2), "again").unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn peers_that_leave_too_much_fail_the_job() {
    let mut cluster = Cluster::new(&[("a", 17)]);
    cluster.submit(1, JobSpec { memory_bytes: 1 << 20, pool_bytes: 0, ..spec(17) }).unwrap();
    cluster.exchange();
    cluster.run(1);
    let output = vec![0; OUTPUT_BYTES_MAX];
    let returned = Arc::new(Returned { output, ..Returned::default() });
    for peer in 0..17 {
        cluster.end(1, peer, How::Returned(Arc::clone(&returned)));
        // A report carries one of them.
        cluster.exchange();
    }
    cluster.pass(5);
    let error = cluster.error(1);
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.message().contains("285212672 bytes"), "{error}");
}

#[test]
fn a_task_that_does_not_end_keeps_its_slot_and_not_its_job() {
    let mut cluster = Cluster::new(&[("a", 2)]);
    cluster.submit(1, spec(2)).unwrap();
    cluster.exchange();
    cluster.run(1);
    cluster.end(1, 0, How::Exited { code: 1 });
    cluster.pass(11);
    assert_eq!(cluster.error(1).kind(), ErrorKind::Program);
    assert_eq!(cluster.slots_taken(), 1);
    assert!(cluster.grooms.values().all(|groom| !groom.is_idle()));
    cluster.end(1, 1, How::Signalled { signal: 9 });
    cluster.exchange();
    assert_eq!(cluster.slots_taken(), 0);
    assert!(cluster.grooms.values().all(GroomState::is_idle));
}
