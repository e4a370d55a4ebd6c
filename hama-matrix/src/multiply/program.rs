//! The program that every peer of a product runs.

use std::collections::{BTreeMap, BTreeSet};
use std::marker::PhantomData;
use std::time::Instant;

use hama_core::{
    BoxError, Buffer, Context, Error, Flow, Inbox, Outbox, Payload, PeerId, Result, SuperstepProgram,
};
use hama_hdfs::{ShardRecord, Table, TableRef, TableTarget, TileIndex};
use serde::{Deserialize, Serialize};

use super::panels::{Held, Key, key};
use super::reader::Reader;
use super::reduce::add_ascending;
use crate::grid::Coordinates;
use crate::kernel::{Kernel, Part};
use crate::plan::Plan;
use crate::plan::steps::{Brick, Need, Step};
use crate::problem::Operand;
use crate::read_ahead::ReadAhead;
use crate::scalar::Scalar;
use crate::tile;
use crate::write_behind::WriteBehind;

/// The multiplication of two tables into a third by a plan.
///
/// # Cost
/// A superstep a panel, one before the first and, where p_k > 1, one after the last to add up the partial
/// sums. In superstep s a peer receives the tiles of panel s + 1 that others read for it.
#[derive(Serialize, Deserialize)]
pub(crate) struct Multiply<T> {
    plan: Plan,
    a: TableRef,
    b: TableRef,
    c: TableTarget,
    element: PhantomData<T>,
}

/// Which tile a payload is.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Tile {
    /// A packed tile of a factor, for the next step.
    Factor(Operand, u64, u64),
    /// A partial sum of a tile of C, for the peer that adds them up.
    Partial(u64, u64),
}

/// What a peer holds between supersteps.
pub(crate) struct State<T> {
    me: u64,
    kernel: Kernel<T>,
    next_step: u64,
    reader: ReadAhead<Need, (Need, Payload)>,
    writer: WriteBehind,
    // Packed tiles of the panel at hand as far as this peer has read them itself, and the strip that stays.
    held: Held,
    // Sums of the piece that is being computed, by row and column of the tile.
    sums: BTreeMap<(u64, u64), Buffer>,
    // Own parts of the sums that wait for those of others.
    partial: BTreeMap<(u64, u64), Buffer>,
}

impl<T: Scalar> Multiply<T> {
    pub(crate) fn new(plan: Plan, a: TableRef, b: TableRef, c: TableTarget) -> Multiply<T> {
        Multiply { plan, a, b, c, element: PhantomData }
    }

    /// Starts reading the tiles of a step that this peer reads for all that share them.
    fn request(&self, state: &State<T>, index: u64) -> Result<()> {
        if index >= self.plan.step_count() {
            return Ok(());
        }
        let needs = self.plan.needs(state.me, self.plan.step(index));
        let own = needs.into_iter().filter(|need| need.reader == state.me);
        state.reader.request(own.collect())
    }

    /// Waits for this peer's share of a step's tiles, sends it to those that share them, and asks for the
    /// share of the step after.
    fn pass_on(
        &self,
        state: &State<T>,
        index: u64,
        outbox: &mut Outbox<Tile>,
    ) -> Result<Vec<(Need, Payload)>> {
        if index >= self.plan.step_count() {
            return Ok(Vec::new());
        }
        let start = Instant::now();
        let read = state.reader.answer()?;
        outbox.add_read(start.elapsed(), read.iter().map(|(_, payload)| payload.len() as u64).sum());
        self.request(state, index + 1)?;
        for (need, payload) in &read {
            let others = need.sharers.iter().filter(|&&peer| peer != state.me);
            let others: Vec<PeerId> =
                others.map(|&peer| outbox.peer(peer as usize)).collect::<Result<_>>()?;
            let tile = Tile::Factor(need.operand, need.tile.row, need.tile.col);
            outbox.send_many_with(&others, &tile, payload)?;
        }
        Ok(read)
    }

