//! Peers that arrive at a barrier before their work is done, and peers that help those who are not there yet.

use std::sync::{Arc, Barrier, LazyLock};
use std::time::{Duration, Instant};

use hama_core::testing::{in_time, run};
use hama_core::{
    BoxError, Context, ErrorKind, Flow, Inbox, LocalRunner, Outbox, Pool, SuperstepProgram, Supersteps,
};
use serde::{Deserialize, Serialize};

/// In every superstep each peer sends its index to all and arrives; in each but the first, what it then does has to
/// meet somebody else who is a superstep ahead.
#[derive(Serialize, Deserialize)]
struct Ahead;

/// Two of a job's three peers: one in superstep 1, one in superstep 2.
static APART: LazyLock<Barrier> = LazyLock::new(|| Barrier::new(2));

impl SuperstepProgram for Ahead {
    const NAME: &'static str = "ahead";
    type Message = usize;
    type State = Vec<usize>;
    type Output = Vec<usize>;

    fn init(&self, outbox: &mut Outbox<usize>) -> Result<Vec<usize>, BoxError> {
        send_to_all(outbox)?;
        outbox.arrive(Flow::Continue)?;
        Ok(Vec::new())
    }

    fn superstep(
        &self,
        received: &mut Vec<usize>,
        inbox: Inbox<usize>,
        outbox: &mut Outbox<usize>,
    ) -> Result<Flow, BoxError> {
        let superstep = outbox.superstep();
        received.extend(inbox.into_iter().map(|from| from.message));
        let flow = if superstep == 3 { Flow::Halt } else { Flow::Continue };
        if superstep < 3 {
            send_to_all(outbox)?;
        }
        outbox.arrive(flow)?;
        assert_eq!(
            outbox.arrive(flow).expect_err("it has arrived").kind(),
            ErrorKind::Invalid,
            "it has arrived"
        );
        let to = outbox.peer(0)?;
        assert_eq!(
            outbox.send(to, &0).expect_err("it has arrived").kind(),
            ErrorKind::Invalid,
            "it has said that it is done"
        );
        // It would wait for ever if peer 1 could not be in superstep 2 while peer 0 is in superstep 1.
        if outbox.count() > 1
            && (outbox.index() as u64, superstep) == (superstep - 1, superstep)
            && superstep < 3
        {
            APART.wait();
        }
        Ok(flow)
    }

    fn finish(&self, received: Vec<usize>, _: &Context) -> Result<Vec<usize>, BoxError> {
        Ok(received)
    }
}

fn send_to_all(outbox: &mut Outbox<usize>) -> Result<(), BoxError> {
    let (all, index): (Vec<_>, _) = (outbox.peers().collect(), outbox.index());
    outbox.send_many(&all, &index)?;
    Ok(())
}

#[test]
fn a_peer_that_has_arrived_is_not_waited_for() {
    for trial in run(&Supersteps(Ahead), [1, 2, 3]) {
        let everybody: Vec<usize> = (0..trial.peers).collect();
        for received in trial.result.unwrap().outputs {
            assert_eq!(received, everybody.repeat(3), "each superstep has its messages");
        }
    }
}

/// Peer 0 says one thing when it arrives and another when it ends the superstep.
#[derive(Serialize, Deserialize)]
struct Fickle;

impl SuperstepProgram for Fickle {
    const NAME: &'static str = "fickle";
    type Message = ();
    type State = ();
    type Output = ();

    fn init(&self, _: &mut Outbox<()>) -> Result<(), BoxError> {
        Ok(())
    }

    fn superstep(&self, (): &mut (), _: Inbox<()>, outbox: &mut Outbox<()>) -> Result<Flow, BoxError> {
        outbox.arrive(Flow::Halt)?;
        Ok(if outbox.index() == 0 { Flow::Continue } else { Flow::Halt })
    }

    fn finish(&self, (): (), _: &Context) -> Result<(), BoxError> {
        Ok(())
    }
}

#[test]
fn a_peer_ends_the_superstep_as_it_said_when_it_arrived() {
    for trial in run(&Supersteps(Fickle), [1, 2, 7]) {
        let error = trial.result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
        assert_eq!(error.place().unwrap().peer.index(), 0);
        assert!(error.to_string().contains("a vote to halt"), "{error}");
    }
}

/// Peer 0 offers tasks in superstep 1; the others are done at once, except where all offer some.
#[derive(Clone, Copy, Serialize, Deserialize)]
enum Offers {
    /// As many as there are peers, each of which needs all of the others to be done at the same time.
    Meeting,
    /// One that panics wherever it is done.
    Panicking,
    /// Four, of which it wants one.
    MoreThanItWants,
    /// Twenty by each peer, which offers others while it makes them.
    OfAll,
}

impl SuperstepProgram for Offers {
    const NAME: &'static str = "offers";
    type Message = ();
    type State = Vec<usize>;
    type Output = Vec<usize>;

    fn init(&self, _: &mut Outbox<()>) -> Result<Vec<usize>, BoxError> {
        Ok(Vec::new())
    }

