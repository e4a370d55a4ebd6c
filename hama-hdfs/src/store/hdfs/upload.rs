//! Sends the bytes of a spool to a file in HDFS, as they come, once.

use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use hdfs_native::file::FileWriter;
use hdfs_native::{HdfsError, WriteOptions};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::call::within;
use super::error::{self, Failed};
use super::lane::{Lane, Lanes};
use super::spool::Spool;

/// Bytes that are handed over at a time.
const CHUNK_BYTES: usize = 512 << 10;
/// Chunks on their way to DataNodes that have not acknowledged them yet: of all files, and of each. So many bytes does
/// writing take beside the memory that is given: 24 MiB.
const CHUNKS_MAX: usize = 48;
const CHUNKS_OF_FILE_MAX: usize = 16;
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
#[derive(Debug)]
pub(super) struct Upload {
    /// What it runs on, which ends with it where it fails or is dropped, and where that goes else.
    pub(super) lane: Lane,
    pub(super) lanes: Arc<Lanes>,
    /// The path in HDFS.
    pub(super) path: String,
    pub(super) spool: Arc<Spool>,
    pub(super) block_size: u64,
    /// Its permissions.
    pub(super) mode: u32,
    pub(super) replication: Option<u16>,
    /// How long the DataNodes may take nothing.
    pub(super) stall: Duration,
    /// How long the NameNode may say nothing.
    pub(super) silence: Duration,
    /// How long the end may take, in which the DataNodes wait for their disks.
    pub(super) closing: Duration,
}

impl Upload {
    /// Makes the file, sends the bytes until the spool says that nothing follows, and closes it.
    pub(super) async fn run(self) -> Result<(), Failed> {
        let done = self.send_and_close().await;
        match &done {
            Ok(()) => self.lanes.put_back(self.lane),
            // What did not lead to the NameNode or a DataNode here may not do so for the others.
            Err(_) => self.lanes.clear(),
        }
        done
    }