    /// Sorts what came in for a step: tiles of factors are held, partial sums are added up and written.
    ///
    /// # Errors
    /// `Data` where it is not what the plan says that others send.
    fn receive(&self, state: &mut State<T>, index: u64, inbox: Inbox<Tile>) -> Result<()> {
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
            self.write(state, at, own)?;
        }
        Ok(())
    }

    /// The tiles of a step that others read for this peer.
    fn awaited(&self, me: u64, index: u64) -> BTreeSet<Key> {
        if index >= self.plan.step_count() {
            return BTreeSet::new();
        }
        let needs = self.plan.needs(me, self.plan.step(index));
        needs.into_iter().filter(|need| need.reader != me).map(|need| key(need.operand, need.tile)).collect()
    }

    /// A payload of the length that its tile has.
    fn checked(&self, from: PeerId, tile: &Tile, payload: Option<Payload>) -> Result<Payload> {
        let [a, b, c] = self.plan.problem.tile_bytes();
        let bytes = match tile {
            Tile::Factor(Operand::A, ..) => a,
            Tile::Factor(Operand::B, ..) => b,
            Tile::Partial(..) => c,
        };
        let found = payload.as_ref().map_or(0, |payload| payload.len() as u64);
        payload.filter(|_| found == bytes).ok_or_else(|| {
            Error::data(format!("peer {from} sent {tile:?} in {found} bytes, and a tile of it has {bytes}"))
        })
    }

    fn write(&self, state: &mut State<T>, (row, col): (u64, u64), mut sum: Buffer) -> Result<()> {
        let index = TileIndex { row, col };
        tile::pad::<T>(&mut sum, &self.c.spec, index);
        state.writer.write(index, sum)
    }

    /// Multiplies the panel at hand into the sums of its piece.
    fn compute(
        &self,
        state: &mut State<T>,
        work: &Brick,
        last: bool,
        outbox: &mut Outbox<Tile>,
    ) -> Result<()> {
        for row in work.rows.clone() {
            for col in work.cols.clone() {
                outbox.cancel().check()?;
                let mut sum = match state.sums.remove(&(row, col)) {
                    Some(sum) => sum,
                    None => outbox.pool().take(self.c.spec.tile_bytes())?,
                };
                for inner in work.inner.clone() {
                    let first = inner == self.plan.brick(state.me).inner.start;
                    self.multiply(state, (row, col, inner), &mut sum, !first)?;
                    let flop = self.plan.problem.flop_of(row, col, inner);
                    outbox.add_work(flop);
                    outbox.progress(flop);
                }
                match last {
                    true => self.hand_over(state, (row, col), sum, outbox)?,
                    false => drop(state.sums.insert((row, col), sum)),
                }
            }
        }
        Ok(())
    }

    fn multiply(
        &self,
        state: &State<T>,
        (row, col, inner): (u64, u64, u64),
        sum: &mut Buffer,
        add: bool,
    ) -> Result<()> {
        let a = state.held.get(Operand::A, row, inner)?;
        let b = state.held.get(Operand::B, inner, col)?;
        let stride = self.plan.problem.tile().n as usize;
        let shape = self.plan.problem.valid_of(row, col, inner);
        let packed = (a.elements(), b.elements());
        state.kernel.multiply(sum.elements_mut::<T>(), stride, shape, packed, (add, Part::Whole));
        Ok(())
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
            return self.write(state, at, sum);
        }
        let shard = self.c.spec.shard_of(TileIndex { row: at.0, col: at.1 });
        let owner = self.plan.writer(shard);
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
    const NAME: &'static str = "multiply";
    type Message = Tile;
    type State = State<T>;
    type Output = Vec<ShardRecord>;

    fn init(&self, outbox: &mut Outbox<Tile>) -> Result<State<T>, BoxError> {
        let (pool, cancel) = (outbox.pool().clone(), outbox.cancel().clone());
        let tables = (Table::open_ref(&self.a)?, Table::open_ref(&self.b)?);
        let mut reader = Reader::<T>::new(self.plan.problem, tables, self.plan.kernel, (pool, cancel))?;
        let mut state = State {
            kernel: Kernel::new(self.plan.kernel)?,
            me: outbox.index() as u64,
            next_step: 0,
            reader: ReadAhead::start(move |need| reader.read(need))?,
            writer: WriteBehind::start(self.c.clone(), outbox.host().clone())?,
            held: Held::default(),
            sums: BTreeMap::new(),
            partial: BTreeMap::new(),
        };
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
        self.receive(state, index, inbox)?;
        if index >= self.plan.step_count() {
            return Ok(Flow::Halt);
        }
        let next = self.pass_on(state, index + 1, outbox)?;
        let step = self.plan.step(index);
        let work = self.plan.work(state.me, step);
        if !work.is_empty() {
            if state.sums.is_empty() {
                let start = Instant::now();
                state.writer.wait_for_at_most((self.plan.piece.rows * self.plan.piece.cols) as usize)?;
                outbox.add_write(start.elapsed(), 0);
            }
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
        let more = index + 1 < self.plan.step_count() || self.plan.grid.k > 1;
        Ok(if more { Flow::Continue } else { Flow::Halt })
    }

    fn finish(&self, state: State<T>, context: &Context) -> Result<Vec<ShardRecord>, BoxError> {
        let start = Instant::now();
        let written = state.writer.finish()?;
        context.add_write(start.elapsed(), written.iter().map(|shard| shard.len).sum());
        Ok(written)
    }
}
