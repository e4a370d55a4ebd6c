//! The program that every peer of a product runs.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::ops::Range;
use std::time::Instant;

use hama_core::{
    BoxError, Buffer, Context, Error, Flow, Inbox, Outbox, Payload, PeerId, Result, SuperstepProgram,
};
use hama_hdfs::{ElementType, Extent, TileIndex};
use serde::{Deserialize, Serialize};

use super::factors::readers_of_a_peer;
use super::panels::{Held, key};
use super::reader::Reader;
use super::reduce::add_ascending;
use super::sum::{Product, Sum};
use crate::grid::Coordinates;
use crate::kernel::{Kernel, Part};
use crate::placement::Sites;
use crate::plan::Plan;
use crate::plan::steps::{Brick, Step};
use crate::problem::Operand;
use crate::read_ahead::ReadAhead;
use crate::scalar::Scalar;
use crate::source::{Source, SourceRef};
use crate::target::{Target, Written};
use crate::tile;
use crate::transpose::mirror_lower;
use crate::write_behind::{Places, WriteBehind};

/// The multiplication of two matrices into a table, or a file, by a plan.
///
/// # Cost
/// A superstep a panel, one before the first and, where p_k > 1, one after the last to add up the partial
/// sums; one more where tiles of C mirror those of other peers. In superstep s a peer sends its share of panel
/// s + 1 and then computes, while others may be a superstep ahead.
#[derive(Serialize, Deserialize)]
pub(crate) struct Multiply<T> {
    pub(super) plan: Plan,
    a: SourceRef,
    b: SourceRef,
    c: Target,
    /// On a cluster.
    pub(super) sites: Option<Sites>,
    element: PhantomData<T>,
}

/// Which tile a payload is.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Tile {
    /// A packed tile of a factor, for the next step.
    Factor(Operand, u64, u64),
    /// A partial sum of a tile of C, for the peer that adds them up.
    Partial(u64, u64),
    /// A tile of C, done, for the peer that writes the tile that mirrors it.
    Mirrored(u64, u64),
}

/// What a peer holds between supersteps.
pub(crate) struct State<T> {
    pub(super) me: u64,
    kernel: Kernel<T>,
    next_step: u64,
    pub(super) reader: ReadAhead,
    writer: WriteBehind,
    // Packed tiles of the panel at hand as far as this peer has read them itself, and the strip that stays.
    held: Held,
    // Sums of the piece that is being computed, by row and column of the tile.
    sums: BTreeMap<(u64, u64), Buffer>,
    // Own parts of the sums that wait for those of others.
    partial: BTreeMap<(u64, u64), Buffer>,
}

impl<T: Scalar> Multiply<T> {
    pub(crate) fn new(
        plan: Plan,
        (a, b): (SourceRef, SourceRef),
        c: Target,
        sites: Option<Sites>,
    ) -> Multiply<T> {
        Multiply { plan, a, b, c, sites, element: PhantomData }
    }

    /// Sorts what came in for a step: tiles of factors are held, partial sums are added up and written, mirror
    /// images are written.
    ///
    /// # Errors
    /// `Data` where it is not what the plan says that others send.
    fn receive(
        &self,
        state: &mut State<T>,
        index: u64,
        inbox: Inbox<Tile>,
        outbox: &mut Outbox<Tile>,
    ) -> Result<()> {
        let mut awaited = self.awaited(state.me, index);
        let mut parts: BTreeMap<(u64, u64), Vec<Payload>> = BTreeMap::new();
        for received in inbox {
            let payload = self.checked(received.from, &received.message, received.payload)?;
            match received.message {
                Tile::Factor(operand, row, col) if awaited.remove(&(operand, row, col)) => {
                    state.held.insert((operand, row, col), payload)?;
                }
                Tile::Partial(row, col) if state.partial.contains_key(&(row, col)) => {
                    parts.entry((row, col)).or_default().push(payload);
                }
                Tile::Mirrored(row, col)
                    if self.plan.mirrors(received.from.index(), (row, col), state.me) =>
                {
                    state.writer.write_at(TileIndex { row, col }, payload, Places::Mirror)?;
                }
                tile => {
                    let from = received.from;
                    return Err(Error::data(format!(
                        "peer {from} sent {tile:?}, which the plan does not ask for"
                    )));
                }
            }
        }
        if let Some(missing) = awaited.first() {
            return Err(Error::data(format!(
                "tile {missing:?} did not arrive, nor did {} others",
                awaited.len() - 1
            )));
        }
        for (at, mut own) in std::mem::take(&mut state.partial) {
            let others = parts.remove(&at).unwrap_or_default();
            if others.len() as u64 + 1 != self.plan.grid.k {
                return Err(Error::data(format!("tile {at:?} lacks partial sums: {} came", others.len())));
            }
            let others: Vec<&[T]> = others.iter().map(|part| part.elements()).collect();
            // The inbox is ordered by sender, and senders of one brick by the inner dimension.
            let Coordinates { k: place, .. } = self.plan.grid.coordinates(state.me);
            add_ascending(own.elements_mut::<T>(), place as usize, &others);
            self.write(state, at, own, outbox)?;
        }
        Ok(())
    }

