//! A client's way to the master: questions and replies for threads that wait.

use std::fs::File;
use std::future::Future;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::runtime::Runtime;

use crate::cancel::Cancel;
use crate::cluster::files::digest_of;
use crate::cluster::model::ids::Digest;
use crate::cluster::model::question::{Question, Reply};
use crate::cluster::options::{ConnectOptions, token};
use crate::cluster::rpc::client::{Control, Parts};
use crate::cluster::stop::stopped;
use crate::error::{Error, ErrorKind, Result};
use crate::message::codec;

/// How long a reply may take: the master holds it for two seconds.
const REPLY_MAX: Duration = Duration::from_secs(10);
/// How long a master that is away is waited for, and how often it is tried.
const AWAY_MAX: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(250);

/// A client of a cluster. Clones share the connection.
#[derive(Clone, Debug)]
pub(crate) struct Client(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// There until it is dropped.
    runtime: Option<Runtime>,
    control: Control,
    /// The executable that was uploaded last, as it was then.
    uploaded: Mutex<Option<(FileStamp, Digest)>>,
}

/// Which file is at a path, and that nobody has written to it since.
#[derive(Clone, Debug, PartialEq, Eq)]
struct FileStamp {
    path: PathBuf,
    file: (u64, u64),
    bytes: u64,
    changed: (i64, i64),
}

impl FileStamp {
    fn of(path: &Path) -> Result<FileStamp> {
        let file = std::fs::metadata(path);
        let file = file.map_err(|e| Error::io(format!("cannot read {}", path.display()), e))?;
        Ok(FileStamp {
            path: path.to_owned(),
            file: (file.dev(), file.ino()),
            bytes: file.len(),
            changed: (file.mtime(), file.mtime_nsec()),
        })
    }
}

impl Client {
    /// # Errors
    /// `Invalid` for an address or a token that cannot be; what the system refuses. Nobody is asked yet.
    pub(crate) fn new(options: &ConnectOptions) -> Result<Client> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.map_err(|e| Error::io("cannot start the thread of a client", e))?;
        let control = {
            let _within = runtime.enter();
            Control::to(&options.master, token(options.token_file.as_deref())?)?
        };
        Ok(Client(Arc::new(Shared { runtime: Some(runtime), control, uploaded: Mutex::default() })))
    }

    /// Asks once.
    ///
    /// # Errors
    /// What the master says, and `Unavailable` where it says nothing.
    pub(crate) fn ask(&self, question: &Question) -> Result<Reply> {
        let control = self.0.control.clone();
        let bytes = encoded(question)?;
        decoded(&self.wait_for(async move { control.ask(bytes, REPLY_MAX).await })?)
    }

    /// Asks until somebody replies, for a minute.
    ///
    /// # Errors
    /// As [`ask`](Client::ask); `Cancelled` when `cancel` fires before.
    pub(crate) fn ask_again(&self, question: &Question, cancel: &Cancel) -> Result<Reply> {
        let bytes = encoded(question)?;
        let until = Instant::now() + AWAY_MAX;
        loop {
            cancel.check()?;
            let (control, bytes, stop) = (self.0.control.clone(), bytes.clone(), cancel.clone());
            let asked = async move {
                tokio::select! {
                    reply = control.ask(bytes, REPLY_MAX) => reply,
                    () = stopped(&stop) => Err(Error::new(ErrorKind::Cancelled, "it was cancelled")),
                }
            };
            match self.wait_for(asked).and_then(|bytes| decoded(&bytes)) {
                Err(error) if error.kind() == ErrorKind::Unavailable && Instant::now() < until => {
                    tracing::debug!(%error, "the master is away");
                    std::thread::sleep(PAUSE);
                }
                replied => return replied,
            }
        }
    }

    /// Gives the master an executable, unless it has it.
    ///
    /// # Errors
    /// What reading gives, and as [`ask_again`](Client::ask_again).
    pub(crate) fn upload(&self, path: &Path, cancel: &Cancel) -> Result<Digest> {
        let known = self.0.uploaded.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let stamp = FileStamp::of(path)?;
        let digest = match known {
            Some((known, digest)) if known == stamp => digest,
            _ => digest_of(path)?,
        };
        let until = Instant::now() + AWAY_MAX;
        while self.ask_again(&Question::Has(digest), cancel)? != Reply::Has(true) {
            match self.send_whole(path, digest) {
                Err(error) if error.kind() == ErrorKind::Unavailable && Instant::now() < until => {
                    tracing::debug!(%error, "the master is away");
                    std::thread::sleep(PAUSE);
                }
                Err(error) => return Err(error),
                Ok(()) => break,
            }
        }
        *self.0.uploaded.lock().unwrap_or_else(PoisonError::into_inner) = Some((stamp, digest));
        Ok(digest)
    }

    /// Sends the master an executable that it does not have.
    fn send_whole(&self, path: &Path, digest: Digest) -> Result<()> {
        let file = File::open(path).map_err(|e| Error::io(format!("cannot read {}", path.display()), e))?;
        let control = self.0.control.clone();
        let (failed, failure) = mpsc::channel();
        let name = self.wait_for(async move { control.upload(Parts { file, failed }).await })?;
        if let Ok(error) = failure.try_recv() {
            return Err(Error::io(format!("cannot read {}", path.display()), error));
        }
        if *name != digest.0 {
            let message = format!("cannot upload {}: it changed meanwhile", path.display());
            return Err(Error::new(ErrorKind::Conflict, message));
        }
        Ok(())
    }

    /// Waits on this thread, which may be one of another runtime.
    fn wait_for<T: Send + 'static>(
        &self,
        what: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let gone = || Error::internal("the thread of a client is gone");
        let runtime = self.0.runtime.as_ref().ok_or_else(gone)?;
        let (send, done) = mpsc::sync_channel(1);
        runtime.spawn(async move {
            // Nobody may wait any more.
            let _ = send.send(what.await);
        });
        done.recv().map_err(|_| gone())?
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // It may be dropped on a thread of another runtime, where nothing may wait.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn encoded(question: &Question) -> Result<Bytes> {
    let mut bytes = Vec::new();
    codec::encode_word(question, "a question to the master", &mut bytes)?;
    Ok(bytes.into())
}

fn decoded(bytes: &[u8]) -> Result<Reply> {
    match codec::decode_word(bytes, "a reply of the master")? {
        Reply::Failed(error) => Err(error.into()),
        reply => Ok(reply),
    }
}
