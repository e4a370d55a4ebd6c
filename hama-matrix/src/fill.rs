//! Makes tables whose elements follow from their place: random, all the same, identity.

use hama_core::{BoxError, Bsp, Peer};
use hama_hdfs::{ElementType, ShardRecord, TableTarget};
use serde::{Deserialize, Serialize};

use crate::random::{self, Distribution, Seed};
use crate::scalar::Scalar;
use crate::tile;
use crate::write_behind::WriteBehind;

/// What the elements are.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Filling {
    /// Random of this distribution.
    Random(Distribution, Seed),
    /// The same number everywhere.
    Full(f64),
    /// 1 where row and column are equal, else 0.
    Identity,
}

/// The program that fills a table: the peers take turns at its shards.
#[derive(Serialize, Deserialize)]
pub(crate) struct Fill {
    pub(crate) target: TableTarget,
    pub(crate) filling: Filling,
}

/// The most tiles that wait to be written while the next one is filled.
const WAITING_TILES: usize = 1;

/// Tiles that are held at once: the one that is filled, and those that wait or are being written.
pub(crate) const HELD_TILES: u64 = WAITING_TILES as u64 + 1;

impl Bsp for Fill {
    const NAME: &'static str = "fill";
    type Message = ();
    type Output = Vec<ShardRecord>;

    fn bsp(&self, peer: &mut Peer<()>) -> Result<Vec<ShardRecord>, BoxError> {
        match self.target.spec.element {
            ElementType::F64 => self.fill::<f64>(peer),
            ElementType::F32 => self.fill::<f32>(peer),
        }
    }
}

impl Fill {
    fn fill<T: Scalar>(&self, peer: &Peer<()>) -> Result<Vec<ShardRecord>, BoxError> {
        let spec = &self.target.spec;
        let mut writer = WriteBehind::start(self.target.clone(), peer.host().clone())?;
        let own = spec.shards().enumerate().filter(|(index, _)| index % peer.count() == peer.index());
        for tile in own.flat_map(|(_, shard)| spec.tiles_of(shard)) {
            peer.cancel().check()?;
            writer.wait_for_at_most(WAITING_TILES)?;
            let mut buffer = peer.pool().take(spec.tile_bytes())?;
            tile::fill::<T>(&mut buffer, spec, tile, |row, col, elements| {
                self.row(row, col, elements);
                Ok(())
            })?;
            writer.write(tile, buffer)?;
            let valid = spec.tile_valid(tile);
            peer.progress(valid.rows * valid.cols * spec.element.size_bytes() as u64);
        }
        Ok(writer.finish()?.shards)
    }

    fn row<T: Scalar>(&self, row: u64, col: u64, elements: &mut [T]) {
        match self.filling {
            Filling::Random(how, seed) => random::fill_row(how, seed, row, col, elements),
            Filling::Full(value) => elements.fill(T::from_f64(value)),
            Filling::Identity => {
                elements.fill(T::ZERO);
                let place = row.checked_sub(col).and_then(|place| elements.get_mut(place as usize));
                if let Some(element) = place {
                    *element = T::ONE;
                }
            }
        }
    }
}
