//! Writes tiles into the shards of a table, or into a file, on a thread of its own, behind the computation.
//!
//! A tile of a symmetric matrix may be written at two places, once as it is and once transposed: one buffer
//! waits for both.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use hama_core::{Buffer, Error, Host, Payload, Result};
use hama_hdfs::{ElementType, ShardWriter, TableTarget, TileIndex};

use crate::npy::NpyWriter;
use crate::target::{Target, Written};
use crate::transpose::transpose;

/// A thread that writes the tiles handed to it and closes each shard when it is complete.
pub(crate) struct WriteBehind {
    tiles: Option<Sender<Item>>,
    waiting: Arc<Waiting>,
    thread: Option<JoinHandle<Result<Written>>>,
}

/// A tile that waits.
struct Item {
    tile: TileIndex,
    bytes: Payload,
    places: Places,
}

/// Where a tile is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Places {
    /// At its own place.
    Own,
    /// At the place that mirrors its own, transposed.
    Mirror,
    /// At both.
    Both,
}

/// How many tiles have been handed over and not been written.
#[derive(Default)]
struct Waiting {
    count: Mutex<usize>,
    given_up: AtomicBool,
    changed: Condvar,
}

impl WriteBehind {
    /// Starts the thread that writes shards of `target` as `host`.
    pub(crate) fn start(target: TableTarget, host: Host) -> Result<WriteBehind> {
        WriteBehind::start_mirroring(Target::Table(target), host, None)
    }

    /// As [`start`](Self::start), with a buffer to transpose tiles into, as large as a tile, where any will be
    /// mirrored.
    pub(crate) fn start_mirroring(target: Target, host: Host, mirror: Option<Buffer>) -> Result<WriteBehind> {
        let (tiles, inbox) = channel();
        let waiting = Arc::new(Waiting::default());
        let theirs = Arc::clone(&waiting);
        let thread = std::thread::Builder::new()
            .name("write-behind".into())
            .spawn(move || Writer::new(&target, &host, mirror).write_all(&inbox, &theirs))
            .map_err(|e| Error::io("cannot start a thread that writes", e))?;
        Ok(WriteBehind { tiles: Some(tiles), waiting, thread: Some(thread) })
    }

    /// Hands over a whole tile, padding included. It does not wait.
    pub(crate) fn write(&mut self, tile: TileIndex, buffer: Buffer) -> Result<()> {
        self.write_at(tile, buffer.freeze(), Places::Own)
    }

    /// Hands over a whole tile, padding included, that others may hold too. It does not wait.
    pub(crate) fn write_at(&mut self, tile: TileIndex, bytes: Payload, places: Places) -> Result<()> {
        *self.waiting.count.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        let tiles = self.tiles.as_ref().expect("tiles are taken until the end");
        match tiles.send(Item { tile, bytes, places }) {
            Ok(()) => Ok(()),
            Err(_) => Err(self.failure()),
        }
    }

    /// Waits until at most `count` tiles wait to be written.
    pub(crate) fn wait_for_at_most(&mut self, count: usize) -> Result<()> {
        let mut waiting = self.waiting.count.lock().unwrap_or_else(PoisonError::into_inner);
        while *waiting > count {
            if self.thread.as_ref().is_none_or(JoinHandle::is_finished) {
                drop(waiting);
                return Err(self.failure());
            }
            // A thread that panicked cannot wake anybody, so look now and then.
            let wait = self.waiting.changed.wait_timeout(waiting, Duration::from_millis(50));
            waiting = wait.unwrap_or_else(PoisonError::into_inner).0;
        }
        Ok(())
    }

    /// Waits until all is written and durable, and returns what was written.
    ///
    /// # Errors
    /// Those of the store, and `Internal` where a shard lacks tiles.
    pub(crate) fn finish(mut self) -> Result<Written> {
        self.tiles = None;
        self.join()
    }

    fn join(&mut self) -> Result<Written> {
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(result)) => result,
            _ => Err(Error::internal("the thread that writes tiles has ended by itself")),
        }
    }

    fn failure(&mut self) -> Error {
        self.tiles = None;
        self.join().err().unwrap_or_else(|| Error::internal("the thread that writes tiles ended early"))
    }
}

impl Drop for WriteBehind {
    fn drop(&mut self) {
        self.waiting.given_up.store(true, Ordering::Relaxed);
        self.tiles = None;
        if let Some(thread) = self.thread.take() {
            // What it writes is part of a result that is given up.
            let _ = thread.join();
        }
    }
}

/// The shards that are being written, or the file.
struct Writer<'a> {
    target: &'a Target,
    host: &'a Host,
    mirror: Option<Buffer>,
    open: BTreeMap<(u64, u64), ShardWriter>,
    file: Option<NpyWriter>,
    written: Written,
}

impl<'a> Writer<'a> {
    fn new(target: &'a Target, host: &'a Host, mirror: Option<Buffer>) -> Writer<'a> {
        Writer { target, host, mirror, open: BTreeMap::new(), file: None, written: Written::default() }
    }

    fn write_all(mut self, tiles: &Receiver<Item>, waiting: &Waiting) -> Result<Written> {
        for Item { tile, bytes, places } in tiles {
            if waiting.given_up.load(Ordering::Relaxed) {
                return Ok(self.written);
            }
            if places != Places::Mirror {
                self.write(tile, &bytes)?;
            }
            if places != Places::Own {
                self.write_mirrored(tile, &bytes)?;
            }
            drop(bytes);
            *waiting.count.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
            waiting.changed.notify_all();
        }
        match self.open.keys().next() {
            None => Ok(self.written),
            Some((row, col)) => {
                Err(Error::internal(format!("shard ({row}, {col}) was left without all of its tiles")))
            }
        }
    }

    fn write(&mut self, tile: TileIndex, bytes: &[u8]) -> Result<()> {
        self.written.tiles += 1;
        match self.target {
            Target::Table(table) => self.write_to_shard(table, tile, bytes),
            Target::Npy(target) => {
                let file = match self.file.take() {
                    Some(file) => file,
                    None => NpyWriter::open(target)?,
                };
                self.written.bytes += self.file.insert(file).write_tile(tile, bytes)?;
                Ok(())
            }
        }
    }

    fn write_to_shard(&mut self, table: &TableTarget, tile: TileIndex, bytes: &[u8]) -> Result<()> {
        let index = table.spec.shard_of(tile);
        let key = (index.row, index.col);
        let mut shard = match self.open.remove(&key) {
            Some(shard) => shard,
            None => ShardWriter::create(table, index, self.host)?,
        };
        shard.write_tile(tile, bytes)?;
        if shard.is_complete() {
            let record = shard.finish()?;
            self.written.bytes += record.len;
            self.written.shards.push(record);
        } else {
            self.open.insert(key, shard);
        }
        Ok(())
    }

    fn write_mirrored(&mut self, tile: TileIndex, bytes: &Payload) -> Result<()> {
        let spec = self.target.spec();
        let Some(mut mirror) = self.mirror.take().filter(|_| spec.tile.rows == spec.tile.cols) else {
            return Err(Error::internal(format!("a tile of {} has no mirror image", spec.tile)));
        };
        let n = spec.tile.rows as usize;
        match spec.element {
            ElementType::F64 => transpose::<f64>(bytes.elements(), mirror.elements_mut(), n),
            ElementType::F32 => transpose::<f32>(bytes.elements(), mirror.elements_mut(), n),
        }
        let written = self.write(TileIndex { row: tile.col, col: tile.row }, &mirror);
        self.mirror = Some(mirror);
        written
    }
}
