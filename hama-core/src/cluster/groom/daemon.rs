//! A groom's process: carries out what its state machine wants, and tells that what happens.

use std::collections::BTreeMap;
use std::fs;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};

use crate::cancel::Cancel;
use crate::cluster::clock::Clock;
use crate::cluster::control::{FromPeer, ToPeer};
use crate::cluster::files::{Executables, lock_folder, make_folder};
use crate::cluster::groom::host;
use crate::cluster::groom::logs::Logs;
use crate::cluster::groom::meetings::{Barrier, Sessions};
use crate::cluster::groom::state::{Effect, GroomState};
use crate::cluster::groom::tasks::{Home, LivePeer, PeerEvent};
use crate::cluster::meeting::serve::Arrival;
use crate::cluster::model::action::{Answer, Launch, Roster};
use crate::cluster::model::error::WireError;
use crate::cluster::model::ids::{Digest, GroomId, RunId, TaskId};
use crate::cluster::model::question::{Question, Reply};
use crate::cluster::model::report::GroomInfo;
use crate::cluster::model::task::{How, validate_counters};
use crate::cluster::options::{ConnectOptions, GroomOptions, check_open, token};
use crate::cluster::rpc::client::Control;
use crate::cluster::stop::stopped;
use crate::error::{Error, ErrorKind, Result};
use crate::message::codec;

/// How long a master that goes away is waited for by who wants an executable.
const AWAY_MAX: Duration = Duration::from_secs(60);
/// How long an answer may take: the master holds it for two seconds.
const ANSWER_MAX: Duration = Duration::from_secs(5);
/// How long after a failed question the next one comes.
const PAUSE: Duration = Duration::from_millis(200);
/// Changes that come so soon after another go into one report.
const GATHER: Duration = Duration::from_millis(1);
/// How much may wait to be heard of peers.
const EVENTS_MAX: usize = 1024;
/// How long the processes of peers may take to be gone when the groom ends.
const END_MAX: Duration = Duration::from_secs(3);

/// Runs a groom in this thread until `stop` is cancelled or the master says so. Its peers end with it. `started` is called once
/// it can be one.
///
/// # Errors
/// `Invalid` for options that cannot be; `Conflict` when another daemon has the folder; what the system says. That there is
/// no master or no ZooKeeper is none: it waits for them.
pub fn run_groom(options: &GroomOptions, stop: &Cancel, started: impl FnOnce()) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(|e| Error::io("cannot start the threads of a groom", e))?;
    let ran = runtime.block_on(async {
        let daemon = Daemon::start(options)?;
        started();
        daemon.run(stop).await
    });
    // A download that hangs is not waited for.
    runtime.shutdown_background();
    ran
}

struct Daemon {
    control: Control,
    state: GroomState,
    home: Home,
    sessions: Sessions,
    executables: Executables,
    logs: Logs,
    peers: BTreeMap<TaskId, LivePeer>,
    barriers: BTreeMap<RunId, Barrier>,
    events: mpsc::Receiver<(TaskId, PeerEvent)>,
    fetched: mpsc::Receiver<(Digest, Result<()>)>,
    fetches: mpsc::Sender<(Digest, Result<()>)>,
    /// There is something to say that should not wait.
    has_news: bool,
    is_stopped: bool,
    _lock: fs::File,
}

/// A question to the master that has no answer yet.
type Asked = Pin<Box<dyn Future<Output = Result<Bytes>> + Send>>;

impl Daemon {
    fn start(options: &GroomOptions) -> Result<Daemon> {
        let name: GroomId = options.name.parse()?;
        let token = token(options.token_file.as_deref())?;
        check_open(options.data_address, &token, options.insecure_network)?;
        options.zookeeper.settings().validate()?;
        let info = GroomInfo {
            host: options.host.clone(),
            address: options.data_address.to_string(),
            slots: options.slots,
            memory_bytes: options.memory_bytes,
            rack: options.rack.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            labels: options.labels.clone(),
        };
        let folder = std::path::absolute(&options.folder)
            .map_err(|e| Error::io(format!("cannot find {}", options.folder.display()), e))?;
        let lock = lock_folder(&folder)?;
        let tasks = folder.join("tasks");
        // What peers have left of a groom that was killed.
        if let Err(error) = fs::remove_dir_all(&tasks) {
            tracing::debug!(%error, "there is nothing of an earlier groom");
        }
        make_folder(&tasks)?;
        let (sender, events) = mpsc::channel(EVENTS_MAX);
        let (fetches, fetched) = mpsc::channel(EVENTS_MAX);
        let sessions = Sessions::new(options.zookeeper.settings());
        let early = sessions.clone();
        // The first job need not wait for it, and it need not be there yet.
        tokio::spawn(async move { drop(early.get().await) });
        let way_to_master =
            ConnectOptions { master: options.master.clone(), token_file: options.token_file.clone() };
        Ok(Daemon {
            control: Control::to(&options.master, token)?,
            state: GroomState::new(name, Clock::new().now().0, info)?,
            home: Home {
                host: options.host.clone(),
                data_address: options.data_address,
                way_to_master: way_to_master.to_env()?,
                tasks,
                events: sender,
            },
            sessions,
            executables: Executables::open(folder.join("executables"))?,
            logs: Logs::open(folder.join("logs"))?,
            peers: BTreeMap::new(),
            barriers: BTreeMap::new(),
            events,
            fetched,
            fetches,
            has_news: false,
            is_stopped: false,
            _lock: lock,
        })
    }