    /// The state is the peers that have done the tasks.
    fn superstep(
        &self,
        done: &mut Vec<usize>,
        _: Inbox<()>,
        outbox: &mut Outbox<()>,
    ) -> Result<Flow, BoxError> {
        match self {
            Offers::OfAll => *done = offer_and_drop(outbox),
            _ if outbox.index() > 0 => {}
            Offers::Meeting => {
                let meeting = Arc::new(Barrier::new(outbox.count()));
                let mut offer = outbox.offer((0..outbox.count()).map(|_| {
                    let meeting = Arc::clone(&meeting);
                    move |context: &Context| {
                        meeting.wait();
                        context.add_work(1);
                        context.index()
                    }
                }));
                done.extend(std::iter::from_fn(|| offer.next(outbox)));
            }
            Offers::Panicking => {
                let _never: Option<()> = outbox.offer([|_: &Context| panic!("no such task")]).next(outbox);
            }
            Offers::MoreThanItWants => {
                let task = |context: &Context| {
                    context.add("done", 1);
                    context.index()
                };
                done.extend(outbox.offer([task; 4]).next(outbox));
            }
        }
        Ok(Flow::Halt)
    }

    fn finish(&self, done: Vec<usize>, _: &Context) -> Result<Vec<usize>, BoxError> {
        Ok(done)
    }
}

/// What twenty tasks of this peer give, ascending.
fn offer_and_drop(outbox: &mut Outbox<()>) -> Vec<usize> {
    let number = |number: usize| move |_: &Context| number;
    // One that is dropped takes its own tasks with it, and no others.
    let unwanted = outbox.offer((0..3).map(|_| number(usize::MAX)));
    let mut offer = outbox.offer((0..20).map(|task| {
        let inner = outbox.offer([number(task)]).next(outbox);
        number(100 * outbox.index() + inner.expect("it has a result"))
    }));
    drop(unwanted);
    let mut results: Vec<usize> = std::iter::from_fn(|| offer.next(outbox)).collect();
    results.sort_unstable();
    results
}

#[test]
fn peers_at_the_barrier_help_those_who_are_not_there() {
    for trial in run(&Supersteps(Offers::Meeting), [1, 2, 3, 7]) {
        let outcome = trial.result.unwrap();
        let mut done = outcome.outputs[0].clone();
        done.sort_unstable();
        assert_eq!(done, (0..trial.peers).collect::<Vec<_>>(), "each does one of them");
        for peer in 0..trial.peers {
            let work = outcome.records.iter().filter(|record| record.peer == peer).map(|record| record.work);
            assert_eq!(work.sum::<u64>(), 1, "it is booked for the peer that does it");
        }
    }
}

#[test]
fn a_task_that_panics_is_a_panic_of_the_peer_that_offers_it() {
    for trial in run(&Supersteps(Offers::Panicking), [1, 2, 7]) {
        let error = trial.result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Program, "{error}");
        assert_eq!(error.place().unwrap().peer.index(), 0);
        assert!(error.to_string().contains("no such task"), "{error}");
    }
}

#[test]
fn tasks_that_nobody_has_begun_go_with_their_offer() {
    for trial in run(&Supersteps(Offers::MoreThanItWants), [1, 2, 7]) {
        let outcome = trial.result.unwrap();
        assert_eq!(outcome.outputs[0].len(), 1);
        let done = outcome.counters["done"];
        assert!((1..=4).contains(&done), "{done}");
        if trial.peers == 1 {
            assert_eq!(done, 1);
        }
    }
}

#[test]
fn offers_of_all_peers_do_not_mix() {
    for trial in run(&Supersteps(Offers::OfAll), [1, 2, 3, 7]) {
        for (peer, results) in trial.result.unwrap().outputs.into_iter().enumerate() {
            assert_eq!(results, (0..20).map(|task| 100 * peer + task).collect::<Vec<_>>());
        }
    }
}

/// Peer 0 offers tasks without end; the job is killed meanwhile.
#[derive(Serialize, Deserialize)]
struct Endless;

impl SuperstepProgram for Endless {
    const NAME: &'static str = "endless";
    type Message = ();
    type State = ();
    type Output = ();

    fn init(&self, _: &mut Outbox<()>) -> Result<(), BoxError> {
        Ok(())
    }

    fn superstep(&self, (): &mut (), _: Inbox<()>, outbox: &mut Outbox<()>) -> Result<Flow, BoxError> {
        let task = |_| |_: &Context| std::thread::sleep(Duration::from_millis(5));
        let tasks = if outbox.index() == 0 { 100_000 } else { 0 };
        let mut offer = outbox.offer((0..tasks).map(task));
        while offer.next(outbox).is_some() {
            outbox.cancel().check()?;
        }
        Ok(Flow::Halt)
    }

    fn finish(&self, (): (), _: &Context) -> Result<(), BoxError> {
        Ok(())
    }
}

#[test]
fn a_job_that_is_killed_does_not_do_the_rest_of_its_tasks() {
    for peers in [1, 2, 7] {
        let job = LocalRunner::new(Pool::new(1 << 20)).run(&Supersteps(Endless)).submit(peers).unwrap();
        std::thread::sleep(Duration::from_millis(30));
        let start = Instant::now();
        job.kill();
        let error = in_time(move || job.wait()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Cancelled);
        // Those that do not return in 2 s would be left behind.
        assert!(start.elapsed() < Duration::from_millis(1900), "{:?}", start.elapsed());
    }
}
