//! The program that puts a matrix into a region of another one.

use hama_core::{BoxError, Bsp, Peer, Pool, Result};
use hama_hdfs::{ElementType, ShardIndex, ShardRecord, Table, TableRef, TableSpec, TableTarget};
use serde::{Deserialize, Serialize};

use super::region::Region;
use crate::dense::{DenseMatrix, read_region};
use crate::fill::HELD_TILES;
use crate::scalar::Scalar;
use crate::source::{Source, SourceRef};
use crate::write_behind::WriteBehind;

/// Each peer reads the shards of its share, puts the part of the region that they have in, and writes them anew.
#[derive(Serialize, Deserialize)]
pub(crate) struct Put {
    /// As it is.
    table: TableRef,
    /// What goes to the region, which has its shape.
    source: SourceRef,
    transposed: bool,
    region: Region,
    target: TableTarget,
    shares: Vec<Vec<ShardIndex>>,
}

impl Bsp for Put {
    const NAME: &'static str = "update";
    type Message = ();
    type Output = Vec<ShardRecord>;

    fn bsp(&self, peer: &mut Peer<()>) -> std::result::Result<Vec<ShardRecord>, BoxError> {
        let own = self.shares.get(peer.index()).map_or(&[][..], Vec::as_slice);
        if own.is_empty() {
            return Ok(Vec::new());
        }
        Ok(match self.target.spec.element {
            ElementType::F64 => self.put::<f64>(peer, own),
            ElementType::F32 => self.put::<f32>(peer, own),
        }?)
    }
}

impl Put {
    pub(super) fn new<T: Scalar>(
        table: &Table,
        source: &DenseMatrix<T>,
        region: Region,
        target: TableTarget,
        shares: Vec<Vec<ShardIndex>>,
    ) -> Put {
        let (transposed, source) = (source.is_transposed(), source.source().to_ref());
        Put { table: table.to_ref(), source, transposed, region, target, shares }
    }

    /// What a peer holds: the tiles that wait to be written, one of the source, and what reading that takes.
    pub(super) fn peer_bytes(spec: &TableSpec, source: &Source) -> u64 {
        let tile = |spec: &TableSpec| Pool::cost(spec.tile_bytes()) as u64;
        (HELD_TILES * tile(spec) + tile(source.spec())).saturating_add(source.scratch_bytes())
    }

    fn put<T: Scalar>(&self, peer: &Peer<()>, own: &[ShardIndex]) -> Result<Vec<ShardRecord>> {
        let table = Table::open_ref(&self.table)?;
        let source = Source::open_ref(&self.source)?;
        let mut reader = source.reader(peer.pool())?;
        let mut read = peer.pool().take(source.spec().tile_bytes())?;
        let (spec, at) = (&self.target.spec, (self.region.rows.start, self.region.cols.start));
        let mut writer = WriteBehind::start(self.target.clone(), peer.host().clone())?;
        for tile in own.iter().flat_map(|shard| spec.tiles_of(*shard)) {
            peer.cancel().check()?;
            writer.wait_for_at_most(HELD_TILES as usize - 1)?;
            let mut buffer = peer.pool().take(spec.tile_bytes())?;
            table.read_tile(tile, &mut buffer)?;
            self.region.put_into::<T>(spec, tile, &mut buffer, &mut |rows, cols, into| {
                let (rows, cols) = (rows.start - at.0..rows.end - at.0, cols.start - at.1..cols.end - at.1);
                let of = (&mut reader, &mut read);
                match self.transposed {
                    false => read_region(of, (&rows, &cols), into, peer.cancel()),
                    true => read_region(of, (&cols, &rows), into.reversed_axes(), peer.cancel()),
                }
            })?;
            writer.write(tile, buffer)?;
            peer.progress(spec.tile_bytes() as u64);
        }
        Ok(writer.finish()?.shards)
    }
}
