//! The bytes of a shard: tiles in slots at 4096-aligned offsets in any order, an index at the end.
//!
//! This is Zarr's `sharding_indexed` with the inner codecs `bytes` (little-endian) and `crc32c`. A slot holds a tile's
//! bytes, their CRC-32C and zeros up to the next multiple of 4096. The index holds, for each place of the shard row by
//! row, the offset and the length of tile and checksum as two u64 (both 2^64 - 1 where no tile is), then its own CRC-32C.

use hama_core::{Error, Result};

use crate::extent::{Extent, ShardIndex, TileIndex};
use crate::spec::TableSpec;

/// What offsets of tiles are multiples of: a page, and what direct I/O wants.
pub(crate) const SLOT_ALIGN: u64 = 4096;
/// The bytes of a checksum.
pub(crate) const CHECKSUM_BYTES: usize = 4;
const ENTRY_BYTES: usize = 16;
const ABSENT: u64 = u64::MAX;

/// The bytes from one tile's offset to the next one's.
pub(crate) fn slot_bytes(tile_bytes: usize) -> u64 {
    (tile_bytes as u64 + CHECKSUM_BYTES as u64).next_multiple_of(SLOT_ALIGN)
}

/// The bytes of the index of a shard with so many places.
pub(crate) fn index_bytes(places: usize) -> usize {
    places * ENTRY_BYTES + CHECKSUM_BYTES
}

/// Where a tile lies in its shard's file, and the checksum of its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(from = "(u64, u32)", into = "(u64, u32)")]
pub struct TileRecord {
    /// The offset of its first byte.
    pub offset: u64,
    /// The CRC-32C of its bytes, padding included.
    pub crc32c: u32,
}

impl From<(u64, u32)> for TileRecord {
    fn from((offset, crc32c): (u64, u32)) -> TileRecord {
        TileRecord { offset, crc32c }
    }
}

impl From<TileRecord> for (u64, u32) {
    fn from(tile: TileRecord) -> (u64, u32) {
        (tile.offset, tile.crc32c)
    }
}

/// A shard that is being written: which of its tiles lie where.
#[derive(Debug)]
pub(crate) struct ShardPlan {
    shard: ShardIndex,
    extent: Extent,
    tile_bytes: usize,
    missing: usize,
    next_offset: u64,
    tiles: Vec<Option<TileRecord>>,
}

/// The bytes that follow a tile's own in its slot.
#[derive(Debug)]
pub(crate) struct SlotEnd {
    bytes: [u8; SLOT_ALIGN as usize + CHECKSUM_BYTES],
    len: usize,
}

impl SlotEnd {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl ShardPlan {
    /// An empty shard of a table.
    pub(crate) fn new(spec: &TableSpec, shard: ShardIndex) -> Result<ShardPlan> {
        if !spec.has_shard(shard) {
            return Err(Error::invalid(format!(
                "cannot write shard {shard}: the table has {} shards",
                spec.shard_grid()
            )));
        }
        Ok(ShardPlan {
            shard,
            extent: spec.shard,
            tile_bytes: spec.tile_bytes(),
            missing: spec.tiles_of(shard).count(),
            next_offset: 0,
            tiles: vec![None; places(spec)],
        })
    }

    /// Gives the next slot to a tile with these bytes; what follows them in the file is returned.
    pub(crate) fn place(&mut self, spec: &TableSpec, tile: TileIndex, bytes: &[u8]) -> Result<SlotEnd> {
        if bytes.len() != self.tile_bytes {
            return Err(Error::invalid(format!(
                "cannot write tile {tile} of {} bytes: a tile of this table has {}",
                bytes.len(),
                self.tile_bytes
            )));
        }
        if !spec.has_tile(tile) || spec.shard_of(tile) != self.shard {
            return Err(Error::invalid(format!(
                "cannot write tile {tile} to shard {}: it is not in it",
                self.shard
            )));
        }
        let place = place_of(self.extent, tile);
        if self.tiles[place].is_some() {
            return Err(Error::invalid(format!("cannot write tile {tile} to shard {} twice", self.shard)));
        }
        let crc32c = crc32c::crc32c(bytes);
        self.tiles[place] = Some(TileRecord { offset: self.next_offset, crc32c });
        self.missing -= 1;
        let slot = slot_bytes(self.tile_bytes);
        self.next_offset += slot;
        let mut end = SlotEnd {
            bytes: [0; SLOT_ALIGN as usize + CHECKSUM_BYTES],
            len: (slot - self.tile_bytes as u64) as usize,
        };
        end.bytes[..CHECKSUM_BYTES].copy_from_slice(&crc32c.to_le_bytes());
        Ok(end)
    }