    async fn send_and_close(&self) -> Result<(), Failed> {
        let options = WriteOptions {
            block_size: Some(self.block_size),
            replication: self.replication.map(u32::from),
            permission: self.mode,
            create_parent: false,
            ..WriteOptions::default()
        };
        let mut file = within(self.stall, self.lane.client().create(&self.path, options)).await?;
        let len = self.send(&mut file).await?;
        match tokio::time::timeout(self.closing, self.close(file, len)).await {
            Ok(result) => result,
            Err(_) => Err(Failed::Stalled(self.closing)),
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
                let chunk = self.chunk(at, len, &own).await?;
                let taken = within(self.stall, file.write_bytes(Bytes::from_owner(chunk))).await;
                taken.map_err(|failed| failed.of_data(self.stall))?;
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

    async fn chunk(&self, at: u64, len: usize, own: &Arc<Semaphore>) -> Result<Chunk, Failed> {
        let of_file = tokio::time::timeout(self.stall, Arc::clone(own).acquire_owned()).await;
        let of_file = of_file.map_err(|_| Failed::Stalled(self.stall))?.map_err(closed)?;
        let of_all = turn(&CHUNKS, own, self.stall).await?;
        let idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut buffer = idle.unwrap_or_else(|| vec![0; CHUNK_BYTES]);
        let spool = Arc::clone(&self.spool);
        let read = move || spool.read_at(at, &mut buffer[..len]).map(|()| buffer);
        // A disk that is busy holds up nothing else.
        let buffer = match self.spool.is_large() {
            true => tokio::task::spawn_blocking(read).await.map_err(|_| Failed::Panicked)?,
            false => read(),
        };
        let buffer = buffer.map_err(|error| Failed::Said(HdfsError::IOError(error)))?;
        Ok(Chunk { buffer, len, _permits: (of_file, of_all) })
    }

    /// Closes the file.
    ///
    /// The client asks the NameNode to complete the file right when the last DataNode has acknowledged, which is before the
    /// NameNode knows that, and then sleeps for half a second. So look whether the NameNode knows by now: then ask for the
    /// file once again, and wait for the answer.
    async fn close(&self, mut file: FileWriter, len: u64) -> Result<(), Failed> {
        if let Some(result) = self.close_until_stored(&mut file, len).await? {
            return result.map_err(Failed::Said);
        }
        let closed = within(self.silence, file.close()).await;
        // It may have been completed when it was asked for first: its blocks count as whole a while before that is answered.
        let is_not_open = matches!(&closed, Err(Failed::Said(error)) if error::is_not_open(error));
        if is_not_open && self.is_stored(len).await? { Ok(()) } else { closed }
    }

    /// Closes the file, or gives up, with `None`, when the NameNode says that the last block is whole and no answer comes.
    async fn close_until_stored(
        &self,
        file: &mut FileWriter,
        len: u64,
    ) -> Result<Option<Result<(), HdfsError>>, Failed> {
        let mut closing = std::pin::pin!(file.close());
        let mut pause = CLOSE_PAUSE;
        loop {
            if let Ok(result) = tokio::time::timeout(pause, &mut closing).await {
                return Ok(Some(result));
            }
            if len > 0 && self.is_stored(len).await? {
                return Ok(tokio::time::timeout(CLOSE_PAUSE, &mut closing).await.ok());
            }
            pause = (pause * 2).min(CLOSE_PAUSE_MAX);
        }
    }

    /// Whether the NameNode knows that the last block is whole. It counts the bytes of a block from then on only.
    async fn is_stored(&self, len: u64) -> Result<bool, Failed> {
        match within(self.silence, self.lane.client().read(&self.path)).await {
            Ok(file) => Ok(file.file_length() as u64 == len),
            Err(Failed::Said(_)) => Ok(false),
            Err(failed) => Err(failed),
        }
    }
}

/// Waits until one chunk more of all files may be on its way. Others may take long, but where a file's `own` chunks are on
/// their way and none of them arrives for as long as `stall`, its DataNodes take nothing.
async fn turn(
    all: &Arc<Semaphore>,
    own: &Semaphore,
    stall: Duration,
) -> Result<OwnedSemaphorePermit, Failed> {
    let mut waiting = std::pin::pin!(Arc::clone(all).acquire_owned());
    loop {
        let before = own.available_permits();
        match tokio::time::timeout(stall, &mut waiting).await {
            Ok(permit) => return permit.map_err(closed),
            // The one that is waited for counts, and one whose end lies in a packet that is not full.
            Err(_) if before + 2 < CHUNKS_OF_FILE_MAX && own.available_permits() == before => {
                return Err(Failed::Stalled(stall));
            }
            Err(_) => {}
        }
    }
}

fn closed(_: tokio::sync::AcquireError) -> Failed {
    Failed::Said(HdfsError::OperationFailed("nothing is written any more".into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::hdfs::call::runtime;

    const STALL: Duration = Duration::from_millis(50);

    #[test]
    fn waiting_for_other_files_is_no_silence_of_a_datanode() {
        let all = Arc::new(Semaphore::new(1));
        let own = Arc::new(Semaphore::new(CHUNKS_OF_FILE_MAX));
        let runtime = runtime().unwrap();
        let of_other = runtime.block_on(turn(&all, &own, STALL)).unwrap();
        runtime.spawn(async move {
            tokio::time::sleep(STALL * 6).await;
            drop(of_other);
        });
        let _asked = own.try_acquire().unwrap();
        drop(runtime.block_on(turn(&all, &own, STALL)).unwrap());
    }

    #[test]
    fn files_whose_chunks_all_lie_with_silent_datanodes_do_not_wait_for_each_other() {
        let (all, own) = (Arc::new(Semaphore::new(0)), Semaphore::new(CHUNKS_OF_FILE_MAX));
        let _sent = own.try_acquire_many(3).unwrap();
        let failed = runtime().unwrap().block_on(turn(&all, &own, STALL)).unwrap_err();
        assert!(matches!(failed, Failed::Stalled(STALL)), "{failed:?}");
    }
}
