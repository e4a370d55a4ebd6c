//! A single peer that is waited for at once runs on the calling thread, and fails as one on a thread of its own.

use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use hama_core::testing::{TRANSPORTS, in_time};
use hama_core::{BoxError, Bsp, Cancel, ErrorKind, LocalRunner, Peer, Pool};
use serde::{Deserialize, Serialize};

fn runner(transport: hama_core::TransportKind) -> LocalRunner {
    LocalRunner::new(Pool::new(1 << 20)).with_transport(transport)
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum Alone {
    /// Sends itself a message and says which thread it is on.
    SaysWhere,
    Fails,
    Panics,
    /// Panics when its output is dropped, which nobody takes because a message is unsent.
    PanicsLate,
    Endless,
    /// Is busy for [`BUSY`] before it syncs.
    Deaf,
}

const BUSY: Duration = Duration::from_millis(300);

/// Panics when it is dropped, where it is armed.
#[derive(Debug, Serialize, Deserialize)]
struct Output {
    thread: String,
    is_armed: bool,
}

impl Drop for Output {
    fn drop(&mut self) {
        if self.is_armed {
            std::panic::panic_any(7u8);
        }
    }
}

impl Bsp for Alone {
    const NAME: &'static str = "alone";
    type Message = u64;
    type Output = Output;

    fn bsp(&self, peer: &mut Peer<u64>) -> Result<Output, BoxError> {
        let me = peer.peer(0)?;
        let names = |id: ThreadId| format!("{id:?}");
        let mut output = Output { thread: names(thread::current().id()), is_armed: false };
        if matches!(self, Alone::Deaf) {
            thread::sleep(BUSY);
        }
        loop {
            peer.send(me, &3)?;
            let inbox = peer.sync()?;
            assert_eq!(inbox.into_iter().map(|received| received.message).sum::<u64>(), 3);
            match self {
                Alone::SaysWhere => return Ok(output),
                Alone::Fails => return Err("it did not work out".into()),
                Alone::Panics => panic!("out of luck"),
                Alone::PanicsLate => {
                    peer.send(me, &4)?;
                    output.is_armed = true;
                    return Ok(output);
                }
                Alone::Endless | Alone::Deaf => {}
            }
        }
    }
}

#[test]
fn it_runs_on_the_calling_thread() {
    for transport in TRANSPORTS {
        let outcome = runner(transport).run(&Alone::SaysWhere).peers(1).unwrap();
        assert_eq!(outcome.outputs[0].thread, format!("{:?}", thread::current().id()));
        assert_eq!(outcome.supersteps, 1);
        assert_eq!(outcome.records.len(), 2);
        let job = runner(transport).run(&Alone::SaysWhere).submit(1).unwrap();
        assert_ne!(job.wait().unwrap().outputs[0].thread, format!("{:?}", thread::current().id()));
    }
}

#[test]
fn what_goes_wrong_names_peer_and_superstep() {
    for transport in TRANSPORTS {
        for (program, kind, says) in [
            (Alone::Fails, ErrorKind::Program, "superstep 1: program alone failed: it did not work out"),
            (Alone::Panics, ErrorKind::Program, "superstep 1: program alone panicked: out of luck"),
            (Alone::PanicsLate, ErrorKind::Invalid, "superstep 1: 1 messages are unsent"),
        ] {
            let error = runner(transport).run(&program).peers(1).expect_err("it goes wrong");
            assert_eq!(error.kind(), kind, "{error}");
            assert!(error.to_string().starts_with("peer 0 on localhost in "), "{error}");
            assert!(error.to_string().contains(says), "{error}");
        }
    }
}

#[test]
fn it_can_be_cancelled() {
    for transport in TRANSPORTS {
        let (cancel, before) = (Cancel::new(), Cancel::new());
        let asked = cancel.clone();
        before.cancel();
        let error = in_time(move || {
            thread::spawn(move || {
                thread::sleep(Duration::from_millis(20));
                asked.cancel();
            });
            runner(transport).run(&Alone::Endless).cancel(cancel).peers(1).expect_err("it is cancelled")
        });
        assert_eq!(error.kind(), ErrorKind::Cancelled);
        assert!(error.to_string().contains("was cancelled in superstep "), "{error}");
        let error = runner(transport).run(&Alone::Endless).cancel(before).peers(1).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Cancelled);
    }
}

#[test]
fn it_is_waited_for_where_one_with_a_thread_is_left_behind() {
    let cancel = Cancel::new();
    cancel.cancel();
    let runner = runner(TRANSPORTS[0]).with_grace(Duration::from_millis(1)).with_cancel(cancel);
    let start = Instant::now();
    let error = runner.run(&Alone::Deaf).peers(1).expect_err("it is cancelled");
    assert!(start.elapsed() >= BUSY, "{:?}", start.elapsed());
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    assert!(!error.to_string().contains("still runs"), "{error}");
    let error = runner.run(&Alone::Deaf).submit(1).expect("it starts").wait().expect_err("it is cancelled");
    assert!(error.to_string().ends_with("peer 0 still runs after 1ms"), "{error}");
}
