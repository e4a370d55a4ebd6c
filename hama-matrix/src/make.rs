//! Makes matrices: of numbers that follow from their place, of arrays, of rows and tiles that come from elsewhere.

use hama_core::Result;
use hama_hdfs::{
    Extent, OnExists, ShardRecord, TableName, TableSpec, TableTarget, TableWriter, TileIndex, WriteOptions,
};
use ndarray::{ArrayView2, s};

use crate::dense::DenseMatrix;
use crate::fill::{Fill, Filling, HELD_TILES};
use crate::hama::Hama;
use crate::random::{Distribution, Seed};
use crate::save_as::SaveAs;
use crate::scalar::Scalar;
use crate::tile;
use crate::write_behind::WriteBehind;

impl<T: Scalar> DenseMatrix<T> {
    /// Makes a matrix of elements uniform in \[0, 1): each depends on seed, row, column and type only.
    ///
    /// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
    ///
    /// # Cost
    /// Two tiles of memory a peer; one pass of writing.
    ///
    /// # Errors
    /// `Exists` where the name is taken and nothing says to replace it, `Invalid` for a shape or a name that
    /// cannot be, and those of the store.
    pub fn random(hama: &Hama, name: impl Into<SaveAs>, shape: (u64, u64), seed: Seed) -> Result<Self> {
        Self::filled(hama, name.into(), shape, Filling::Random(Distribution::Uniform, seed))
    }

    /// Makes a matrix of standard normal elements, with mean 0 and variance 1: each depends on seed, row, column and type
    /// only, to the last bit on every host. The same seed's uniform elements are independent of them.
    ///
    /// Box and Muller's transform of words of the generator of [`random`](Self::random); no magnitude is above 9.5, of an
    /// f32 above 6.8. Cost and errors as there.
    pub fn random_normal(
        hama: &Hama,
        name: impl Into<SaveAs>,
        shape: (u64, u64),
        seed: Seed,
    ) -> Result<Self> {
        Self::filled(hama, name.into(), shape, Filling::Random(Distribution::Normal, seed))
    }

    /// Makes a matrix of zeros. Cost and errors as in [`random`](Self::random).
    pub fn zeros(hama: &Hama, name: impl Into<SaveAs>, shape: (u64, u64)) -> Result<Self> {
        Self::filled(hama, name.into(), shape, Filling::Full(0.0))
    }

    /// Makes a matrix of ones. Cost and errors as in [`random`](Self::random).
    pub fn ones(hama: &Hama, name: impl Into<SaveAs>, shape: (u64, u64)) -> Result<Self> {
        Self::filled(hama, name.into(), shape, Filling::Full(1.0))
    }

    /// Makes a matrix whose elements are all `value`, which may be NaN or infinite. Cost and errors as in
    /// [`random`](Self::random).
    pub fn full(hama: &Hama, name: impl Into<SaveAs>, shape: (u64, u64), value: T) -> Result<Self> {
        Self::filled(hama, name.into(), shape, Filling::Full(value.to_f64()))
    }

    /// Makes the n x n identity. Cost and errors as in [`random`](Self::random).
    pub fn identity(hama: &Hama, name: impl Into<SaveAs>, n: u64) -> Result<Self> {
        Self::filled(hama, name.into(), (n, n), Filling::Identity)
    }

    /// Makes a matrix of the elements of an array.
    ///
    /// # Cost
    /// Two tiles of memory beside the array; one pass of writing.
    ///
    /// # Errors
    /// As in [`random`](Self::random).
    pub fn from_array(hama: &Hama, name: impl Into<SaveAs>, array: ArrayView2<'_, T>) -> Result<Self> {
        let shape = Extent { rows: array.nrows() as u64, cols: array.ncols() as u64 };
        Self::from_rows(hama, name.into(), TableSpec::new(shape, T::TYPE)?, |row, col, into| {
            let col = col as usize;
            let from = array.slice(s![row as usize, col..col + into.len()]);
            into.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
            Ok(())
        })
    }

    fn filled(hama: &Hama, save_as: SaveAs, shape: (u64, u64), filling: Filling) -> Result<Self> {
        let mut spec = TableSpec::new(Extent { rows: shape.0, cols: shape.1 }, T::TYPE)?;
        if let Filling::Random(how, seed) = filling {
            spec.attributes.insert("distribution".into(), how.name().into());
            spec.attributes.insert("seed".into(), seed.0.into());
        }
        hama.check_tiles(&save_as.name, &spec, HELD_TILES)?;
        let held = HELD_TILES * hama_core::Pool::cost(spec.tile_bytes()) as u64;
        let peers = hama.peers_holding(held).clamp(1, hama.peers() as u64).min(spec.shards().count() as u64);
        Self::written(hama, save_as, spec, |target| {
            let _turn = hama.turn()?;
            let outcome = hama.run(&Fill { target: target.clone(), filling }).peers(peers as usize)?;
            Ok(outcome.outputs.into_iter().flatten().collect())
        })
    }

    /// Makes a matrix of rows that come from elsewhere, tile by tile: `row` gets the row and the first column
    /// in the matrix, and the elements to fill.
    pub(crate) fn from_rows(
        hama: &Hama,
        save_as: SaveAs,
        spec: TableSpec,
        mut row: impl FnMut(u64, u64, &mut [T]) -> Result<()>,
    ) -> Result<Self> {
        Self::from_tiles(hama, save_as, spec, |tile_index, spec, buffer| {
            tile::fill::<T>(buffer, spec, tile_index, &mut row)
        })
    }

    /// Makes a matrix of tiles that come from elsewhere, shard by shard.
    pub(crate) fn from_tiles(
        hama: &Hama,
        save_as: SaveAs,
        spec: TableSpec,
        mut fill: impl FnMut(TileIndex, &TableSpec, &mut hama_core::Buffer) -> Result<()>,
    ) -> Result<Self> {
        Self::written(hama, save_as, spec.clone(), |target| {
            let mut writer = WriteBehind::start(target.clone(), hama.host().clone())?;
            for index in spec.shards().flat_map(|shard| spec.tiles_of(shard)) {
                hama.cancel().check()?;
                writer.wait_for_at_most(HELD_TILES as usize - 1)?;
                let mut buffer = hama.tile_buffer(target.name.as_str(), &spec, HELD_TILES)?;
                fill(index, &spec, &mut buffer)?;
                writer.write(index, buffer)?;
                let valid = spec.tile_valid(index);
                hama.progress().add(valid.rows * valid.cols * T::TYPE.size_bytes() as u64);
            }
            Ok(writer.finish()?.shards)
        })
    }

    /// Writes a table and opens it as a matrix. Where `write` fails, nothing of it stays.
    pub(crate) fn written(
        hama: &Hama,
        save_as: SaveAs,
        spec: TableSpec,
        write: impl FnOnce(&TableTarget) -> Result<Vec<ShardRecord>>,
    ) -> Result<Self> {
        hama.check_store()?;
        let name = TableName::new(&save_as.name)?;
        let on_exists = if save_as.replace { OnExists::Replace } else { OnExists::Fail };
        let options = WriteOptions { on_exists, durability: hama.durability() };
        let writer = TableWriter::create(hama.store(), &name, spec, options)?;
        let shards = write(writer.target())?;
        hama.cancel().check()?;
        Self::of_table(hama, writer.commit(shards)?)
    }
}