    /// A payload of the length that its tile has.
    fn checked(&self, from: PeerId, tile: &Tile, payload: Option<Payload>) -> Result<Payload> {
        let [a, b, c] = self.plan.problem.tile_bytes();
        let bytes = match tile {
            Tile::Factor(Operand::A, ..) => a,
            Tile::Factor(Operand::B, ..) => b,
            Tile::Partial(..) | Tile::Mirrored(..) => c,
        };
        let found = payload.as_ref().map_or(0, |payload| payload.len() as u64);
        payload.filter(|_| found == bytes).ok_or_else(|| {
            Error::data(format!("peer {from} sent {tile:?} in {found} bytes, and a tile of it has {bytes}"))
        })
    }

    /// A tile of C that is done goes to the store, and to the peer that writes its mirror image.
    fn write(
        &self,
        state: &mut State<T>,
        (row, col): (u64, u64),
        mut sum: Buffer,
        outbox: &mut Outbox<Tile>,
    ) -> Result<()> {
        let tile = TileIndex { row, col };
        if self.plan.problem.symmetric && row == col {
            let Extent { rows, cols } = self.c.spec().tile;
            mirror_lower(sum.elements_mut::<T>(), rows as usize, cols as usize);
        }
        tile::pad::<T>(&mut sum, self.c.spec(), tile);
        if !self.plan.problem.symmetric || row == col {
            return state.writer.write(tile, sum);
        }
        let (sum, writer) = (sum.freeze(), self.plan.tile_writer(col, row));
        if writer == state.me {
            return state.writer.write_at(tile, sum, Places::Both);
        }
        outbox.send_with(outbox.peer(writer as usize)?, &Tile::Mirrored(row, col), sum.clone())?;
        state.writer.write_at(tile, sum, Places::Own)
    }

    /// Multiplies the panel at hand into the sums of its piece, with the help of peers that are done with theirs.
    fn compute(
        &self,
        state: &mut State<T>,
        work: &Brick,
        last: bool,
        outbox: &mut Outbox<Tile>,
    ) -> Result<()> {
        let mut sums = Vec::new();
        for row in work.rows.clone() {
            for col in work.cols.clone().filter(|&col| self.plan.problem.computes(row, col)) {
                sums.push(self.sum(state, (row, col), work.inner.clone())?);
            }
        }
        let mut offer = outbox.offer(sums.into_iter().map(|sum| move |context: &Context| sum.run(context)));
        while let Some(done) = offer.next(outbox) {
            let (at, sum) = done?;
            match last {
                true => self.hand_over(state, at, sum, outbox)?,
                false => drop(state.sums.insert(at, sum)),
            }
        }
        Ok(())
    }

    /// What there is to do for a tile of C.
    fn sum(&self, state: &mut State<T>, at: (u64, u64), inner: Range<u64>) -> Result<Sum<T>> {
        let ((row, col), problem) = (at, &self.plan.problem);
        let product = |inner| -> Result<Product> {
            Ok(Product {
                a: state.held.get(Operand::A, row, inner)?.clone(),
                b: state.held.get(Operand::B, inner, col)?.clone(),
                shape: problem.valid_of(row, col, inner),
                flop: problem.flop_of(row, col, inner),
            })
        };
        let products = inner.map(product).collect::<Result<_>>()?;
        // Of a tile on the diagonal of a symmetric product the other half is made when it is done.
        let part = if problem.symmetric && row == col { Part::Lower } else { Part::Whole };
        let (tile_bytes, stride) = (self.c.spec().tile_bytes(), problem.tile().n as usize);
        Ok(Sum { at, sum: state.sums.remove(&at), tile_bytes, stride, kernel: state.kernel, part, products })
    }

