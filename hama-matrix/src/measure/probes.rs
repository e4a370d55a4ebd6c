//! The programs that measure the hosts of a cluster: each peer says what it did in which time.

use std::time::{Duration, Instant};

use hama_core::{BoxError, Bsp, Buffer, Error, Host, Peer};
use hama_hdfs::{ShardIndex, ShardRecord, ShardWriter, Table, TableRef, TableTarget};
use serde::{Deserialize, Serialize};

use super::kernel::{filled, multiply_by};
use crate::kernel::KernelId;
use crate::random::Seed;

/// Rows and columns of a tile that is written and read.
pub(super) const PROBE_TILE: u64 = 1024;
/// Rows and columns of the matrices that are multiplied: five of them lie beside the pool, in 40 MB.
const ROWS: usize = 1000;
/// How long the kernel is measured: products until then, one at least.
const KERNEL_TIME: Duration = Duration::from_millis(700);
/// How often what was written is read: the first time it may come from the disk.
const READS: usize = 3;

/// What a peer did, where, and how long that took.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Took {
    pub(super) host: Host,
    /// Floating-point operations, or bytes.
    pub(super) amount: f64,
    pub(super) time: Duration,
}

impl Took {
    pub(super) fn per_second(&self) -> f64 {
        self.amount / self.time.as_secs_f64().max(1e-9)
    }
}

/// Every peer multiplies in memory while all others do, by this kernel.
#[derive(Serialize, Deserialize)]
pub(crate) struct ComputeProbe {
    pub(super) kernel: KernelId,
}

impl Bsp for ComputeProbe {
    const NAME: &'static str = "probe-compute";
    type Message = ();
    type Output = Took;

    fn bsp(&self, peer: &mut Peer<()>) -> Result<Took, BoxError> {
        drop(peer.sync()?);
        let (start, mut best) = (Instant::now(), Duration::MAX);
        while best == Duration::MAX || start.elapsed() < KERNEL_TIME {
            best = best.min(multiply_by::<f64>(self.kernel, ROWS, 1, peer.cancel())?);
        }
        Ok(Took { host: peer.host().clone(), amount: 2.0 * (ROWS as f64).powi(3), time: best })
    }
}

/// Every peer writes the shard of its number, until it is durable.
#[derive(Serialize, Deserialize)]
pub(crate) struct WriteProbe {
    pub(super) target: TableTarget,
    pub(super) shards: Vec<ShardIndex>,
}

impl Bsp for WriteProbe {
    const NAME: &'static str = "probe-write";
    type Message = ();
    type Output = (Took, ShardRecord);

    fn bsp(&self, peer: &mut Peer<()>) -> Result<Self::Output, BoxError> {
        let shard = own(&self.shards, peer)?;
        // No disk can compress it.
        let tile: Buffer = filled::<f64>(peer.pool(), PROBE_TILE as usize, Seed(peer.index() as u64))?;
        drop(peer.sync()?);
        let start = Instant::now();
        let mut writer = ShardWriter::create(&self.target, shard, peer.host())?;
        for index in self.target.spec.tiles_of(shard) {
            peer.cancel().check()?;
            writer.write_tile(index, &tile)?;
        }
        let record = writer.finish()?;
        let took = Took { host: peer.host().clone(), amount: record.len as f64, time: start.elapsed() };
        Ok((took, record))
    }
}

/// Every peer reads the shard of its number; the best of three times.
#[derive(Serialize, Deserialize)]
pub(crate) struct ReadProbe {
    pub(super) table: TableRef,
    pub(super) shards: Vec<ShardIndex>,
}

impl Bsp for ReadProbe {
    const NAME: &'static str = "probe-read";
    type Message = ();
    type Output = Took;

    fn bsp(&self, peer: &mut Peer<()>) -> Result<Took, BoxError> {
        let (shard, table) = (own(&self.shards, peer)?, Table::open_ref(&self.table)?);
        let mut tile = peer.pool().take(table.spec().tile_bytes())?;
        let (mut bytes, mut best) = (0, Duration::MAX);
        for _ in 0..READS {
            drop(peer.sync()?);
            let start = Instant::now();
            bytes = 0;
            for index in table.spec().tiles_of(shard) {
                peer.cancel().check()?;
                table.read_tile(index, &mut tile)?;
                bytes += tile.len();
            }
            best = best.min(start.elapsed());
        }
        Ok(Took { host: peer.host().clone(), amount: bytes as f64, time: best })
    }
}

fn own(shards: &[ShardIndex], peer: &Peer<()>) -> Result<ShardIndex, Error> {
    let missing = || Error::internal(format!("there is no shard for peer {}", peer.index()));
    shards.get(peer.index()).copied().ok_or_else(missing)
}
