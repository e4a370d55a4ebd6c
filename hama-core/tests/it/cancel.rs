//! The end of a job from outside: while its peers wait, while they compute, and when they do not listen.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use hama_core::testing::{TRANSPORTS, in_time};
use hama_core::{BoxError, Bsp, Cancel, Error, ErrorKind, JobHandle, LocalRunner, Peer, Pool};
use serde::{Deserialize, Serialize};

/// Never ends by itself.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum Endless {
    /// All peers sync for ever.
    Syncs,
    /// Peer 0 computes, the others wait for it.
    Computes,
    /// Peer 0 does not listen, the others wait for it.
    Ignores,
}

/// Lets the peers go that do not listen.
static IS_OVER: AtomicBool = AtomicBool::new(false);

impl Bsp for Endless {
    const NAME: &'static str = "endless";
    type Message = u64;
    type Output = ();

    fn bsp(&self, peer: &mut Peer<u64>) -> Result<(), BoxError> {
        loop {
            match self {
                Endless::Computes if peer.index() == 0 => loop {
                    peer.cancel().check()?;
                    thread::sleep(Duration::from_millis(1));
                },
                Endless::Ignores if peer.index() == 0 => {
                    while !IS_OVER.load(Ordering::SeqCst) {
                        thread::sleep(Duration::from_millis(1));
                    }
                }
                _ => {}
            }
            peer.send(peer.peer(0)?, &1)?;
            drop(peer.sync()?);
        }
    }
}

/// Starts it on every transport, ends it, and waits for the error.
fn ended(program: Endless, grace: Duration, end: impl Fn(&JobHandle<()>, &Cancel, &Cancel)) -> Vec<Error> {
    let ended = |transport| {
        let (all, one) = (Cancel::new(), Cancel::new());
        let runner = LocalRunner::new(Pool::new(1 << 20))
            .with_transport(transport)
            .with_cancel(all.clone())
            .with_grace(grace);
        let job = runner.run(&program).cancel(one.clone()).submit(3).expect("it starts");
        thread::sleep(Duration::from_millis(50));
        end(&job, &all, &one);
        in_time(|| job.wait()).expect_err("it never ends well")
    };
    TRANSPORTS.into_iter().map(ended).collect()
}

/// So the job is over when all peers have returned, and not before.
const NO_END: Duration = Duration::from_secs(3600);

#[test]
fn a_job_is_cancelled_by_its_own_request_or_by_the_runner_s() {
    for program in [Endless::Syncs, Endless::Computes] {
        let by_one = ended(program, NO_END, |_, _, one| one.cancel());
        let by_all = ended(program, NO_END, |_, all, _| all.cancel());
        for error in by_one.into_iter().chain(by_all) {
            assert_eq!(error.kind(), ErrorKind::Cancelled);
            assert!(error.to_string().contains("was cancelled in superstep "), "{error}");
        }
    }
}

#[test]
fn a_job_is_killed() {
    for program in [Endless::Syncs, Endless::Computes] {
        for error in ended(program, NO_END, |job, _, _| job.kill()) {
            assert_eq!(error.kind(), ErrorKind::Cancelled);
            assert!(error.to_string().contains("was killed in superstep "), "{error}");
        }
    }
}

#[test]
fn a_peer_that_does_not_listen_is_named_and_not_waited_for() {
    for error in ended(Endless::Ignores, Duration::from_millis(50), |job, _, _| job.kill()) {
        assert_eq!(error.kind(), ErrorKind::Cancelled);
        let text = error.to_string();
        assert!(text.contains("was killed in superstep 0; peer"), "{text}");
        // On a busy machine the others may be late too.
        let names_it = text.contains("peer 0 still runs") || text.contains("peers 0, ");
        assert!(names_it && text.ends_with(" after 50ms"), "{text}");
    }
    IS_OVER.store(true, Ordering::SeqCst);
}

#[test]
fn a_request_from_before_the_start_holds() {
    let cancel = Cancel::new();
    cancel.cancel();
    let runner = LocalRunner::new(Pool::new(1 << 20));
    let error = in_time(move || runner.run(&Endless::Syncs).cancel(cancel).peers(2)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
}

/// A program may end its own job.
#[derive(Serialize, Deserialize)]
struct EndsItself;

impl Bsp for EndsItself {
    const NAME: &'static str = "ends-itself";
    type Message = ();
    type Output = ();

    fn bsp(&self, peer: &mut Peer<()>) -> Result<(), BoxError> {
        if peer.index() == 1 {
            peer.cancel().cancel();
        }
        drop(peer.sync()?);
        Ok(())
    }
}

#[test]
fn a_program_ends_its_own_job() {
    for trial in hama_core::testing::run(&EndsItself, [2, 3, 7]) {
        assert_eq!(trial.result.unwrap_err().kind(), ErrorKind::Cancelled);
    }
}