    /// A finished sum goes to the store, or as a part to the peer that adds the parts up.
    fn hand_over(
        &self,
        state: &mut State<T>,
        at: (u64, u64),
        sum: Buffer,
        outbox: &mut Outbox<Tile>,
    ) -> Result<()> {
        if self.plan.grid.k == 1 {
            return self.write(state, at, sum, outbox);
        }
        let owner = self.plan.tile_writer(at.0, at.1);
        if owner == state.me {
            state.partial.insert(at, sum);
            return Ok(());
        }
        outbox.send_with(outbox.peer(owner as usize)?, &Tile::Partial(at.0, at.1), sum.freeze())
    }

    /// Forgets the tiles of this step, except those of a strip that later pieces use.
    fn forget(&self, state: &mut State<T>, step: Step, work: &Brick) {
        let ends = self.plan.ends_strip(state.me, step);
        state.held.retain(|&(operand, row, col)| {
            let inner = if operand == Operand::A { col } else { row };
            !work.inner.contains(&inner) || (self.plan.keeps(operand) && !ends)
        });
    }
}

impl<T: Scalar> SuperstepProgram for Multiply<T> {
    const NAME: &'static str = match T::TYPE {
        ElementType::F64 => "multiply-f64",
        ElementType::F32 => "multiply-f32",
    };
    type Message = Tile;
    type State = State<T>;
    type Output = Written;

    fn init(&self, outbox: &mut Outbox<Tile>) -> Result<State<T>, BoxError> {
        let (pool, cancel) = (outbox.pool().clone(), outbox.cancel().clone());
        let sources = (Source::open_ref(&self.a)?, Source::open_ref(&self.b)?);
        let memory = (pool, cancel);
        // Peers that share nothing may be in processes of their own, each with its own way to the store.
        let peers_here = if self.plan.by_reference { outbox.count() } else { 1 };
        let readers = (0..readers_of_a_peer(&sources, peers_here))
            .map(|_| Reader::<T>::new(self.plan.problem, &sources, self.plan.kernel, memory.clone()))
            .map(|reader| reader.map(|mut reader| move |need| reader.read(need)))
            .collect::<Result<Vec<_>>>()?;
        let mirrors = self.plan.problem.has_mirror_images();
        let mirror = mirrors.then(|| outbox.pool().take(self.c.spec().tile_bytes())).transpose()?;
        let mut state = State {
            kernel: Kernel::new(self.plan.kernel)?,
            me: outbox.index() as u64,
            next_step: 0,
            reader: ReadAhead::start(readers)?,
            writer: WriteBehind::start_mirroring(self.c.clone(), outbox.host().clone(), mirror)?,
            held: Held::default(),
            sums: BTreeMap::new(),
            partial: BTreeMap::new(),
        };
        self.sites.iter().for_each(|sites| sites.count_plan(outbox));
        self.request(&state, 0)?;
        for (need, payload) in self.pass_on(&state, 0, outbox)? {
            state.held.insert(key(need.operand, need.tile), payload)?;
        }
        Ok(state)
    }

    fn superstep(
        &self,
        state: &mut State<T>,
        inbox: Inbox<Tile>,
        outbox: &mut Outbox<Tile>,
    ) -> Result<Flow, BoxError> {
        let index = state.next_step;
        state.next_step += 1;
        self.receive(state, index, inbox, outbox)?;
        let more = index + 1 < self.plan.step_count() + self.plan.steps_after();
        let flow = if more { Flow::Continue } else { Flow::Halt };
        if index >= self.plan.step_count() {
            return Ok(flow);
        }
        let next = self.pass_on(state, index + 1, outbox)?;
        let step = self.plan.step(index);
        let work = self.plan.work(state.me, step);
        if state.sums.is_empty() {
            let start = Instant::now();
            state.writer.wait_for_at_most(self.plan.waiting_at_most() as usize)?;
            outbox.add_write(start.elapsed(), 0);
        }
        // Not before that: those ahead may send more tiles of C.
        if !self.plan.sends_results(step) {
            outbox.arrive(flow)?;
        }
        if !work.is_empty() {
            self.compute(state, &work, self.plan.ends_piece(step), outbox)?;
            self.forget(state, step, &work);
        }
        if self.plan.ends_piece(step) {
            // A peer whose run of the inner dimension is shorter has finished these in an earlier step.
            for (at, sum) in std::mem::take(&mut state.sums) {
                self.hand_over(state, at, sum, outbox)?;
            }
        }
        for (need, payload) in next {
            state.held.insert(key(need.operand, need.tile), payload)?;
        }
        Ok(flow)
    }

    fn finish(&self, state: State<T>, context: &Context) -> Result<Written, BoxError> {
        let start = Instant::now();
        let written = state.writer.finish()?;
        context.add_write(start.elapsed(), written.bytes);
        Ok(written)
    }
}