    /// Whether all of the shard's tiles that the table has are there.
    pub(crate) fn is_complete(&self) -> bool {
        self.missing == 0
    }

    /// The index's bytes, the file's length with it, and where the tiles lie.
    pub(crate) fn finish(self) -> Result<(Vec<u8>, u64, Vec<Option<TileRecord>>)> {
        if self.missing > 0 {
            return Err(Error::invalid(format!(
                "cannot finish shard {}: {} of its tiles were not written",
                self.shard, self.missing
            )));
        }
        let index = encode_index(&self.tiles, self.tile_bytes);
        let len = self.next_offset + index.len() as u64;
        Ok((index, len, self.tiles))
    }
}

/// How many places a shard of the table has, those outside of the table included.
pub(crate) fn places(spec: &TableSpec) -> usize {
    (spec.shard.rows * spec.shard.cols) as usize
}

/// The place of a tile in its shard of `shard` tiles.
pub(crate) fn place_of(shard: Extent, tile: TileIndex) -> usize {
    ((tile.row % shard.rows) * shard.cols + tile.col % shard.cols) as usize
}

/// The bytes of the index of these tiles.
pub(crate) fn encode_index(tiles: &[Option<TileRecord>], tile_bytes: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(index_bytes(tiles.len()));
    for tile in tiles {
        let (offset, len) = match tile {
            Some(tile) => (tile.offset, (tile_bytes + CHECKSUM_BYTES) as u64),
            None => (ABSENT, ABSENT),
        };
        bytes.extend_from_slice(&offset.to_le_bytes());
        bytes.extend_from_slice(&len.to_le_bytes());
    }
    let crc32c = crc32c::crc32c(&bytes);
    bytes.extend_from_slice(&crc32c.to_le_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::element::ElementType;

    /// 3 x 3 elements of f32 in tiles of 2 x 2, in one shard of 2 x 2 tiles.
    fn spec() -> TableSpec {
        let mut spec = TableSpec::new(Extent::new(3, 3), ElementType::F32).unwrap();
        (spec.tile, spec.shard) = (Extent::new(2, 2), Extent::new(2, 2));
        spec.validate().unwrap();
        spec
    }

    fn tile(values: [f32; 4]) -> Vec<u8> {
        values.iter().flat_map(|v| v.to_le_bytes()).collect()
    }

    #[test]
    fn bytes_are_these() {
        let spec = spec();
        let mut plan = ShardPlan::new(&spec, ShardIndex::new(0, 0)).unwrap();
        let last = plan.place(&spec, TileIndex::new(1, 1), &tile([9.0, 0.0, 0.0, 0.0])).unwrap();
        // The CRC-32C is that of another implementation (google-crc32c).
        assert_eq!(last.bytes()[..4], [0xd6, 0x2e, 0xd6, 0x2c]);
        assert_eq!(last.bytes().len(), 4096 - 16);
        assert!(last.bytes()[4..].iter().all(|byte| *byte == 0));
        for (row, col) in [(0, 0), (0, 1)] {
            assert!(!plan.is_complete());
            plan.place(&spec, TileIndex::new(row, col), &tile([1.0; 4])).unwrap();
        }
        plan.place(&spec, TileIndex::new(1, 0), &tile([2.0; 4])).unwrap();
        assert!(plan.is_complete());
        let (index, len, tiles) = plan.finish().unwrap();
        assert_eq!((len, tiles.len()), (4 * 4096 + 68, 4));
        let golden = [
            [0x00, 0x10, 0, 0, 0, 0, 0, 0, 20, 0, 0, 0, 0, 0, 0, 0],
            [0x00, 0x20, 0, 0, 0, 0, 0, 0, 20, 0, 0, 0, 0, 0, 0, 0],
            [0x00, 0x30, 0, 0, 0, 0, 0, 0, 20, 0, 0, 0, 0, 0, 0, 0],
            [0x00, 0x00, 0, 0, 0, 0, 0, 0, 20, 0, 0, 0, 0, 0, 0, 0],
        ];
        assert_eq!(index[..64], golden.concat());
        assert_eq!(index[64..], [0x8f, 0x97, 0x4a, 0xfe]);
    }

    #[test]
    fn a_place_without_a_tile_is_all_ones() {
        let index = encode_index(&[None], 16);
        assert_eq!(index[..16], [0xff; 16]);
        assert_eq!(index[16..], [0x10, 0x4c, 0x2f, 0xef]);
    }

    #[test]
    fn slots_are_whole_pages_with_room_for_the_checksum() {
        for (tile, slot) in
            [(8, 4096), (4092, 4096), (4093, 8192), (8_000_000, 8_003_584), (8 << 20, (8 << 20) + 4096)]
        {
            assert_eq!(slot_bytes(tile), slot);
        }
    }
}
