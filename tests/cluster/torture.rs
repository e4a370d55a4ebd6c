//! What breaks at moments that nobody has chosen: rounds of jobs in which a peer, a groom or the master is killed or frozen.
//! Each job ends as it has to, in time, and leaves nothing; the next one runs.

use std::process::{Command, ExitCode};
use std::thread;
use std::time::{Duration, Instant};

use hama_core::testing::Random;
use hama_core::testing::cluster::mistreat::MISTREATMENTS;
use hama_core::{ClusterRunner, ErrorKind, Outcome, Result};
use xtask::zookeeper::ZooKeeper;

use crate::fleet::{Fit, Fleet, SLACK, peers_of};
use crate::jobs::{MIB, ring};
use crate::programs::Ring;
use crate::{Test, links, one, own};

pub(crate) const TESTS: &[Test] = &[("a_few_rounds", a_few_rounds)];

/// The word that starts this program as the set of `cargo xtask torture`.
pub(crate) const LONG: &str = "long";

const PEERS: usize = 3;
const SUPERSTEPS: u64 = 400;
/// How soon what has happened is seen.
const SEEN: Duration = Duration::from_secs(10);

/// What breaks.
#[derive(Clone, Copy, Debug)]
enum Break {
    Peer,
    FreezePeer,
    Groom,
    Master,
    Link,
    Nothing,
}

const BREAKS: [Break; 6] =
    [Break::Peer, Break::FreezePeer, Break::Groom, Break::Master, Break::Link, Break::Nothing];

fn a_few_rounds() {
    let mut random = Random(7);
    let mut rounds = Rounds::new(&one().connect_string());
    for broken in [Break::Peer, Break::Link, Break::Master, Break::Groom] {
        rounds.round(broken, &mut random).unwrap();
    }
}

