//! What is dropped: values whose drop panics, and handles of jobs that nobody waits for.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use hama_core::testing::{TRANSPORTS, in_time, run};
use hama_core::{BoxError, Bsp, Cancel, ErrorKind, LocalRunner, Peer, Pool, Progress};
use serde::{Deserialize, Serialize};

/// Panics when it is dropped by a peer.
#[derive(Debug, Serialize, Deserialize)]
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        let is_peer = thread::current().name().is_some_and(|name| name.starts_with("peer-"));
        if is_peer && !thread::panicking() {
            panic!("dropped");
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
enum Drops {
    Program(Bomb),
    ProgramAfterPanic(Bomb),
    PanicPayload,
    Output,
}

impl Bsp for Drops {
    const NAME: &'static str = "drops";
    type Message = ();
    type Output = Option<Bomb>;

    fn bsp(&self, peer: &mut Peer<()>) -> Result<Option<Bomb>, BoxError> {
        match self {
            Drops::Program(_) => Ok(None),
            Drops::ProgramAfterPanic(_) => panic!("first"),
            Drops::PanicPayload => std::panic::panic_any(Bomb),
            Drops::Output if peer.index() == 0 => Err("peer 0 failed".into()),
            // Its return fails, so nobody takes this.
            Drops::Output => Ok(Some(Bomb)),
        }
    }
}

#[test]
fn a_drop_that_panics_ends_the_job() {
    for (program, says) in [
        (Drops::Program(Bomb), "program drops panicked: dropped"),
        (Drops::ProgramAfterPanic(Bomb), "program drops panicked: first"),
        (Drops::PanicPayload, "program drops panicked: without a message"),
        (Drops::Output, "program drops failed: peer 0 failed"),
    ] {
        for trial in run(&program, [1, 2, 3]) {
            let error = trial.result.expect_err("it panics");
            assert_eq!(error.kind(), ErrorKind::Program, "{error}");
            assert!(error.to_string().contains(says), "{error}");
            assert!(error.place().is_some(), "{error}");
        }
    }
}

/// Works until somebody asks for its end.
#[derive(Serialize, Deserialize)]
struct Works;

impl Bsp for Works {
    const NAME: &'static str = "works";
    type Message = ();
    type Output = ();

    fn bsp(&self, peer: &mut Peer<()>) -> Result<(), BoxError> {
        loop {
            peer.cancel().check()?;
            drop(peer.sync()?);
        }
    }
}

#[test]
fn a_job_without_a_handle_can_be_cancelled() {
    for transport in TRANSPORTS {
        let cancel = Cancel::new();
        let progress = Arc::new(Progress::new());
        let runner = LocalRunner::new(Pool::new(1 << 20)).with_transport(transport);
        let run = runner.run(&Works).cancel(cancel.clone()).progress(Arc::clone(&progress));
        drop(run.submit(3).unwrap());
        // Every peer holds the progress.
        assert_eq!(Arc::strong_count(&progress), 4);
        cancel.cancel();
        in_time(move || {
            while Arc::strong_count(&progress) > 1 {
                thread::sleep(Duration::from_millis(1));
            }
        });
    }
}
