//! Copies a matrix into a table, perhaps with elements of another type: the peers have the shards.

use std::marker::PhantomData;

use hama_core::{BoxError, Bsp, Buffer, Error, ErrorKind, Peer, Pool, Result};
use hama_hdfs::{ElementType, Extent, ShardRecord, TableSpec, TableTarget, TileIndex};
use serde::{Deserialize, Serialize};

use super::text::narrowed;
use crate::bytes::format_bytes;
use crate::dense::DenseMatrix;
use crate::fill::HELD_TILES;
use crate::hama::Hama;
use crate::save_as::SaveAs;
use crate::scalar::Scalar;
use crate::source::{Source, SourceRef, TileReader};
use crate::tile;
use crate::write_behind::WriteBehind;

/// Copies a matrix that all peers of `hama` reach, as it is oriented, into a table of elements of type `T`.
///
/// # Cost
/// Two tiles of memory a peer, three where elements change type or place, with as many of the peers as the memory allows;
/// one pass of reading and writing. No superstep.
///
/// # Errors
/// `Data` where an element is too large for `T`, or the file was changed meanwhile; `Exists`; `OutOfMemory`; those of the
/// store and of a job. In each case there is no new table.
pub(super) fn copy<S: Scalar, T: Scalar>(
    from: &DenseMatrix<S>,
    hama: &Hama,
    name: SaveAs,
) -> Result<DenseMatrix<T>> {
    from.check_tiles()?;
    let (rows, cols) = from.shape();
    let spec = TableSpec::new(Extent { rows, cols }, T::TYPE)?;
    let (transposed, source) = (from.is_transposed(), from.source());
    let fitting = fitting_peers(from, hama, &spec)?;
    let peers = usize::try_from(fitting).unwrap_or(usize::MAX).min(hama.peers()).min(spec.shards().count());
    DenseMatrix::written(hama, name, spec, |target| {
        let _turn = hama.turn()?;
        let program = CopyIn { source: source.to_ref(), transposed, target: target.clone() };
        let outcome = hama.run(&program).peers(peers).map_err(|e| hama.said(e))?;
        source.check_unchanged()?;
        Ok(outcome.outputs.into_iter().flatten().collect())
    })
}

/// How many peers have memory for the tiles that are held and for what reading takes.
fn fitting_peers<S: Scalar>(from: &DenseMatrix<S>, hama: &Hama, spec: &TableSpec) -> Result<u64> {
    let cost = |spec: &TableSpec| Pool::cost(spec.tile_bytes()) as u64;
    let direct = S::TYPE == spec.element && !from.is_transposed();
    let read = if direct { 0 } else { cost(from.spec()) };
    let needed = (HELD_TILES * cost(spec) + read).saturating_add(from.source().scratch_bytes());
    match hama.peers_holding(needed) {
        0 => {
            let (given, needed) = (format_bytes(hama.memory()), format_bytes(hama.memory_for(needed)));
            let name = from.name();
            let message = format!(
                "--memory {given} is too small to copy {name}: it needs {needed}; try --memory {needed}"
            );
            Err(Error::new(ErrorKind::OutOfMemory, message))
        }
        fitting => Ok(fitting),
    }
}

/// The program: each peer writes a run of shards, so that it unpacks few chunks of the source that others unpack, too.
#[derive(Serialize, Deserialize)]
pub(crate) struct CopyIn {
    source: SourceRef,
    transposed: bool,
    target: TableTarget,
}

impl Bsp for CopyIn {
    const NAME: &'static str = "import";
    type Message = ();
    type Output = Vec<ShardRecord>;

    fn bsp(&self, peer: &mut Peer<()>) -> std::result::Result<Vec<ShardRecord>, BoxError> {
        let source = Source::open_ref(&self.source)?;
        Ok(match (source.spec().element, self.target.spec.element) {
            (ElementType::F64, ElementType::F64) => self.copy::<f64, f64>(&source, peer),
            (ElementType::F64, ElementType::F32) => self.copy::<f64, f32>(&source, peer),
            (ElementType::F32, ElementType::F64) => self.copy::<f32, f64>(&source, peer),
            (ElementType::F32, ElementType::F32) => self.copy::<f32, f32>(&source, peer),
        }?)
    }
}

impl CopyIn {
    fn copy<S: Scalar, T: Scalar>(&self, source: &Source, peer: &Peer<()>) -> Result<Vec<ShardRecord>> {
        let spec = &self.target.spec;
        let count = spec.shards().count();
        let first = |peer_index: usize| count * peer_index / peer.count();
        let own = first(peer.index())..first(peer.index() + 1);
        if own.is_empty() {
            return Ok(Vec::new());
        }
        let mut tiles = Tiles::<S>::open(source, self.transposed, spec, peer.pool())?;
        let mut writer = WriteBehind::start(self.target.clone(), peer.host().clone())?;
        let shards = spec.shards().skip(own.start).take(own.len());
        for index in shards.flat_map(|shard| spec.tiles_of(shard)) {
            peer.cancel().check()?;
            writer.wait_for_at_most(HELD_TILES as usize - 1)?;
            let mut buffer = peer.pool().take(spec.tile_bytes())?;
            tiles.fill::<T>(index, spec, &mut buffer)?;
            writer.write(index, buffer)?;
            let valid = spec.tile_valid(index);
            peer.progress(valid.rows * valid.cols * T::TYPE.size_bytes() as u64);
        }
        Ok(writer.finish()?.shards)
    }
}

/// The tiles of a source of elements of type `S`, as they become those of a table.
struct Tiles<'a, S> {
    source: &'a Source,
    reader: TileReader,
    transposed: bool,
    /// `None` where they are read straight into those of the table.
    read: Option<Buffer>,
    element: PhantomData<S>,
}

impl<'a, S: Scalar> Tiles<'a, S> {
    fn open(source: &'a Source, transposed: bool, spec: &TableSpec, pool: &Pool) -> Result<Tiles<'a, S>> {
        let direct = S::TYPE == spec.element && !transposed;
        let reader = source.reader(pool)?;
        let read = if direct { None } else { Some(pool.take(source.spec().tile_bytes())?) };
        Ok(Tiles { source, reader, transposed, read, element: PhantomData })
    }

    /// Fills a tile of the table.
    fn fill<T: Scalar>(&mut self, index: TileIndex, spec: &TableSpec, buffer: &mut Buffer) -> Result<()> {
        let TileIndex { row, col } = index;
        let Some(read) = &mut self.read else {
            self.reader.read_tile(index, buffer)?;
            tile::pad::<T>(buffer, spec, index);
            return Ok(());
        };
        let stored = if self.transposed { TileIndex { row: col, col: row } } else { index };
        self.reader.read_tile(stored, read)?;
        let elements = read.elements::<S>();
        let stored_cols = self.source.spec().tile.cols as usize;
        // Of one type, every bit stays, that of a NaN too.
        let same: Option<&[T]> = (S::TYPE == T::TYPE).then(|| bytemuck::cast_slice(elements));
        tile::fill::<T>(buffer, spec, index, |at_row, at_col, into| {
            let row = (at_row - row * spec.tile.rows) as usize;
            for (col, to) in into.iter_mut().enumerate() {
                let place = if self.transposed { col * stored_cols + row } else { row * stored_cols + col };
                *to = match same {
                    Some(same) => same[place],
                    None => {
                        let at = (at_row, at_col + col as u64);
                        narrowed(elements[place].to_f64(), self.source.name(), at)?
                    }
                };
            }
            Ok(())
        })
    }
}
