//! The programs of the jobs that the tests run.

use std::time::Duration;

use hama_core::{BoxError, Bsp, Peer, Program, programs};
use serde::{Deserialize, Serialize};

/// All of them, for the processes of peers.
pub(crate) fn all() -> Vec<Program> {
    [hama::cluster::programs(), programs![Ring, Fails, Swap, Hoard, Talks].to_vec()].concat()
}

/// Peers pass numbers round: in each superstep each sends what it has to the next.
#[derive(Serialize, Deserialize)]
pub(crate) struct Ring {
    pub(crate) supersteps: u64,
    pub(crate) pause: Duration,
}

impl Bsp for Ring {
    const NAME: &'static str = "ring";
    type Message = u64;
    type Output = (u64, String);

    fn bsp(&self, peer: &mut Peer<u64>) -> Result<(u64, String), BoxError> {
        println!("peer {} of {} is here", peer.index(), peer.count());
        let next = peer.peer((peer.index() + 1) % peer.count())?;
        let mut has = peer.index() as u64;
        for _ in 0..self.supersteps {
            std::thread::sleep(self.pause);
            peer.send(next, &has)?;
            let inbox = peer.sync()?;
            has = inbox.into_iter().next().ok_or("nobody sent")?.message + 1;
            peer.add("passed", 1);
        }
        Ok((has, peer.host().name().to_owned()))
    }
}

/// What a peer does that does not return.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Fault {
    Error,
    Panic,
    Exit,
    Kill,
    Memory,
    /// It counts more than can be kept, and returns.
    Counters,
}

/// One peer fails in a superstep.
#[derive(Serialize, Deserialize)]
pub(crate) struct Fails {
    pub(crate) peer: usize,
    pub(crate) superstep: u64,
    pub(crate) fault: Fault,
}

impl Bsp for Fails {
    const NAME: &'static str = "fails";
    type Message = ();
    type Output = ();

    fn bsp(&self, peer: &mut Peer<()>) -> Result<(), BoxError> {
        loop {
            if peer.index() == self.peer && peer.superstep() == self.superstep {
                println!("now it fails: {:?}", self.fault);
                match self.fault {
                    Fault::Error => return Err("this is wrong".into()),
                    Fault::Panic => unreachable!("this is worse"),
                    Fault::Exit => std::process::exit(9),
                    Fault::Kill => drop(kill_myself()),
                    Fault::Memory => grow(),
                    Fault::Counters => {
                        (0..300).for_each(|n| peer.add(Box::leak(format!("c{n}").into_boxed_str()), 1));
                        // So long that it is told before the peer returns.
                        std::thread::sleep(Duration::from_millis(700));
                        return Ok(());
                    }
                }
            }
            if self.fault == Fault::Counters && peer.superstep() == self.superstep {
                // Its last superstep ends for all.
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(5));
            drop(peer.sync()?);
        }
    }
}

fn kill_myself() -> std::io::Result<std::process::ExitStatus> {
    std::process::Command::new("kill").args(["-9", &std::process::id().to_string()]).status()
}

/// Takes memory bit by bit until somebody ends it.
fn grow() {
    let mut all: Vec<Vec<u8>> = Vec::new();
    loop {
        all.push(vec![1; 8 << 20]);
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// In each superstep each peer sends each other one many numbers and a payload, and looks at what it is sent.
#[derive(Serialize, Deserialize)]
pub(crate) struct Swap {
    pub(crate) supersteps: u64,
    pub(crate) payload_bytes: usize,
}

/// So many numbers go with each payload.
const NUMBERS: u64 = 2000;

impl Swap {
    /// What a peer sends in a superstep.
    fn sends(peer: usize, superstep: u64) -> impl Iterator<Item = u64> {
        (0..).map(move |i: u64| {
            (i ^ superstep << 20 ^ (peer as u64) << 40).wrapping_mul(0x9e37_79b9_7f4a_7c15)
        })
    }
}

impl Bsp for Swap {
    const NAME: &'static str = "swap";
    type Message = Vec<u64>;
    type Output = u64;

    fn bsp(&self, peer: &mut Peer<Vec<u64>>) -> Result<u64, BoxError> {
        let me = peer.index();
        let others: Vec<_> = peer.peers().filter(|other| other.index() != me).collect();
        let mut sum = 0_u64;
        for superstep in 0..self.supersteps {
            let mut payload = peer.pool().take(self.payload_bytes / 8 * 8)?;
            for (to, number) in payload.elements_mut::<u64>().iter_mut().zip(Swap::sends(me, superstep)) {
                *to = number;
            }
            let numbers: Vec<u64> = Swap::sends(me, superstep).take(NUMBERS as usize).collect();
            peer.send_many_with(&others, &numbers, &payload.freeze())?;
            let inbox = peer.sync()?;
            if inbox.len() != others.len() {
                return Err(format!("{} of {} have sent", inbox.len(), others.len()).into());
            }
            for received in inbox {
                let payload = received.payload.ok_or("a payload is lost")?;
                let from = received.from.index();
                let are_right = |found: &[u64]| {
                    found.iter().zip(Swap::sends(from, superstep)).all(|(found, sent)| *found == sent)
                };
                if !are_right(&received.message) || !are_right(payload.elements()) {
                    return Err(format!("what peer {from} sent in superstep {superstep} is not this").into());
                }
                let numbers = received.message.iter().chain(payload.elements::<u64>());
                sum = numbers.fold(sum, |sum, number| sum.rotate_left(1) ^ number);
            }
        }
        Ok(sum)
    }
}

/// Each peer sends each other one so many payloads in one superstep.
#[derive(Serialize, Deserialize)]
pub(crate) struct Hoard {
    pub(crate) payloads: u64,
    pub(crate) bytes: usize,
}

impl Bsp for Hoard {
    const NAME: &'static str = "hoard";
    type Message = u64;
    type Output = usize;

    fn bsp(&self, peer: &mut Peer<u64>) -> Result<usize, BoxError> {
        let others: Vec<_> = peer.peers().filter(|other| other.index() != peer.index()).collect();
        let payload = peer.pool().take(self.bytes)?.freeze();
        for number in 0..self.payloads {
            peer.send_many_with(&others, &number, &payload)?;
        }
        Ok(peer.sync()?.len())
    }
}

/// Each peer prints so much.
#[derive(Serialize, Deserialize)]
pub(crate) struct Talks {
    pub(crate) bytes: usize,
}

impl Bsp for Talks {
    const NAME: &'static str = "talks";
    type Message = ();
    type Output = ();

    fn bsp(&self, peer: &mut Peer<()>) -> Result<(), BoxError> {
        for line in 0..self.bytes / 100 {
            println!("{line:099}");
        }
        drop(peer.sync()?);
        Ok(())
    }
}
