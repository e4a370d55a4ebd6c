//! The program that every peer of a verification runs.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::time::Instant;

use hama_core::{BoxError, Bsp, Buffer, Error, Payload, Peer, PeerId, Pool, Received, Result};
use hama_hdfs::{ElementType, TableSpec, TileIndex};
use serde::{Deserialize, Serialize};

use super::Verification;
use super::bound::{may_overflow, rounding};
use super::dots::Oriented;
use super::norm::Norm;
use crate::problem::{Operand, Problem};
use crate::random::{Seed, fill_signs};
use crate::scalar::Scalar;
use crate::source::{Source, SourceRef, TileReader};

/// In superstep 0 a peer computes y_J = B_J x_J for some rows of tiles of B and sends them to all; in
/// superstep 1 it compares A y_J with C_J x_J for some rows of tiles of C.
#[derive(Serialize, Deserialize)]
pub(crate) struct Freivalds<T> {
    problem: Problem,
    sources: [SourceRef; 3],
    transpose_c: bool,
    seed: Seed,
    element: PhantomData<T>,
}

/// B_J x_J for the rows of one row of tiles of B and each J, and behind them the norm of each tile.
struct Image {
    payload: Payload,
    rows: usize,
}

impl Image {
    fn of(&self, col: usize) -> &[f64] {
        &self.payload.elements()[col * self.rows..(col + 1) * self.rows]
    }

    fn norm(&self, col: usize, cols: usize) -> Norm {
        let elements: &[f64] = self.payload.elements();
        Norm { largest: elements[cols * self.rows + col], sum: elements[cols * (self.rows + 1) + col] }
    }
}

impl<T: Scalar> Bsp for Freivalds<T> {
    const NAME: &'static str = match T::TYPE {
        ElementType::F64 => "verify-f64",
        ElementType::F32 => "verify-f32",
    };
    // Which row of tiles of B.
    type Message = u64;
    type Output = Verification;

    fn bsp(&self, peer: &mut Peer<u64>) -> Result<Verification, BoxError> {
        let open = |source| Source::open_ref(source)?.reader(peer.pool());
        let mut readers: Vec<TileReader> = self.sources.iter().map(open).collect::<Result<_>>()?;
        let [a, b, c] = &mut readers[..] else {
            return Err(Error::internal("a verification has three matrices").into());
        };
        let everyone: Vec<PeerId> = peer.peers().collect();
        for inner in own(peer, self.problem.tiles().k) {
            let image = self.image(b, inner, peer)?;
            peer.send_many_with(&everyone, &inner, &image)?;
        }
        let mut images = BTreeMap::new();
        for received in peer.sync()? {
            images.insert(received.message, self.received(received)?);
        }
        let norms = self.column_norms(&images);
        let mut found = Verification::none();
        for row in own(peer, self.problem.tiles().m) {
            found = found.and(self.compare(a, c, row, &images, &norms, peer)?);
        }
        Ok(found)
    }
}

fn own(peer: &Peer<u64>, count: u64) -> impl Iterator<Item = u64> + use<> {
    (peer.index() as u64..count).step_by(peer.count())
}

impl<T: Scalar> Freivalds<T> {
    pub(super) fn new(
        problem: Problem,
        sources: [SourceRef; 3],
        transpose_c: bool,
        seed: Seed,
    ) -> Freivalds<T> {
        Freivalds { problem, sources, transpose_c, seed, element: PhantomData }
    }

    /// The most bytes that one of several peers holds: all images, as each peer may have its own copy, a tile,
    /// and the sums of a row of tiles.
    pub(super) fn peer_bytes(problem: &Problem) -> u64 {
        let (tile, tiles) = (problem.tile(), problem.tiles());
        let word = size_of::<f64>() as u64;
        let image = (tile.k + 2).saturating_mul(tiles.n).saturating_mul(word);
        let pooled = |bytes: u64| usize::try_from(bytes).map_or(u64::MAX, |bytes| Pool::cost(bytes) as u64);
        let tile_bytes = problem.tile_bytes().into_iter().max().unwrap_or(0);
        let sums = tile.m.saturating_mul(tiles.n).saturating_mul(word);
        pooled(image).saturating_mul(tiles.k).saturating_add(pooled(tile_bytes)).saturating_add(sums)
    }

    fn valid_k(&self, inner: u64) -> usize {
        Problem::valid(self.problem.k, self.problem.tile().k, inner) as usize
    }

    fn valid_n(&self, col: u64) -> usize {
        Problem::valid(self.problem.n, self.problem.tile().n, col) as usize
    }

    /// An image of the length that it must have.
    fn received(&self, received: Received<u64>) -> Result<Image> {
        let rows = self.valid_k(received.message);
        let bytes = (self.problem.tiles().n as usize) * (rows + 2) * size_of::<f64>();
        match received.payload {
            Some(payload) if rows > 0 && payload.len() == bytes => Ok(Image { payload, rows }),
            other => Err(Error::data(format!(
                "peer {} sent {} bytes as the image of row {} of tiles, and it has {bytes}",
                received.from,
                other.map_or(0, |payload| payload.len()),
                received.message
            ))),
        }
    }