/// Rounds until the time is over; prints what they found.
pub(crate) fn long(arguments: &[String]) -> ExitCode {
    let [seed, minutes, ..] = arguments else { return ExitCode::FAILURE };
    let (seed, minutes): (u64, f64) = (seed.parse().unwrap(), minutes.parse().unwrap());
    let zookeeper: ZooKeeper = own(1);
    let (mut random, end) = (Random(seed), Instant::now() + Duration::from_secs_f64(minutes * 60.0));
    let mut rounds = Rounds::new(&zookeeper.connect_string());
    let (mut counts, mut findings) = ([0_u32; BREAKS.len()], 0);
    while Instant::now() < end {
        let which = random.below(BREAKS.len() as u64) as usize;
        counts[which] += 1;
        if let Err(what) = rounds.round(BREAKS[which], &mut random) {
            println!("cluster   FINDING: {:?}: {what}", BREAKS[which]);
            findings += 1;
            rounds = Rounds::new(&zookeeper.connect_string());
        }
    }
    let rows: Vec<String> =
        BREAKS.iter().zip(counts).map(|(what, count)| format!("{what:?} {count}")).collect();
    println!("cluster   {} rounds: {}, {findings} findings", counts.iter().sum::<u32>(), rows.join(", "));
    drop(rounds);
    if findings == 0 && zookeeper.stop().is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

struct Rounds {
    fleet: Fleet,
}

impl Rounds {
    fn new(zookeeper: &str) -> Rounds {
        Rounds { fleet: Fleet::start(zookeeper, &Fit::default()) }
    }

    /// Runs a job, breaks something at some moment, and says what is not as it has to be.
    fn round(&mut self, broken: Break, random: &mut Random) -> std::result::Result<(), String> {
        let runner = self.fleet.runner();
        if let Break::Link = broken {
            mistreat(&runner, random)?;
            return self.goes_on();
        }
        let pause = Duration::from_millis(random.below(4));
        let job = thread::spawn(move || {
            runner.run(&Ring { supersteps: SUPERSTEPS, pause }).pool_bytes(MIB).peers(PEERS)
        });
        // Before it starts, while it does, or while it runs.
        thread::sleep(Duration::from_millis(random.below(700)));
        let at = Instant::now();
        let victim = format!("g{}", random.below(2));
        let has_broken = self.break_it(broken, &victim);
        let ended = job.join().unwrap();
        let took = at.elapsed();
        judge(broken, has_broken, &ended, took)?;
        if let Break::Groom = broken {
            self.fleet.restart_groom(&victim);
        }
        self.goes_on()
    }

    /// Nothing is left, and the next job runs.
    fn goes_on(&self) -> std::result::Result<(), String> {
        self.fleet.wait_for_grooms(2);
        self.fleet.is_clean();
        let next = self.fleet.runner().run(&ring(3)).pool_bytes(MIB).peers(4);
        next.map(drop).map_err(|error| format!("the next job does not run: {error}"))
    }

    /// Says whether there was something to break.
    fn break_it(&mut self, broken: Break, groom: &str) -> bool {
        match broken {
            Break::Peer => signal_a_peer(&self.fleet, groom, "-KILL"),
            Break::FreezePeer => {
                let has_frozen = signal_a_peer(&self.fleet, groom, "-STOP");
                // Nobody can tell one that is frozen from one that computes: who waits for it kills the job.
                thread::sleep(Duration::from_millis(200));
                let jobs = self.fleet.cluster().jobs().unwrap();
                for job in jobs.into_iter().filter(|job| job.kind.is_none() && job.state != "succeeded") {
                    // It may have ended meanwhile.
                    let _ = self.fleet.cluster().kill(job.id, "a peer is frozen");
                }
                has_frozen
            }
            Break::Groom => {
                self.fleet.groom(groom).kill();
                true
            }
            Break::Master => {
                self.fleet.master().kill();
                self.fleet.restart_master();
                true
            }
            Break::Link | Break::Nothing => false,
        }
    }
}

/// Something happens to one of the frames between two hosts: the job ends as if nothing had, or fails by name in time.
fn mistreat(runner: &ClusterRunner, random: &mut Random) -> std::result::Result<(), String> {
    let what = MISTREATMENTS[random.below(MISTREATMENTS.len() as u64) as usize];
    let (which, at) = (random.below(60), Instant::now());
    let says = |said: String| Err(format!("{what} of frame {which} after {:?}: {said}", at.elapsed()));
    match links::swap(runner, what, which) {
        // The program looks at all that it is sent.
        Ok(outcome) if outcome.outputs.len() == 2 => Ok(()),
        Ok(outcome) => says(format!("{} peers have returned", outcome.outputs.len())),
        Err(error) if ![ErrorKind::PeerLost, ErrorKind::Data].contains(&error.kind()) => {
            says(format!("told as something else: {error}"))
        }
        Err(_) if at.elapsed() > SEEN + SLACK => says("it was seen late".to_owned()),
        Err(_) => Ok(()),
    }
}

/// Whether a job has ended as it has to.
fn judge(
    broken: Break,
    has_broken: bool,
    ended: &Result<Outcome<(u64, String)>>,
    took: Duration,
) -> std::result::Result<(), String> {
    let says = |what: &str| {
        Err(format!("{what} after {took:?}: {:?}", ended.as_ref().err().map(ToString::to_string)))
    };
    match (broken, ended) {
        // It may have been over, or have had no peer there.
        (_, Ok(outcome)) => {
            if outcome.supersteps == SUPERSTEPS {
                Ok(())
            } else {
                says("a job ended well too early")
            }
        }
        (Break::Nothing | Break::Master | Break::Link, Err(_)) => says("a job failed for nothing"),
        (Break::Peer, Err(_)) if !has_broken => says("a job failed for nothing"),
        (Break::Peer, Err(error)) => {
            if error.kind() != ErrorKind::PeerLost || error.place().is_none() {
                return says("the death of a peer is told as something else");
            }
            if took > Duration::from_secs(2) + SLACK { says("it was seen late") } else { Ok(()) }
        }
        (Break::FreezePeer, Err(error)) => {
            if error.kind() == ErrorKind::Cancelled {
                Ok(())
            } else {
                says("a kill is told as something else")
            }
        }
        (Break::Groom, Err(error)) => {
            if ![ErrorKind::PeerLost, ErrorKind::Unavailable].contains(&error.kind()) {
                return says("the death of a groom is told as something else");
            }
            if took > SEEN + SLACK { says("it was seen late") } else { Ok(()) }
        }
    }
}

/// Sends a signal to a process of a peer of a groom, if it has one that is not over by then.
fn signal_a_peer(fleet: &Fleet, groom: &str, signal: &str) -> bool {
    let peer = peers_of(&fleet.tasks(groom)).into_iter().next();
    peer.is_some_and(|peer| {
        Command::new("kill").args([signal, &peer.to_string()]).status().unwrap().success()
    })
}
