//! Reads a file: a range as one stream from the DataNodes, begun again where it breaks.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_core::Stream;
use hama_core::{Error, Result};
use hdfs_native::HdfsError;
use hdfs_native::file::FileReader;

use super::call::{runtime, wait_until};
use super::error::{FSCK, Failed, is_refused_by_all};
use super::names::Names;
use super::web::Web;
use crate::path::StorePath;
use crate::store::StoreReader;

/// The largest file that is read when it is opened. HDFS deletes blocks while a file is open; manifests stay so. A table may
/// have many files open, which hold that much each.
const WHOLE_BYTES: u64 = 64 << 10;
/// Bytes that are asked for at a time: so many may wait in memory for the one who reads.
const REQUEST_BYTES: usize = 2 << 20;
/// How long before a range is asked for again.
const PAUSE: Duration = Duration::from_millis(200);
/// After so many failures it is asked whether there are sound bytes at all.
const FAILURES: u32 = 2;

/// A file open to be read.
pub(super) struct HdfsReader {
    names: Arc<Names>,
    web: Arc<Web>,
    path: StorePath,
    len: u64,
    /// Replaced where it failed: another one knows where the blocks are now.
    file: Mutex<Arc<FileReader>>,
    whole: Option<Vec<u8>>,
}

impl HdfsReader {
    /// Opens the file at `path`.
    pub(super) fn open(names: &Arc<Names>, web: &Arc<Web>, path: StorePath) -> Result<HdfsReader> {
        let file = locate(names, &path)?;
        let mut reader = HdfsReader {
            names: Arc::clone(names),
            web: Arc::clone(web),
            path,
            len: file.file_length() as u64,
            file: Mutex::new(Arc::new(file)),
            whole: None,
        };
        if reader.len <= WHOLE_BYTES {
            let mut bytes = vec![0; reader.len as usize];
            reader.read_at(0, &mut bytes)?;
            reader.whole = Some(bytes);
        }
        Ok(reader)
    }

    fn file(&self) -> Arc<FileReader> {
        Arc::clone(&self.file.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Gives all bytes of a range to `take`, in order. Where a stream breaks, the next one goes on behind what was given,
    /// until nothing has come for as long as calls may take.
    fn stream(&self, offset: u64, len: usize, take: &mut dyn FnMut(&[u8])) -> Result<()> {
        let doing = || format!("cannot read {len} bytes at {offset} of {}", self.names.shown(&self.path));
        if offset.checked_add(len as u64).is_none_or(|end| end > self.len) {
            return Err(Error::data(format!("{}: it has {} bytes", doing(), self.len)));
        }
        let namenode = self.names.namenode();
        let (mut done, mut since, mut failures) = (0, Instant::now(), 0);
        while done < len {
            let before = done;
            let result = self.stream_once(offset as usize, len, &mut done, take);
            if done > before {
                since = Instant::now();
            }
            let Err(failed) = result else { continue };
            failures += 1;
            if failures == FAILURES && is_refused_by_all(&failed) {
                self.check(offset, len, done, &doing)?;
            }
            if since.elapsed() + PAUSE >= namenode.timeout() {
                return Err(namenode.error(&doing(), failed, true));
            }
            std::thread::sleep(PAUSE);
            let file = locate(&self.names, &self.path)?;
            if file.file_length() as u64 != self.len {
                let now = file.file_length();
                return Err(Error::data(format!("{}: it had {} bytes and now has {now}", doing(), self.len)));
            }
            *self.file.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(file);
        }
        Ok(())
    }

    /// An error where HDFS knows that what is left of a range is damaged, so that nothing is worth another try.
    fn check(&self, offset: u64, len: usize, done: usize, doing: &dyn Fn() -> String) -> Result<()> {
        let Some(hosts) = self.web.damaged_on(&self.path, offset + done as u64, len - done) else {
            return Ok(());
        };
        let hosts = hosts.join(", ");
        Err(Error::data(format!("{}: HDFS says that it is damaged on all of {hosts}: {FSCK}", doing())))
    }

    /// One request of what is left of a range.
    fn stream_once(
        &self,
        offset: usize,
        len: usize,
        done: &mut usize,
        take: &mut dyn FnMut(&[u8]),
    ) -> Result<(), Failed> {
        let runtime = runtime().map_err(|e| Failed::NoThreads(e.to_string()))?;
        let (file, timeout) = (self.file(), self.names.namenode().timeout());
        let _runtime = runtime.enter();
        // The client's code runs on this thread here, with the defects that it has.
        let pumped = catch_unwind(AssertUnwindSafe(|| {
            let end = len.min(*done + REQUEST_BYTES);
            let mut stream = pin!(file.read_range_stream(offset + *done, end - *done));
            while *done < end {
                let next = poll_fn(|context| stream.as_mut().poll_next(context));
                match wait_until(Instant::now() + timeout, next) {
                    Some(Some(Ok(bytes))) => {
                        let bytes = &bytes[..bytes.len().min(end - *done)];
                        *done += bytes.len();
                        take(bytes);
                    }
                    Some(Some(Err(error))) => return Err(Failed::Said(error).of_data(timeout)),
                    Some(None) => {
                        let text = "the blocks end before the file does".into();
                        return Err(Failed::Said(HdfsError::DataTransferError(text)));
                    }
                    None => return Err(Failed::Stalled(timeout)),
                }
            }
            Ok(())
        }));
        pumped.unwrap_or(Err(Failed::Panicked))
    }
}

fn locate(names: &Names, path: &StorePath) -> Result<FileReader> {
    let full = names.full(path);
    names.namenode().repeat(
        || format!("cannot open {}", names.shown(path)),
        move |client| {
            let path = full.clone();
            async move { client.read(&path).await }
        },
    )
}

impl StoreReader for HdfsReader {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> Result<()> {
        if let Some(whole) = &self.whole {
            let start = usize::try_from(offset).unwrap_or(usize::MAX);
            let found = start.checked_add(into.len()).and_then(|end| whole.get(start..end));
            if let Some(found) = found {
                into.copy_from_slice(found);
                return Ok(());
            }
        }
        let (len, mut done) = (into.len(), 0);
        self.stream(offset, len, &mut |bytes| {
            into[done..done + bytes.len()].copy_from_slice(bytes);
            done += bytes.len();
        })
    }

    fn read_through(
        &self,
        offset: u64,
        len: usize,
        part: &mut [u8],
        take: &mut dyn FnMut(&[u8]),
    ) -> Result<()> {
        let mut filled = 0;
        self.stream(offset, len, &mut |mut bytes| {
            while !bytes.is_empty() {
                let count = bytes.len().min(part.len() - filled);
                let (now, rest) = bytes.split_at(count);
                part[filled..filled + count].copy_from_slice(now);
                (filled, bytes) = (filled + count, rest);
                if filled == part.len() {
                    take(part);
                    filled = 0;
                }
            }
        })?;
        if filled > 0 {
            take(&part[..filled]);
        }
        Ok(())
    }

    /// A range is a request of its own, so a tile is best read at once.
    fn part_bytes(&self) -> usize {
        usize::MAX
    }
}

impl std::fmt::Debug for HdfsReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "HdfsReader({}, {} bytes)", self.path, self.len)
    }
}
