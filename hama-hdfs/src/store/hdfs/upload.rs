//! Sends the bytes of a spool to a file in HDFS, as they come, once.

use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use hdfs_native::file::FileWriter;
use hdfs_native::{Client, HdfsError, WriteOptions};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::call::within;
use super::error::Failed;
use super::spool::Spool;

/// Bytes that are handed over at a time.
const CHUNK_BYTES: usize = 512 << 10;
/// Chunks on their way to DataNodes that have not acknowledged them yet: of all files, and of each. So many bytes does
/// writing take beside the memory that is given: 24 MiB.
const CHUNKS_MAX: usize = 48;
const CHUNKS_OF_FILE_MAX: usize = 16;
/// HDFS takes no smaller blocks unless it is told to, and only multiples of its checksums' unit.
const BLOCK_BYTES_MIN: u64 = 1 << 20;
const BLOCK_UNIT: u64 = 512;
/// How long before the first look whether a file is closed.
const CLOSE_PAUSE: Duration = Duration::from_millis(4);
const CLOSE_PAUSE_MAX: Duration = Duration::from_millis(100);

static CHUNKS: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(CHUNKS_MAX)));
/// Chunks that were used before, whose pages are in memory.
static IDLE: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

/// Bytes on their way. The client holds them until they are acknowledged, and then they may be used again.
struct Chunk {
    buffer: Vec<u8>,
    len: usize,
    _permits: (OwnedSemaphorePermit, OwnedSemaphorePermit),
}

impl AsRef<[u8]> for Chunk {
    fn as_ref(&self) -> &[u8] {
        &self.buffer[..self.len]
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        IDLE.lock().unwrap_or_else(PoisonError::into_inner).push(std::mem::take(&mut self.buffer));
    }
}

/// One file to be sent.
#[derive(Clone, Debug)]
pub(super) struct Upload {
    pub(super) client: Client,
    /// The path in HDFS.
    pub(super) path: String,
    pub(super) spool: Arc<Spool>,
    /// About how long it will be.
    pub(super) len: u64,
    /// Its permissions.
    pub(super) mode: u32,
    pub(super) replication: Option<u16>,
    /// How long one step may take.
    pub(super) stall: Duration,
    /// How long the end may take, in which the DataNodes wait for their disks.
    pub(super) closing: Duration,
}

impl Upload {
    /// Makes the file, sends the bytes until the spool says that nothing follows, and closes it.
    pub(super) async fn run(self) -> Result<(), Failed> {
        let options = WriteOptions {
            block_size: Some(block_bytes(self.len)),
            replication: self.replication.map(u32::from),
            permission: self.mode,
            create_parent: false,
            ..WriteOptions::default()
        };
        let mut file = within(self.stall, self.client.create(&self.path, options)).await?;
        let len = self.send(&mut file).await?;
        match tokio::time::timeout(self.closing, self.close(file, len)).await {
            Ok(result) => result.map_err(Failed::Said),
            Err(_) => Err(Failed::TimedOut),
        }
    }

    /// Sends all bytes, and says how many there were.
    async fn send(&self, file: &mut FileWriter) -> Result<u64, Failed> {
        let mut written = self.spool.watch();
        let own = Arc::new(Semaphore::new(CHUNKS_OF_FILE_MAX));
        let mut at = 0;
        loop {
            let now = *written.borrow_and_update();
            while at < now.len {
                let len = usize::try_from(now.len - at).unwrap_or(usize::MAX).min(CHUNK_BYTES);
                let chunk = within(self.stall, self.chunk(at, len, &own)).await?;
                within(self.stall, file.write_bytes(Bytes::from_owner(chunk))).await?;
                at += len as u64;
            }
            if now.is_all {
                return Ok(at);
            }
            if written.changed().await.is_err() {
                let gone = HdfsError::OperationFailed("its writer is gone".into());
                return Err(Failed::Said(gone));
            }
        }
    }

    async fn chunk(&self, at: u64, len: usize, own: &Arc<Semaphore>) -> Result<Chunk, HdfsError> {
        let closed = |_| HdfsError::OperationFailed("nothing is written any more".into());
        let of_file = Arc::clone(own).acquire_owned().await.map_err(closed)?;
        let of_all = Arc::clone(&CHUNKS).acquire_owned().await.map_err(closed)?;
        let idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut buffer = idle.unwrap_or_else(|| vec![0; CHUNK_BYTES]);
        self.spool.read_at(at, &mut buffer[..len])?;
        Ok(Chunk { buffer, len, _permits: (of_file, of_all) })
    }

    /// Closes the file.
    ///
    /// The client asks the NameNode to complete the file right when the last DataNode has acknowledged, which is before the
    /// NameNode knows that, and then sleeps for half a second. So look whether the NameNode knows by now: then the file is
    /// only to be asked for again.
    async fn close(&self, mut file: FileWriter, len: u64) -> Result<(), HdfsError> {
        loop {
            let mut closing = std::pin::pin!(file.close());
            let mut pause = CLOSE_PAUSE;
            loop {
                if let Ok(result) = tokio::time::timeout(pause, &mut closing).await {
                    return result;
                }
                if len > 0 && self.is_stored(len).await {
                    // It was asked for, or the answer is on its way.
                    match tokio::time::timeout(CLOSE_PAUSE, &mut closing).await {
                        Ok(result) => return result,
                        Err(_) => break,
                    }
                }
                pause = (pause * 2).min(CLOSE_PAUSE_MAX);
            }
        }
    }

    /// Whether the NameNode knows that the last block is whole. It counts the bytes of a block from then on only.
    async fn is_stored(&self, len: u64) -> bool {
        self.client.read(&self.path).await.is_ok_and(|file| file.file_length() as u64 == len)
    }
}

/// The size of the block that a file of about `len` bytes fills.
pub(super) fn block_bytes(len: u64) -> u64 {
    len.max(BLOCK_BYTES_MIN).next_multiple_of(BLOCK_UNIT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_one_block() {
        for (len, block) in [
            (0, 1 << 20),
            (1, 1 << 20),
            (1 << 20, 1 << 20),
            ((1 << 20) + 1, (1 << 20) + 512),
            (8_003_652, 8_003_968),
        ] {
            assert_eq!(block_bytes(len), block);
        }
    }
}
