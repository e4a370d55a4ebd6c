//! Calls to a NameNode: each in a task of its own, with an end, made again where that is safe.
//!
//! The client is asynchronous, has no time limit for its calls and may panic; what is here blocks, ends in time, and
//! gives an error instead.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use hama_core::{Error, Result};
use hdfs_native::{Client, HdfsError};
use tokio::runtime::Runtime;

use super::config::Configuration;
use super::error::{self, Failed};
use super::lane::Lanes;
use super::probe;

/// How long before a call is made again; it doubles, up to the second.
const PAUSE: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// How often a call is made at most.
const TRIES: usize = 40;
/// How long beyond its end a call may take to notice that.
const GRACE: Duration = Duration::from_secs(2);
/// How long a call may take after one that was not answered in all its time, until one is answered. Whoever gives up a job
/// makes many calls more, and they do not wait for as long each.
const SILENCE: Duration = Duration::from_secs(2);

/// The threads that all clients of this process run on: their own, so that callers may be anywhere.
pub(super) fn runtime() -> Result<&'static Runtime> {
    static RUNTIME: OnceLock<std::io::Result<Runtime>> = OnceLock::new();
    let made = RUNTIME.get_or_init(|| {
        let threads = thread::available_parallelism().map_or(2, |count| count.get().clamp(2, 8));
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(threads)
            .thread_name("hdfs")
            .enable_all()
            .build()
    });
    made.as_ref().map_err(|e| {
        Error::new(
            hama_core::ErrorKind::Unavailable,
            format!("cannot start the threads that talk to HDFS: {e}"),
        )
    })
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits for a future on this thread, whatever runs it; `None` where it is not done at `until`.
pub(super) fn wait_until<T>(until: Instant, future: impl Future<Output = T>) -> Option<T> {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return Some(value);
        }
        let left = until.checked_duration_since(Instant::now())?;
        thread::park_timeout(left);
    }
}

/// A future with an end.
pub(super) async fn within<T>(
    limit: Duration,
    future: impl Future<Output = Result<T, HdfsError>>,
) -> Result<T, Failed> {
    match tokio::time::timeout(limit, future).await {
        Ok(result) => result.map_err(Failed::Said),
        Err(_) => Err(Failed::TimedOut),
    }
}

/// Runs a future in a task, so that a panic in it is an error, and waits for it.
pub(super) fn run<T: Send + 'static>(
    limit: Duration,
    future: impl Future<Output = Result<T, HdfsError>> + Send + 'static,
) -> Result<T, Failed> {
    let runtime = runtime().map_err(|e| Failed::NoThreads(e.to_string()))?;
    let mut task = runtime.spawn(within(limit, future));
    match wait_until(Instant::now() + limit + GRACE, &mut task) {
        Some(Ok(result)) => result,
        Some(Err(_)) => Err(Failed::Panicked),
        None => {
            task.abort();
            Err(Failed::TimedOut)
        }
    }
}

/// How many calls this process has made to NameNodes of HDFS so far.
pub fn hdfs_calls() -> u64 {
    CALLS.load(Ordering::Relaxed)
}

static CALLS: AtomicU64 = AtomicU64::new(0);

/// How far the talk with a NameNode has come.
const NOTHING: u8 = 0;
const ANSWERED: u8 = 1;
const CHANGED: u8 = 2;

/// A NameNode, or the name service of several.
#[derive(Debug)]
pub(super) struct NameNode {
    configuration: Configuration,
    client: RwLock<Client>,
    lanes: Arc<Lanes>,
    reached: AtomicU8,
    /// Whether the last call that is over used up its time.
    is_silent: AtomicBool,
}

impl NameNode {
    /// The one that the configuration leads to. Nothing is asked of it yet.
    pub(super) fn new(configuration: Configuration) -> Result<NameNode> {
        let client = configuration.client()?;
        Ok(NameNode {
            configuration,
            client: RwLock::new(client),
            lanes: Arc::default(),
            reached: AtomicU8::new(NOTHING),
            is_silent: AtomicBool::new(false),
        })
    }

    /// How it is reached.
    pub(super) fn configuration(&self) -> &Configuration {
        &self.configuration
    }

    /// How long a call may take, all tries together.
    pub(super) fn timeout(&self) -> Duration {
        self.configuration.timeout
    }

    /// Whether the last call that is over used up its time.
    pub(super) fn is_silent(&self) -> bool {
        self.is_silent.load(Ordering::Relaxed)
    }

    /// How long a call may take now: less where the NameNode is silent.
    pub(super) fn patience(&self) -> Duration {
        match self.is_silent() {
            true => self.timeout().min(SILENCE),
            false => self.timeout(),
        }
    }

    /// What uploads run on.
    pub(super) fn lanes(&self) -> &Arc<Lanes> {
        &self.lanes
    }

