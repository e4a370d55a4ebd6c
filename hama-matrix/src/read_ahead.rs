//! Reads tiles on a thread of its own, one request ahead of the computation, and packs them.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use hama_core::{Buffer, Cancel, Error, Payload, Pool, Result};
use hama_hdfs::{Table, TileIndex};

/// A tile to read, with whatever the asker knows it by.
pub(crate) struct Wanted<K> {
    pub(crate) key: K,
    pub(crate) table: Table,
    pub(crate) tile: TileIndex,
}

type Tiles<K> = Vec<(K, Payload)>;

/// A thread that reads the tiles of one request after another.
pub(crate) struct ReadAhead<K> {
    requests: Option<Sender<Vec<Wanted<K>>>>,
    answers: Receiver<Result<Tiles<K>>>,
    thread: Option<JoinHandle<()>>,
}

impl<K: Send + 'static> ReadAhead<K> {
    /// Starts the thread. Its buffers come from `pool`. `pack` fills a buffer as long as the tile from the tile
    /// as it is stored.
    pub(crate) fn start(
        pool: Pool,
        cancel: Cancel,
        pack: impl Fn(&K, &Buffer, &mut Buffer) + Send + 'static,
    ) -> Result<ReadAhead<K>> {
        let (requests, inbox) = channel::<Vec<Wanted<K>>>();
        let (outbox, answers) = channel();
        let thread = std::thread::Builder::new()
            .name("read-ahead".into())
            .spawn(move || {
                for request in inbox {
                    let tiles = request.into_iter().map(|wanted| {
                        cancel.check()?;
                        let stored = read(&wanted, &pool)?;
                        let mut packed = pool.take(stored.len())?;
                        pack(&wanted.key, &stored, &mut packed);
                        Ok((wanted.key, packed.freeze()))
                    });
                    let tiles = tiles.collect();
                    if outbox.send(tiles).is_err() {
                        return;
                    }
                }
            })
            .map_err(|e| Error::io("cannot start a thread that reads", e))?;
        Ok(ReadAhead { requests: Some(requests), answers, thread: Some(thread) })
    }

    /// Asks for tiles. Answers come in the order of requests.
    pub(crate) fn request(&self, wanted: Vec<Wanted<K>>) -> Result<()> {
        let requests = self.requests.as_ref().expect("requests are taken until the drop");
        requests.send(wanted).map_err(|_| ended())
    }

    /// Waits for the tiles of the earliest request that is not answered yet.
    pub(crate) fn answer(&self) -> Result<Tiles<K>> {
        self.answers.recv().map_err(|_| ended())?
    }
}

fn read<K>(wanted: &Wanted<K>, pool: &Pool) -> Result<Buffer> {
    let mut buffer = pool.take(wanted.table.spec().tile_bytes())?;
    wanted.table.read_tile(wanted.tile, &mut buffer)?;
    Ok(buffer)
}

fn ended() -> Error {
    Error::internal("the thread that reads tiles has ended")
}

impl<K> Drop for ReadAhead<K> {
    fn drop(&mut self) {
        self.requests = None;
        if let Some(thread) = self.thread.take() {
            // A panic of it has been seen as a missing answer.
            let _ = thread.join();
        }
    }
}
