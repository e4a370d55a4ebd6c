//! Checks every stored byte of a table against its checksums: the peers have the shards, the client the rest.

use std::time::Instant;

use hama_core::{BoxError, Bsp, Error, ErrorKind, Peer, Pool, Result};
use hama_hdfs::{CheckReport, Table, TableRef};
use serde::{Deserialize, Serialize};

use crate::hama::Hama;
use crate::shares::{Divided, divided, lots};
use crate::source::Source;
use crate::told::Told;

/// Reads every byte of a table and of its placed copy, and compares it with what was written: as
/// [`Table::check`], by all peers, each near the shards that it reads.
///
/// # Cost
/// Reads the table once; a tile of memory a peer, with as many of the peers as the memory allows. No superstep.
///
/// # Errors
/// `OutOfMemory` where a tile does not fit, `Cancelled`, and those of a job. Damage is no error of the check, nor is what
/// cannot be read: both are in the report.
pub fn check(hama: &Hama, table: &Table) -> Result<CheckReport> {
    let hama = &hama.reaching(&[&Source::Table(table.clone())]);
    table.check_with(|copy| {
        let mut shards = lots(hama, table, |number| Some(Shard { of_copy: false, number }))?;
        if let Some(copy) = copy {
            shards.extend(lots(hama, copy, |number| Some(Shard { of_copy: true, number }))?);
        }
        let held = Pool::cost(table.check_buffer_bytes()) as u64;
        let peers = hama.peers_for(table.name().as_str(), table.spec(), held, shards.len())?;
        let Divided { shares, preferred } = divided(hama, &shards, peers)?;
        let _turn = hama.turn()?;
        let program = CheckShards { table: table.to_ref(), shares };
        let outcome = hama.run(&program).preferred(preferred).peers(peers).map_err(|e| hama.said(e))?;
        Ok(merged(outcome.outputs))
    })
}

/// A shard of a table, or of its placed copy, in the order of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Shard {
    of_copy: bool,
    number: usize,
}

/// The program: each peer reads the shards of its share, in their order.
#[derive(Serialize, Deserialize)]
pub(crate) struct CheckShards {
    table: TableRef,
    shares: Vec<Vec<Shard>>,
}

/// What a peer found.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Found {
    /// Of the table, and of its copy.
    counts: [Counts; 2],
    faults: Vec<(Shard, Told)>,
    unreachable: Vec<(Shard, Told)>,
}

/// What was read.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Counts {
    bytes: u64,
    tiles: u64,
}

impl Bsp for CheckShards {
    const NAME: &'static str = "check";
    type Message = ();
    type Output = Found;

    fn bsp(&self, peer: &mut Peer<()>) -> std::result::Result<Found, BoxError> {
        let own = self.shares.get(peer.index()).map_or(&[][..], Vec::as_slice);
        let [first, ..] = own else { return Ok(Found::default()) };
        let (table, copy) = match self.open(own) {
            Ok(opened) => opened,
            // What the others find is told, too.
            Err(error) if error.kind() == ErrorKind::Unavailable => {
                return Ok(Found::unopened(*first, own.len(), &error));
            }
            Err(error) => return Err(error.into()),
        };
        let mut buffer = peer.pool().take(table.check_buffer_bytes())?;
        let mut found = Found::default();
        for shard in own {
            let of = if shard.of_copy { copy.as_ref() } else { Some(&table) };
            let of = of.ok_or_else(|| format!("table {} has no placed copy any more", table.name()))?;
            let start = Instant::now();
            let report =
                of.check_shard(shard.number, &mut buffer, &|bytes| peer.progress(bytes), peer.cancel())?;
            peer.add_read(start.elapsed(), report.bytes);
            found.add(*shard, report);
        }
        Ok(found)
    }
}

impl CheckShards {
    /// The table, and its placed copy where shards of that are to be read.
    fn open(&self, own: &[Shard]) -> Result<(Table, Option<Table>)> {
        let table = Table::open_ref(&self.table)?;
        let copy = if own.iter().any(|shard| shard.of_copy) { table.any_copy()? } else { None };
        Ok((table, copy))
    }
}

impl Found {
    /// Of a peer that could not open the table for its shards.
    fn unopened(first: Shard, count: usize, error: &Error) -> Found {
        let message =
            format!("{count} shards were not read, since their peer cannot open the table: {error}");
        let told = Error::new(ErrorKind::Unavailable, message).into();
        Found { unreachable: vec![(first, told)], ..Found::default() }
    }

    fn add(&mut self, shard: Shard, report: CheckReport) {
        let counts = &mut self.counts[usize::from(shard.of_copy)];
        counts.bytes += report.bytes;
        counts.tiles += report.tiles;
        for (list, errors) in [(&mut self.faults, report.faults), (&mut self.unreachable, report.unreachable)]
        {
            list.extend(errors.into_iter().map(|error| (shard, Told::from(error))));
            // The first of all peers are among the first of each.
            list.truncate(CheckReport::LISTED_MAX);
        }
    }
}

/// What all peers found in the shards of the table, and in those of its copy, in the order of the shards.
fn merged(outputs: Vec<Found>) -> (CheckReport, CheckReport) {
    let mut counts = [Counts::default(); 2];
    let (mut faults, mut unreachable) = (Vec::new(), Vec::new());
    for found in outputs {
        for (sum, part) in counts.iter_mut().zip(found.counts) {
            *sum = Counts { bytes: sum.bytes + part.bytes, tiles: sum.tiles + part.tiles };
        }
        faults.extend(found.faults);
        unreachable.extend(found.unreachable);
    }
    let of = |list: &[(Shard, Told)], of_copy| {
        let mut own: Vec<_> = list.iter().filter(|(shard, _)| shard.of_copy == of_copy).cloned().collect();
        own.sort_by_key(|(shard, _)| *shard);
        own.into_iter().take(CheckReport::LISTED_MAX).map(|(_, told)| told.into()).collect()
    };
    let report = |of_copy: bool| {
        let Counts { bytes, tiles } = counts[usize::from(of_copy)];
        CheckReport { bytes, tiles, faults: of(&faults, of_copy), unreachable: of(&unreachable, of_copy) }
    };
    (report(false), report(true))
}