    fn signs(&self, col: u64) -> Vec<f64> {
        let mut signs = vec![0.0; self.valid_n(col)];
        fill_signs(self.seed, col * self.problem.tile().n, &mut signs);
        signs
    }

    fn image(&self, b: &mut TileReader, inner: u64, peer: &Peer<u64>) -> Result<Payload> {
        let (cols, rows) = (self.problem.tiles().n as usize, self.valid_k(inner));
        let mut image = peer.pool().take(cols * (rows + 2) * size_of::<f64>())?;
        for col in 0..cols {
            let tile =
                read(b, self.problem.stored(Operand::B, TileIndex { row: inner, col: col as u64 }), peer)?;
            let tile = oriented::<T>(b.spec(), &tile, self.problem.transpose_b);
            let mut y = [vec![0.0; rows]];
            tile.apply(&[&self.signs(col as u64)], &mut y);
            image.elements_mut::<f64>()[col * rows..(col + 1) * rows].copy_from_slice(&y[0]);
            let norm = tile.norm();
            image.elements_mut::<f64>()[cols * rows + col] = norm.largest;
            image.elements_mut::<f64>()[cols * (rows + 1) + col] = norm.sum;
        }
        Ok(image.freeze())
    }

    /// The Frobenius norm of each column of tiles of B.
    fn column_norms(&self, images: &BTreeMap<u64, Image>) -> Vec<f64> {
        let cols = self.problem.tiles().n as usize;
        let norm = |col| images.values().map(|image| image.norm(col, cols)).fold(Norm::default(), Norm::and);
        (0..cols).map(|col| norm(col).value()).collect()
    }

    fn compare(
        &self,
        a: &mut TileReader,
        c: &mut TileReader,
        row: u64,
        images: &BTreeMap<u64, Image>,
        norms: &[f64],
        peer: &Peer<u64>,
    ) -> Result<Verification> {
        let rows = Problem::valid(self.problem.m, self.problem.tile().m, row) as usize;
        let mut expected = vec![vec![0.0; rows]; norms.len()];
        let mut row_norms = vec![Norm::default(); rows];
        for inner in 0..self.problem.tiles().k {
            let image = images.get(&inner).ok_or_else(|| Error::internal("an image has not arrived"))?;
            let tile = read(a, self.problem.stored(Operand::A, TileIndex { row, col: inner }), peer)?;
            let tile = oriented::<T>(a.spec(), &tile, self.problem.transpose_a);
            let ys: Vec<&[f64]> = (0..norms.len()).map(|col| image.of(col)).collect();
            tile.apply(&ys, &mut expected);
            tile.add_rows(&mut row_norms);
        }
        let mut found = Verification::none();
        for (col, (expected, norm)) in expected.iter().zip(norms).enumerate() {
            let (row, col) = (row, col as u64);
            let stored = if self.transpose_c { (col, row) } else { (row, col) };
            let tile = read(c, TileIndex { row: stored.0, col: stored.1 }, peer)?;
            let mut sums = [vec![0.0; rows]];
            oriented::<T>(c.spec(), &tile, self.transpose_c).apply(&[&self.signs(col)], &mut sums);
            for index in 0..rows {
                let norms = row_norms[index].value() * norm;
                let first = (row * self.problem.tile().m + index as u64, col);
                found = found.and(self.judge(expected[index], sums[0][index], norms, first));
            }
        }
        Ok(found)
    }

    fn judge(&self, expected: f64, sum: f64, norms: f64, place: (u64, u64)) -> Verification {
        let none = Verification::none();
        let wrong = Verification { passed: false, wrong: 1, first_wrong: Some(place), ..none };
        if may_overflow::<T>(norms) {
            return Verification { unchecked: 1, ..none };
        }
        if !expected.is_finite() || !sum.is_finite() || norms.is_nan() {
            let alike = expected.is_finite() == sum.is_finite();
            return if alike { Verification { non_finite: 1, ..none } } else { wrong };
        }
        let difference = (expected - sum).abs();
        if difference == 0.0 {
            return Verification { compared: 1, ..none };
        }
        let worst = difference / rounding::<T>(norms, self.problem.k, self.valid_n(place.1) as u64);
        if worst <= 1.0 {
            Verification { compared: 1, worst, ..none }
        } else {
            Verification { worst, ..wrong }
        }
    }
}

/// A tile in a buffer, with its place.
struct Read {
    buffer: Buffer,
    index: TileIndex,
}

fn read(from: &mut TileReader, index: TileIndex, peer: &Peer<u64>) -> Result<Read> {
    peer.cancel().check()?;
    let start = Instant::now();
    let mut buffer = peer.pool().take(from.spec().tile_bytes())?;
    from.read_tile(index, &mut buffer)?;
    peer.add_read(start.elapsed(), buffer.len() as u64);
    peer.progress(buffer.len() as u64);
    Ok(Read { buffer, index })
}

fn oriented<'a, T: Scalar>(spec: &TableSpec, tile: &'a Read, transposed: bool) -> Oriented<'a, T> {
    let valid = spec.tile_valid(tile.index);
    Oriented {
        elements: tile.buffer.elements(),
        stride: spec.tile.cols as usize,
        rows: valid.rows as usize,
        cols: valid.cols as usize,
        transposed,
    }
}
