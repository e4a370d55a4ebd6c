//! Whole jobs over networks that lose, delay, double, reorder, damage and replay frames, with peers that die: by seed, in
//! virtual time, without socket, thread or clock.
//!
//! Peers run a program in supersteps as the framed transport would have them do. A peer that dies ends the attempt, and
//! the next one runs over the same network, where frames of the one before still fly. Whatever happens, the result is
//! that of the program without a network, or the attempt ends with a peer lost.

mod line;
mod node;
mod program;

use super::Violation;
use crate::ids::{JobId, PeerId};
use crate::pool::Pool;
use crate::transport::framed::faulty::Random;
use crate::transport::framed::header::Route;
use line::Line;
use node::{Node, Wrong};

const SUPERSTEPS: u64 = 4;
/// Turns of an attempt that does not hang.
const TURNS_MAX: u64 = 60_000;
/// Peers die in the first attempts only, so that a job ends.
const DEADLY_ATTEMPTS: u32 = 2;
const ATTEMPTS_MAX: u32 = 8;
const POOL_BYTES: usize = 64 << 20;

/// What a job went through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Simulated {
    /// Frames that were lost, late, doubled, overtaken, damaged or replayed.
    pub faults: u64,
    /// Peers that died.
    pub deaths: u64,
    /// Attempts until one was not ended by the loss of a peer.
    pub attempts: u64,
    /// Frames that were written again.
    pub repetitions: u64,
}

/// Runs a job over the network that `seed` makes, until an attempt succeeds.
///
/// # Errors
/// What should never be: a wrong result, a hang, a peer that is called a liar.
pub fn simulate(seed: u64) -> Result<Simulated, String> {
    Simulation::new(seed).run()
}

struct Simulation {
    random: Random,
    /// Of a hundred frames so many each are lost, late, damaged, doubled and replayed.
    rate: u64,
    /// Changes bytes and their checksum with them, as no network does: a test of this simulation.
    forges: bool,
    seed: u64,
    peers: usize,
    lines: Vec<Line>,
    pool: Pool,
    seen: Simulated,
}

/// How an attempt ended that did not go wrong.
enum Ended {
    Done(Vec<u64>),
    /// A peer was lost.
    Lost,
}

impl Simulation {
    fn new(seed: u64) -> Simulation {
        let mut random = Random(seed);
        let peers = 2 + random.below(3) as usize;
        Simulation {
            rate: random.below(16),
            forges: false,
            seed,
            peers,
            lines: (0..peers * peers).map(|_| Line::default()).collect(),
            pool: Pool::new(POOL_BYTES),
            seen: Simulated::default(),
            random,
        }
    }

    fn run(&mut self) -> Result<Simulated, String> {
        let expected = program::without_network(self.seed, self.peers, SUPERSTEPS);
        for attempt in 0..ATTEMPTS_MAX {
            self.seen.attempts += 1;
            let Ended::Done(states) = self.attempt(attempt)? else { continue };
            if states != expected {
                return Err(format!("peers computed {states:x?}, and it is {expected:x?}"));
            }
            self.seen.faults = self.lines.iter().map(|line| line.faults).sum();
            return Ok(self.seen);
        }
        Err(format!("{ATTEMPTS_MAX} attempts lost a peer"))
    }

    fn attempt(&mut self, attempt: u32) -> Result<Ended, String> {
        let mut nodes: Vec<Node> = (0..self.peers).map(|me| self.node(me, attempt)).collect();
        let death = (attempt < DEADLY_ATTEMPTS && self.random.below(2) == 0)
            .then(|| (self.random.below(150), self.random.below(self.peers as u64) as usize));
        let mut dead = None;
        for turn in 0..TURNS_MAX {
            if let Some((at, who)) = death
                && at == turn
            {
                dead = Some(who);
                self.seen.deaths += 1;
            }
            match self.turn(turn, &mut nodes, dead) {
                Ok(()) => {}
                Err(Wrong::Lost(violation)) => {
                    return match violation {
                        Violation::Unanswered { .. } | Violation::Damaged { .. } => Ok(Ended::Lost),
                        liar => Err(format!("an honest peer is called a liar: {liar}")),
                    };
                }
                Err(Wrong::Result(message)) => return Err(message),
            }
            if nodes.iter().all(Node::is_done) {
                self.seen.repetitions += nodes.iter().map(Node::repetitions).sum::<u64>();
                return Ok(Ended::Done(nodes.iter().map(Node::result).collect()));
            }
            // Those who wait at the barrier have a way of their own to notice.
            if dead.is_some_and(|dead| all_but(dead, &nodes, Node::is_at_barrier)) {
                return Ok(Ended::Lost);
            }
        }
        Err(format!("attempt {attempt} hangs: after {TURNS_MAX} turns its peers are {:?}", phases(&nodes)))
    }