    /// What makes calls.
    pub(super) fn client(&self) -> Client {
        self.client.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Makes a call that may be made again, while it fails for a while.
    pub(super) fn repeat<T, F>(&self, doing: impl Fn() -> String, call: impl Fn(Client) -> F) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, HdfsError>> + Send + 'static,
    {
        self.attempt(doing, true, call)
    }

    /// Makes a call that changes something. It is made again only where it was surely not done.
    pub(super) fn change<T, F>(&self, doing: impl Fn() -> String, call: impl Fn(Client) -> F) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, HdfsError>> + Send + 'static,
    {
        self.attempt(doing, false, call)
    }

    fn attempt<T, F>(&self, doing: impl Fn() -> String, again: bool, call: impl Fn(Client) -> F) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, HdfsError>> + Send + 'static,
    {
        let started = Instant::now();
        let timeout = self.patience();
        let is_last = timeout < self.timeout();
        let mut pause = PAUSE;
        for tried in 1.. {
            let left = timeout.saturating_sub(started.elapsed());
            // One that hangs leaves time for another, where there will be one.
            let has_next = !is_last && self.is_worth_another(&Failed::TimedOut, again);
            let limit = if has_next { left.min(timeout / 2) } else { left };
            CALLS.fetch_add(1, Ordering::Relaxed);
            let failed = match run(limit, call(self.client())) {
                Ok(value) => {
                    self.reached.fetch_max(if again { ANSWERED } else { CHANGED }, Ordering::Relaxed);
                    self.is_silent.store(false, Ordering::Relaxed);
                    return Ok(value);
                }
                Err(failed) => failed,
            };
            self.note(&failed);
            let over = is_last || tried == TRIES || started.elapsed() + pause >= timeout;
            let is_worth_another = self.is_worth_another(&failed, again);
            if over || !is_worth_another {
                let is_timeout = matches!(failed, Failed::TimedOut);
                let error = self.error(&doing(), failed, again);
                self.is_silent.store(is_worth_another || is_timeout, Ordering::Relaxed);
                return Err(error);
            }
            thread::sleep(pause);
            pause = (pause * 2).min(PAUSE_MAX);
        }
        Err(Error::internal("a call was made no more"))
    }

    /// Learns from a call that failed.
    pub(super) fn note(&self, failed: &Failed) {
        match failed {
            Failed::TimedOut => {
                // Its connection may lead nowhere for many minutes more.
                if let Ok(client) = self.configuration.client() {
                    *self.client.write().unwrap_or_else(PoisonError::into_inner) = client;
                }
            }
            Failed::Said(error) if error::is_of_server(error) => {
                self.reached.fetch_max(ANSWERED, Ordering::Relaxed);
            }
            _ => {}
        }
    }

    /// Whether a call that failed so may do better in a moment. A NameNode that never answered is none that starts again.
    fn is_worth_another(&self, failed: &Failed, again: bool) -> bool {
        let reached = self.reached.load(Ordering::Relaxed);
        match failed {
            Failed::TimedOut | Failed::Panicked => again && reached > NOTHING,
            Failed::NoThreads(_) | Failed::Stalled(_) | Failed::Broken(_) => false,
            Failed::Said(error) if error::is_starting(error) => true,
            Failed::Said(error) if error::is_safe_mode(error) => reached == CHANGED,
            Failed::Said(error) if error::is_refused(error) => reached > NOTHING,
            Failed::Said(HdfsError::IOError(_)) => again && reached > NOTHING,
            Failed::Said(_) => false,
        }
    }

    /// The error of a call that failed for good.
    pub(super) fn error(&self, doing: &str, failed: Failed, again: bool) -> Error {
        let never = self.reached.load(Ordering::Relaxed) == NOTHING;
        let is_asked = match &failed {
            Failed::TimedOut => !self.is_silent(),
            Failed::Said(HdfsError::IOError(_)) => never,
            _ => false,
        };
        let listens = is_asked.then(|| probe::what_listens(&self.configuration)).flatten();
        error::error(doing, failed, &self.configuration, &listens.unwrap_or_default(), again)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::hdfs::config::tests::configuration;

    #[test]
    fn a_call_ends_in_time_and_a_panic_is_an_error() {
        let limit = Duration::from_millis(50);
        let hangs = run(limit, std::future::pending::<Result<(), HdfsError>>());
        assert!(matches!(hangs, Err(Failed::TimedOut)), "{hangs:?}");
        let panics = run::<()>(limit, async { unreachable!("a defect of the client, for the test") });
        assert!(matches!(panics, Err(Failed::Panicked)), "{panics:?}");
        assert_eq!(run(limit, async { Ok(7) }).unwrap(), 7);
    }

    #[test]
    fn one_call_waits_for_a_silent_namenode_and_the_next_ones_hardly() {
        let mut configuration = configuration("hdfs://127.0.0.1:1/x", &[]);
        configuration.timeout = SILENCE * 2;
        let namenode = NameNode::new(configuration).unwrap();
        let count = AtomicU64::new(0);
        let hangs = || {
            count.store(0, Ordering::Relaxed);
            let started = Instant::now();
            let call = |_| {
                count.fetch_add(1, Ordering::Relaxed);
                std::future::pending::<Result<(), HdfsError>>()
            };
            let error = namenode.repeat(|| "cannot look".into(), call).unwrap_err();
            assert!(error.message().contains("no answer of 127.0.0.1:1 within 4 s"), "{error}");
            (started.elapsed(), count.load(Ordering::Relaxed))
        };
        let answers = || namenode.repeat(String::new, |_| async { Ok(7) });
        assert_eq!(answers().unwrap(), 7);
        let (first, _) = hangs();
        assert!(first >= SILENCE * 2 - PAUSE_MAX, "{first:?}");
        assert_eq!((namenode.patience(), hangs().1), (SILENCE, 1));
        assert_eq!(answers().unwrap(), 7);
        assert_eq!(namenode.patience(), SILENCE * 2);
        assert!(hangs().1 > 1);
        // A refusal is an answer too.
        let refused =
            |_| async { Err::<(), _>(HdfsError::RPCError("a.b.AccessControlException".into(), "x".into())) };
        namenode.repeat(String::new, refused).unwrap_err();
        assert_eq!(namenode.patience(), SILENCE * 2);
    }

    #[test]
    fn waiting_works_within_a_runtime_too() {
        let outer = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let value = outer.block_on(async { run(Duration::from_secs(5), async { Ok(7) }) });
        assert_eq!(value.unwrap(), 7);
    }
}
