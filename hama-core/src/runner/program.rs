//! Programs by their names, for processes that are told which one to run.

use std::collections::BTreeMap;
use std::fmt;

use crate::bsp::Bsp;
use crate::error::Result;
use crate::message::codec;
use crate::metrics::SuperstepRecord;
use crate::peer::Seat;
use crate::runner::job::run_encoded;
use crate::runner::outcome::PeerOutcome;

/// A program that this executable can run as a peer; [`programs!`](crate::programs) lists them.
#[derive(Clone, Copy)]
pub struct Program {
    name: &'static str,
    run: fn(&[u8], Seat) -> Result<Left>,
}

/// What a peer leaves, with its output encoded.
#[derive(Debug)]
pub(crate) struct Left {
    pub(crate) output: Vec<u8>,
    pub(crate) counters: BTreeMap<&'static str, u64>,
    pub(crate) supersteps: u64,
    pub(crate) records: Vec<SuperstepRecord>,
}

impl Program {
    /// The program `P`.
    pub const fn of<P: Bsp>() -> Program {
        Program { name: P::NAME, run: run::<P> }
    }

    /// [`Bsp::NAME`].
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Runs a peer of the program, which is encoded in `bytes`, to its end.
    pub(crate) fn run(&self, bytes: &[u8], seat: Seat) -> Result<Left> {
        (self.run)(bytes, seat)
    }
}

fn run<P: Bsp>(bytes: &[u8], seat: Seat) -> Result<Left> {
    let PeerOutcome { output: value, counters, supersteps, records } = run_encoded::<P>(bytes, seat)?;
    let mut output = Vec::new();
    codec::encode(&value, &format!("the output of {}", P::NAME), &mut output)?;
    Ok(Left { output, counters, supersteps, records })
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Program({})", self.name)
    }
}

/// The programs that an executable can run as a peer of a cluster, by their types: `programs![PiEstimate, Supersteps<Largest>]`.
#[macro_export]
macro_rules! programs {
    ($($program:ty),* $(,)?) => {
        [$($crate::Program::of::<$program>()),*]
    };
}