    fn node(&self, me: usize, attempt: u32) -> Node {
        let me = PeerId::from_index(me as u32);
        // A master that comes back has a later epoch, and may count attempts anew.
        let (attempt, epoch) =
            if self.seed.is_multiple_of(2) { (attempt, 1) } else { (0, u64::from(attempt)) };
        let job = JobId::from_bytes([9; 16]);
        let route = Route { job, attempt, epoch, sender: me, destination: me };
        Node::new(route, self.peers, program::start(self.seed, me.index()), self.pool.clone())
    }

    /// Every peer that lives does a little; on every line a frame may arrive. Where nothing moves, time passes until
    /// what was not acknowledged is sent again.
    fn turn(&mut self, turn: u64, nodes: &mut [Node], dead: Option<usize>) -> Result<(), Wrong> {
        let peers = nodes.len();
        let opened = nodes.iter().map(Node::arrived_at).min().unwrap_or_default();
        for me in (0..peers).filter(|me| Some(*me) != dead) {
            nodes[me].work(opened, SUPERSTEPS, &mut self.random)?;
            for other in (0..peers).filter(|other| *other != me) {
                nodes[me].write(other, &mut self.lines[me * peers + other].flying);
            }
        }
        let mut arrivals = 0;
        for (from, to) in (0..peers).flat_map(|from| (0..peers).map(move |to| (from, to))) {
            let line = &mut self.lines[from * peers + to];
            let Some(mut frame) = line.arrive(&mut self.random, self.rate, turn) else { continue };
            arrivals += 1;
            if self.forges {
                line::forge(&mut frame, &mut self.random);
            }
            if Some(to) != dead {
                nodes[to].read(from, &frame)?;
            }
        }
        // What arrives is acknowledged in the next turn.
        if arrivals == 0 && self.lines.iter().all(Line::is_still) {
            let live = nodes.iter_mut().enumerate().filter(|(me, _)| Some(*me) != dead);
            live.map(|(_, node)| node).try_for_each(Node::repeat)?;
        }
        Ok(())
    }
}

fn all_but(dead: usize, nodes: &[Node], is: impl Fn(&Node) -> bool) -> bool {
    nodes.iter().enumerate().all(|(me, node)| me == dead || is(node))
}

fn phases(nodes: &[Node]) -> Vec<(u64, bool)> {
    nodes.iter().map(|node| (node.arrived_at(), node.is_at_barrier())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_network_and_no_death_changes_a_result() {
        let mut all = Simulated::default();
        for seed in 0..3000 {
            let seen = simulate(seed).unwrap_or_else(|message| unreachable!("simulate({seed}): {message}"));
            all.faults += seen.faults;
            all.deaths += seen.deaths;
            all.attempts += seen.attempts - 1;
            all.repetitions += seen.repetitions;
        }
        // Tests in which nothing happened prove nothing.
        assert!(all.faults > 100_000 && all.deaths > 1000 && all.attempts > 500, "{all:?}");
        assert!(all.repetitions > 10_000, "{all:?}");
    }

    #[test]
    fn a_seed_replays() {
        for seed in 0..50 {
            assert_eq!(simulate(seed), simulate(seed));
        }
    }

    #[test]
    fn a_good_network_needs_no_repetition() {
        for seed in 0..50 {
            let mut simulation = Simulation { rate: 0, ..Simulation::new(seed) };
            // Attempts from here on have no deaths.
            let Ok(Ended::Done(states)) = simulation.attempt(DEADLY_ATTEMPTS) else {
                unreachable!("seed {seed}: nothing was in its way")
            };
            assert_eq!(states, program::without_network(seed, simulation.peers, SUPERSTEPS));
            assert_eq!(simulation.seen.repetitions, 0, "seed {seed}");
            assert!(simulation.lines.iter().all(|line| line.faults == 0));
        }
    }

    #[test]
    fn bytes_that_are_changed_with_their_checksum_are_found_by_the_simulation() {
        let found = (0..50).filter(|seed| {
            let mut simulation = Simulation { forges: true, ..Simulation::new(*seed) };
            simulation.run().is_err()
        });
        assert!(found.count() > 25, "a simulation that cannot fail proves nothing");
    }
}
