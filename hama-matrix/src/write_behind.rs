//! Writes tiles into the shards of a table on a thread of its own, behind the computation.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use hama_core::{Buffer, Error, Host, Result};
use hama_hdfs::{ShardRecord, ShardWriter, TableTarget, TileIndex};

/// A thread that writes the tiles handed to it and closes each shard when it is complete.
pub(crate) struct WriteBehind {
    tiles: Option<Sender<(TileIndex, Buffer)>>,
    waiting: Arc<Waiting>,
    thread: Option<JoinHandle<Result<Vec<ShardRecord>>>>,
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
        let (tiles, inbox) = channel();
        let waiting = Arc::new(Waiting::default());
        let theirs = Arc::clone(&waiting);
        let thread = std::thread::Builder::new()
            .name("write-behind".into())
            .spawn(move || write_all(&target, &host, &inbox, &theirs))
            .map_err(|e| Error::io("cannot start a thread that writes", e))?;
        Ok(WriteBehind { tiles: Some(tiles), waiting, thread: Some(thread) })
    }

    /// Hands over a whole tile, padding included. It does not wait.
    pub(crate) fn write(&mut self, tile: TileIndex, buffer: Buffer) -> Result<()> {
        *self.waiting.count.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        let tiles = self.tiles.as_ref().expect("tiles are taken until the end");
        match tiles.send((tile, buffer)) {
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
    pub(crate) fn finish(mut self) -> Result<Vec<ShardRecord>> {
        self.tiles = None;
        self.join()
    }

    fn join(&mut self) -> Result<Vec<ShardRecord>> {
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
            // Its shards are part of a table that is given up.
            let _ = thread.join();
        }
    }
}

fn write_all(
    target: &TableTarget,
    host: &Host,
    tiles: &Receiver<(TileIndex, Buffer)>,
    waiting: &Waiting,
) -> Result<Vec<ShardRecord>> {
    let mut open = BTreeMap::new();
    let mut written = Vec::new();
    for (tile, buffer) in tiles {
        if waiting.given_up.load(Ordering::Relaxed) {
            return Ok(written);
        }
        let index = target.spec.shard_of(tile);
        let key = (index.row, index.col);
        let mut shard = match open.remove(&key) {
            Some(shard) => shard,
            None => ShardWriter::create(target, index, host)?,
        };
        shard.write_tile(tile, &buffer)?;
        drop(buffer);
        if shard.is_complete() {
            written.push(shard.finish()?);
        } else {
            open.insert(key, shard);
        }
        *waiting.count.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        waiting.changed.notify_all();
    }
    match open.keys().next() {
        None => Ok(written),
        Some((row, col)) => {
            Err(Error::internal(format!("shard ({row}, {col}) was left without all of its tiles")))
        }
    }
}
