//! Writes a file: under a hidden name, again under another one where that fails, and gives it its name at the end.

use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use hama_core::{Error, ErrorKind, Result};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;

use super::call::{runtime, wait_until};
use super::error::{Failed, may_pass};
use super::lock::Locks;
use super::names::Names;
use super::spool::Spool;
use super::upload::Upload;
use super::web::{self, Web};
use crate::path::StorePath;
use crate::store::StoreWriter;

/// How long before a file is written again; it doubles, up to the second.
const PAUSE: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// How long the removal of a file that was given up may take.
const CLEAR: Duration = Duration::from_secs(5);
/// How often a file is sent by the client until the web server of the NameNode is asked, whose DataNodes run the pipeline.
const NATIVE_TRIES: usize = 2;
/// How many files are sent while they are written; the others are when they are whole. Each holds a chunk while it waits.
const EARLY_MAX: usize = 8;

static EARLY: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(EARLY_MAX)));

/// A file being written.
#[derive(Debug)]
pub(super) struct HdfsWriter {
    names: Arc<Names>,
    locks: Arc<Locks>,
    web: Arc<Web>,
    path: StorePath,
    dir: StorePath,
    spool: Arc<Spool>,
    /// About how long it will be.
    len: u64,
    sent: Option<Sent>,
}

/// A file that is being sent.
#[derive(Debug)]
struct Sent {
    at: StorePath,
    task: JoinHandle<Result<(), Failed>>,
    _early: Option<OwnedSemaphorePermit>,
}

impl HdfsWriter {
    /// Starts a file of about `len` bytes that will lie under `path`, whose directory is there.
    pub(super) fn new(
        names: &Arc<Names>,
        locks: &Arc<Locks>,
        web: &Arc<Web>,
        path: StorePath,
        len: u64,
    ) -> Result<HdfsWriter> {
        let dir = path.parent().ok_or_else(|| Error::internal("a file without a directory"))?;
        let options = &names.namenode().configuration().options;
        let spool = Arc::new(Spool::new(options.spill_dir.as_deref()));
        Ok(HdfsWriter {
            names: Arc::clone(names),
            locks: Arc::clone(locks),
            web: Arc::clone(web),
            path,
            dir,
            spool,
            len,
            sent: None,
        })
    }

    fn send(&self, len: u64, early: Option<OwnedSemaphorePermit>) -> Result<Sent> {
        let namenode = self.names.namenode();
        let at = self.locks.unfinished(&self.dir)?;
        let configuration = namenode.configuration();
        let upload = Upload {
            lane: namenode.lanes().take(configuration)?,
            lanes: Arc::clone(namenode.lanes()),
            path: self.names.full(&at),
            spool: Arc::clone(&self.spool),
            block_size: configuration.block_bytes(len),
            mode: self.names.file_mode(),
            replication: configuration.options.replication,
            stall: configuration.stall(),
            silence: namenode.timeout() / 2,
            closing: namenode.timeout() * 2,
        };
        Ok(Sent { at, task: runtime()?.spawn(upload.run()), _early: early })
    }

    /// Waits until a file is sent. Each of its steps has an end, so this has.
    fn wait(sent: &mut Sent) -> Result<(), Failed> {
        let far = Duration::from_secs(24 * 60 * 60);
        match wait_until(Instant::now() + far, &mut sent.task) {
            Some(Ok(result)) => result,
            Some(Err(_)) => Err(Failed::Panicked),
            None => Err(Failed::TimedOut),
        }
    }

    /// Sends the file until it is there; under which name is returned.
    fn send_all(&mut self) -> Result<StorePath> {
        let namenode = Arc::clone(self.names.namenode());
        let len = self.spool.written().len;
        let (mut end, mut pause) = (None, PAUSE);
        for tried in 1.. {
            if tried > NATIVE_TRIES
                && let Some(end) = end
                && let Some(at) = self.send_by_web(len, end)?
            {
                return Ok(at);
            }
            let mut sent = match self.sent.take() {
                Some(sent) => sent,
                None => self.send(len, None)?,
            };
            let failed = match HdfsWriter::wait(&mut sent) {
                Ok(()) => return Ok(sent.at),
                Err(failed) => failed,
            };
            namenode.note(&failed);
            // Sending may take as long as it takes, but when it failed once it has to be done within the time of a call.
            let end = *end.get_or_insert_with(|| Instant::now() + namenode.timeout());
            self.clear(&sent.at);
            let doing = || format!("cannot write {} of {len} bytes", self.names.shown(&self.path));
            let is_over = Instant::now() + pause >= end || namenode.is_silent();
            if is_over || !may_pass(&failed) {
                return Err(namenode.error(&doing(), failed, true));
            }
            tracing::debug!(file = %self.path, ?failed, "written again");
            std::thread::sleep(pause);
            pause = (pause * 2).min(PAUSE_MAX);
        }
        Err(Error::internal("a file was written no more"))
    }

    /// Sends the file through the NameNode's web server, once, which has to answer until `end`; `None` where that did not
    /// work either.
    fn send_by_web(&self, len: u64, end: Instant) -> Result<Option<StorePath>> {
        let at = self.locks.unfinished(&self.dir)?;
        let configuration = self.names.namenode().configuration();
        let upload = web::Upload {
            len,
            block_size: configuration.block_bytes(len),
            replication: configuration.options.replication,
            mode: self.names.file_mode(),
            excluded: Vec::new(),
            end,
        };
        match self.web.create(&at, &upload, &mut self.spool.reader()) {
            Ok(()) => Ok(Some(at)),
            Err(error) => {
                tracing::debug!(file = %self.path, %error, "not written by the web server either");
                self.clear(&at);
                Ok(None)
            }
        }
    }

    /// Deletes what was given up. What stays is swept when this process is gone.
    fn clear(&self, at: &StorePath) {
        let namenode = self.names.namenode();
        let (client, path) = (namenode.client(), self.names.full(at));
        let limit = CLEAR.min(namenode.patience());
        let cleared = super::call::run(limit, async move { client.delete(&path, false).await });
        if let Err(error) = cleared {
            tracing::debug!(file = %at, ?error, "an unfinished file stays until it is swept");
        }
    }
}

impl StoreWriter for HdfsWriter {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.spool.append(bytes)?;
        if self.sent.is_none() && self.spool.is_large() {
            // Sending begins while the rest is still computed.
            if let Ok(early) = Arc::clone(&EARLY).try_acquire_owned() {
                self.sent = Some(self.send(self.len, Some(early))?);
            }
        }
        Ok(())
    }

    fn close(mut self: Box<Self>) -> Result<()> {
        self.spool.end();
        let at = self.send_all()?;
        let renamed = self.names.rename_own(&at, &self.path);
        if let Err(error) = &renamed
            && error.kind() != ErrorKind::Unavailable
        {
            self.clear(&at);
        }
        renamed
    }
}

impl Drop for HdfsWriter {
    fn drop(&mut self) {
        if let Some(mut sent) = self.sent.take() {
            sent.task.abort();
            let _ = wait_until(Instant::now() + CLEAR, &mut sent.task);
            self.clear(&sent.at);
        }
    }
}