    async fn run(mut self, stop: &Cancel) -> Result<()> {
        let stopped = stopped(stop);
        tokio::pin!(stopped);
        let mut asked: Option<Asked> = None;
        let mut next = Instant::now();
        while !self.is_stopped {
            if self.has_news && asked.is_some() {
                // The question is asked anew, with the news in it; what its answer would have said comes again.
                asked = None;
                next = Instant::now() + GATHER;
            }
            if asked.is_none() && Instant::now() >= next {
                self.has_news = false;
                asked = Some(self.ask()?);
            }
            let is_quiet = asked.is_none();
            let answer = async {
                match asked.as_mut() {
                    Some(asked) => asked.await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = &mut stopped => break,
                Some((task, event)) = self.events.recv() => self.note(task, event),
                Some((digest, fetched)) = self.fetched.recv() => {
                    self.state.fetched(digest, fetched.map_err(|error| WireError::from(&error)));
                }
                answered = answer => {
                    asked = None;
                    if let Err(error) = self.hear(answered) {
                        tracing::info!(%error, "the master cannot be heard");
                        next = Instant::now() + PAUSE;
                    }
                }
                () = sleep_until(next), if is_quiet => {}
            }
            self.carry_out();
        }
        self.end().await;
        Ok(())
    }

    /// Asks the master for orders, with all that there is to say.
    fn ask(&mut self) -> Result<Asked> {
        let mut bytes = Vec::new();
        codec::encode_word(&Question::Groom(self.state.request(host::load())), "a report", &mut bytes)?;
        let control = self.control.clone();
        Ok(Box::pin(async move { control.ask(bytes.into(), ANSWER_MAX).await }))
    }

    fn hear(&mut self, answered: Result<Bytes>) -> Result<()> {
        let answer: Answer = match codec::decode_word(&answered?, "an answer of the master")? {
            Reply::Groom(answer) => answer,
            Reply::Failed(error) => return Err(error.into()),
            other => return Err(Error::data(format!("the master answers a groom with {other:.60?}"))),
        };
        self.state.hear(answer)
    }

    fn carry_out(&mut self) {
        loop {
            let effects = self.state.take_effects();
            if effects.is_empty() {
                return;
            }
            effects.into_iter().for_each(|effect| self.act(effect));
        }
    }

    fn act(&mut self, effect: Effect) {
        match effect {
            Effect::Fetch(digest) => self.fetch(digest),
            Effect::Fork { task, launch } => self.fork(task, &launch),
            Effect::Connect { task, me, roster } => self.connect(task, me, &roster),
            Effect::Kill { task, why } => self.kill(task, &why),
            Effect::Remove(task) => self.remove(task),
            Effect::Tell => self.has_news = true,
            Effect::Drain => tracing::info!("this groom gets no more tasks"),
            Effect::Stop => self.is_stopped = true,
        }
    }

    /// Gets an executable, unless it is here.
    fn fetch(&self, digest: Digest) {
        let (fetches, executables, control) =
            (self.fetches.clone(), self.executables.clone(), self.control.clone());
        tokio::spawn(async move {
            let fetched =
                if executables.has(digest) { Ok(()) } else { download(&executables, &control, digest).await };
            // The daemon may have ended.
            let _ = fetches.send((digest, fetched)).await;
        });
    }

    fn fork(&mut self, task: TaskId, launch: &Arc<Launch>) {
        let executable = self.executables.path(launch.submission.spec.executable);
        match self.home.fork(task, launch, executable) {
            Ok(peer) => drop(self.peers.insert(task, peer)),
            Err(error) => self.state.ended(task, How::Failed(WireError::from(&error)), Arc::default()),
        }
    }

    fn connect(&mut self, task: TaskId, me: u32, roster: &Arc<Roster>) {
        let run = task.run();
        if let Some(peer) = self.peers.get(&task) {
            peer.tell(&ToPeer::Connect { addresses: roster.addresses.clone() });
        }
        if self.barriers.contains_key(&run) {
            return;
        }
        let launch = self.state.live().find(|(id, _)| id.run() == run).map(|(_, launch)| launch);
        let Some(epoch) = launch.map(|launch| launch.epoch.0) else { return };
        let peers = self.peers.iter().filter(|(id, _)| id.run() == run);
        let peers = peers.map(|(id, peer)| (id.peer, peer.line())).collect();
        self.barriers.insert(run, Barrier::open(&self.sessions, run, epoch, (me, roster), peers));
    }

    fn kill(&mut self, task: TaskId, why: &str) {
        match self.peers.get(&task) {
            Some(peer) => {
                tracing::info!(%task, why, "a peer is ended");
                peer.kill();
            }
            None => self.state.ended(task, How::Killed, Arc::default()),
        }
    }

    fn remove(&mut self, task: TaskId) {
        let folder = self.home.folder(task);
        self.logs.keep(task, &folder);
        if let Err(error) = fs::remove_dir_all(&folder) {
            tracing::debug!(folder = %folder.display(), %error, "what a peer left is not removed");
        }
    }

    fn note(&mut self, task: TaskId, event: PeerEvent) {
        let Some(peer) = self.peers.get_mut(&task) else { return };
        match event {
            PeerEvent::Said(FromPeer::Ready { addresses }) => self.state.ready(task, addresses),
            PeerEvent::Said(FromPeer::Arrive { superstep, vote }) => {
                self.state.superstep(task, superstep);
                let arrival = Arrival { peer: task.peer, superstep, vote };
                let arrived =
                    self.barriers.get(&task.run()).map_or(Ok(()), |barrier| barrier.arrive(arrival));
                if let Err(error) = arrived {
                    peer.leaves(How::Failed(WireError::from(&error)));
                    peer.kill();
                }
            }
            PeerEvent::Said(FromPeer::Progress { units, counters }) => {
                // What is wrong with them it is told when it returns with them.
                let is_valid = validate_counters(&counters).is_ok();
                self.state.progress(task, units, if is_valid { counters } else { BTreeMap::new() });
            }
            PeerEvent::Said(FromPeer::Returned(returned)) => peer.leaves(How::Returned(Arc::new(returned))),
            PeerEvent::Said(FromPeer::Failed(error)) => peer.leaves(How::Failed(error)),
            PeerEvent::Closed(why) => peer.closed(why),
            PeerEvent::Overdue => peer.closed("it does not end".to_owned()),
            PeerEvent::Gone(ending) => peer.gone(ending),
        }
        self.look_for_end(task);
    }

    fn look_for_end(&mut self, task: TaskId) {
        let Some((how, log)) = self.peers.get(&task).and_then(LivePeer::end) else { return };
        self.peers.remove(&task);
        tracing::debug!(%task, "a peer has ended");
        if let Some(barrier) = self.barriers.get(&task.run()) {
            self.state.superstep(task, barrier.ended());
        }
        self.state.ended(task, how, log);
        if !self.peers.keys().any(|id| id.run() == task.run()) {
            self.barriers.remove(&task.run());
        }
    }

    /// Ends all peers, and tells the master of their ends as long as it listens.
    async fn end(mut self) {
        for peer in self.peers.values_mut() {
            let why = Error::new(ErrorKind::PeerLost, "the groom of the peer was stopped");
            peer.leaves(How::Failed(WireError::from(&why)));
            peer.kill();
        }
        let late = sleep(END_MAX);
        tokio::pin!(late);
        while !self.peers.is_empty() {
            tokio::select! {
                Some((task, event)) = self.events.recv() => self.note(task, event),
                () = &mut late => break,
            }
        }
        if let Ok(asked) = self.ask() {
            // It would find out by itself.
            let _ = tokio::time::timeout(PAUSE, asked).await;
        }
    }
}

/// Gets an executable from the master.
/// Gets an executable from the master, which is waited for where it goes away meanwhile.
async fn download(executables: &Executables, control: &Control, digest: Digest) -> Result<()> {
    let until = tokio::time::Instant::now() + AWAY_MAX;
    loop {
        match try_download(executables, control, digest).await {
            Err(error) if error.kind() == ErrorKind::Unavailable && tokio::time::Instant::now() < until => {
                tracing::info!(%error, "an executable is asked for again");
                tokio::time::sleep(PAUSE).await;
            }
            done => return done,
        }
    }
}

async fn try_download(executables: &Executables, control: &Control, digest: Digest) -> Result<()> {
    let mut new = executables.take()?;
    control.download(Bytes::copy_from_slice(&digest.0), |part| new.write(part)).await?;
    new.end(Some(digest)).map(drop)
}
