//! Sessions with ZooKeeper: the few calls that a cluster needs, each bounded in time and bytes. Only here the client's
//! crate is named.

mod events;
mod fault;
mod nodes;
mod session;
mod settings;

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use zookeeper_client::{
    Acls, AddWatchMode, Client, CreateMode, Error as Told, MultiReadResult, MultiWriteError,
    MultiWriteResult, PersistentWatcher,
};

use crate::error::{Error, ErrorKind, Result};
pub(crate) use events::{Event, Events};
pub(crate) use fault::Fault;
pub(crate) use nodes::{CALL_BYTES_MAX, Change, Node, Stay};
pub(crate) use session::State;
use session::{Heard, follow};
pub(crate) use settings::Settings;

/// A session. Its clones share it; when the last one is dropped it ends, and so does what was made for its time.
#[derive(Clone, Debug)]
pub(crate) struct ZooKeeper(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    client: Client,
    servers: String,
    acls: Acls<'static>,
    heard: Arc<Heard>,
    state: watch::Receiver<State>,
    follower: JoinHandle<()>,
}

impl ZooKeeper {
    /// Begins a session, and makes the root where it is not there. Takes the session's time at most.
    ///
    /// # Errors
    /// `Invalid` for settings that cannot be or that the servers refuse; `Unavailable` where no server answers.
    pub(crate) async fn connect(settings: &Settings) -> Result<ZooKeeper> {
        settings.validate()?;
        let Settings { servers, root, session, auth } = settings;
        let mut connector = Client::connector().with_session_timeout(*session);
        if let Some(auth) = auth {
            connector = connector.with_auth("digest", auth.as_bytes());
        }
        let client = match timeout(*session, connector.connect(servers)).await {
            Ok(Ok(client)) => client,
            Ok(Err(Told::AuthFailed)) => {
                let why = "it refuses the authentication (USER:PASSWORD)";
                return Err(Error::invalid(format!("cannot connect to ZooKeeper at {servers}: {why}")));
            }
            Ok(Err(error)) => return Err(fault::unreachable(servers, *session).with_source(error)),
            Err(_) => return Err(fault::unreachable(servers, *session)),
        };
        let heard = Arc::new(Heard::now());
        let acls = if auth.is_some() { Acls::creator_all() } else { Acls::anyone_all() };
        let options = CreateMode::Persistent.with_acls(acls);
        let made = timeout(*session, client.mkdir(root, &options)).await.unwrap_or(Err(Told::Timeout));
        if let Err(error) = made {
            return Err(fault::error(servers, &format!("cannot make the node {root}"), error));
        }
        let client = client
            .chroot(root.clone())
            .map_err(|_| Error::internal(format!("{root} passed for a node of ZooKeeper")))?;
        let (sender, state) = watch::channel(State::Connected);
        let told = client.state_watcher();
        let follower = tokio::spawn(follow(client.clone(), told, Arc::clone(&heard), sender));
        Ok(ZooKeeper(Arc::new(Shared { client, servers: servers.clone(), acls, heard, state, follower })))
    }

    /// Its servers, for people.
    pub(crate) fn servers(&self) -> &str {
        &self.0.servers
    }

    /// How long the servers keep the session of which they hear nothing.
    pub(crate) fn session_time(&self) -> Duration {
        self.0.client.session_timeout()
    }

    /// Where the session stands, now and later.
    pub(crate) fn state(&self) -> watch::Receiver<State> {
        self.0.state.clone()
    }

    /// The moment from which on nothing may be done in the name of the session, unless the servers are heard before: two
    /// thirds of its time after they last heard us, so that others who see it end come later.
    pub(crate) fn stop_at(&self) -> Instant {
        self.0.heard.last() + self.session_time() * 2 / 3
    }

    /// Waits until there is a connection.
    ///
    /// # Errors
    /// `Unavailable` when the session ends before.
    pub(crate) async fn resumed(&self) -> Result<()> {
        let mut state = self.state();
        match state.wait_for(|state| *state != State::Disconnected).await.map(|state| *state) {
            Ok(State::Connected) => Ok(()),
            _ => Err(self.ended()),
        }
    }

    /// The error of a session that has ended.
    pub(crate) fn ended(&self) -> Error {
        let silent = self.0.heard.last().elapsed().min(self.session_time() * 2);
        Error::new(
            ErrorKind::Unavailable,
            format!(
                "the session with ZooKeeper at {} has ended, {:.1} s after it was last heard (sessions last {:.1} s): \
                 see that its servers run and are not overloaded, and submit again",
                self.servers(),
                silent.as_secs_f64(),
                self.session_time().as_secs_f64()
            ),
        )
    }

    /// What a node holds, if it is there. Asked again where a connection is lost.
    ///
    /// # Errors
    /// `Unavailable` when the session ends; `Data` where it holds more than `CALL_BYTES_MAX`.
    pub(crate) async fn get(&self, path: &str) -> Result<Option<Node>> {
        let ours = self.0.client.session_id().0;
        let read = || async { self.call(&format!("cannot read {path}"), self.0.client.get_data(path)).await };
        match self.again(read).await {
            Ok((data, _)) if data.len() > CALL_BYTES_MAX => Err(Error::data(format!(
                "the node {path} of ZooKeeper at {} holds {} bytes, the limit is {CALL_BYTES_MAX}",
                self.servers(),
                data.len()
            ))),
            Ok((data, stat)) => {
                Ok(Some(Node { data, version: stat.version, is_ours: stat.ephemeral_owner == ours }))
            }
            Err(Fault::NoNode) => Ok(None),
            Err(fault) => Err(self.unexpected(&format!("cannot read {path}"), fault)),
        }
    }

    /// What each of these nodes holds, at one moment, or nothing. Asked again where a connection is lost.
    ///
    /// # Errors
    /// `Unavailable` when the session ends.
    pub(crate) async fn get_all(&self, paths: &[String]) -> Result<Vec<Option<Vec<u8>>>> {
        let what = format!("cannot read {} nodes", paths.len());
        let read = || async {
            let mut reader = self.0.client.new_multi_reader();
            for path in paths {
                reader.add_get_data(path).map_err(|error| self.fault(&what, error))?;
            }
            self.call(&what, reader.commit()).await
        };
        let read = self.again(read).await.map_err(|fault| self.unexpected(&what, fault))?;
        let data = read.into_iter().map(|result| match result {
            MultiReadResult::Data { data, .. } => Some(data),
            _ => None,
        });
        Ok(data.collect())
    }

    /// The names of a node's children, sorted; nothing where it is not there. Asked again where a connection is lost.
    ///
    /// # Errors
    /// `Unavailable` when the session ends.
    pub(crate) async fn children(&self, path: &str) -> Result<Option<Vec<String>>> {
        let what = format!("cannot list {path}");
        let list = || async { self.call(&what, self.0.client.list_children(path)).await };
        match self.again(list).await {
            Ok(mut names) => {
                names.sort_unstable();
                Ok(Some(names))
            }
            Err(Fault::NoNode) => Ok(None),
            Err(fault) => Err(self.unexpected(&what, fault)),
        }
    }

    /// Makes a node that stays. One that is there is as good.
    ///
    /// # Errors
    /// `Unavailable` when the session ends.
    pub(crate) async fn ensure(&self, path: &str) -> Result<()> {
        let create = || async {
            let options = CreateMode::Persistent.with_acls(self.0.acls);
            self.call(&format!("cannot make {path}"), self.0.client.create(path, b"", &options)).await
        };
        match self.again(create).await {
            Ok(_) | Err(Fault::NodeExists) => Ok(()),
            Err(fault) => Err(self.unexpected(&format!("cannot make {path}"), fault)),
        }
    }

    /// Deletes a node. One that is not there is as good, and one that has children stays.
    ///
    /// # Errors
    /// `Unavailable` when the session ends.
    pub(crate) async fn delete(&self, path: &str) -> Result<()> {
        let what = format!("cannot delete {path}");
        let delete = || async { self.call(&what, self.0.client.delete(path, None)).await };
        match self.again(delete).await {
            Ok(()) | Err(Fault::NoNode | Fault::NotEmpty) => Ok(()),
            Err(fault) => Err(self.unexpected(&what, fault)),
        }
    }

    /// Makes all of these changes, or none; returns the versions of nodes that were set, 0 for the others. Where it fails
    /// it says of which change, if of one. It is not tried again.
    pub(crate) async fn multi(&self, what: &str, changes: &[Change]) -> Result<Vec<i32>, (usize, Fault)> {
        nodes::check_size(what, changes).map_err(|error| (0, Fault::Failed(error)))?;
        let mut writer = self.0.client.new_multi_writer();
        for (index, change) in changes.iter().enumerate() {
            let added = match change {
                Change::Create { path, data, stay } => {
                    let mode = match stay {
                        Stay::Forever => CreateMode::Persistent,
                        Stay::Session => CreateMode::Ephemeral,
                        Stay::Children => CreateMode::Container,
                    };
                    writer.add_create(path, data, &mode.with_acls(self.0.acls))
                }
                Change::Set { path, data, version } => writer.add_set_data(path, data, *version),
                Change::Delete { path } => writer.add_delete(path, None),
                Change::DeleteVersion { path, version } => writer.add_delete(path, Some(*version)),
                Change::Check { path, version } => writer.add_check_version(path, *version),
            };
            added.map_err(|error| (index, self.fault(what, error)))?;
        }
        let mut failed = 0;
        let commit = async {
            writer.commit().await.map_err(|error| match error {
                MultiWriteError::OperationFailed { index, source } => {
                    failed = index;
                    source
                }
                MultiWriteError::RequestFailed { source } => source,
            })
        };
        let done = self.call(what, commit).await;
        let done = done.map_err(|fault| (failed, fault))?;
        let versions = done.into_iter().map(|done| match done {
            MultiWriteResult::SetData { stat } => stat.version,
            _ => 0,
        });
        Ok(versions.collect())
    }

    /// Tells what happens below a node from now on.
    ///
    /// # Errors
    /// `Unavailable` when the session ends.
    pub(crate) async fn events(&self, path: &str) -> Result<Events> {
        let watcher = self.again(|| self.watch(path)).await;
        let watcher = watcher.map_err(|fault| self.unexpected(&format!("cannot watch {path}"), fault))?;
        Ok(Events::new(self.clone(), path.to_owned(), watcher))
    }

    async fn watch(&self, path: &str) -> Result<PersistentWatcher, Fault> {
        let mode = AddWatchMode::PersistentRecursive;
        self.call(&format!("cannot watch {path}"), self.0.client.watch(path, mode)).await
    }

    /// Tries again where a connection was lost, until there is an answer. Only for what may be done twice.
    async fn again<T, F>(&self, call: impl Fn() -> F) -> Result<T, Fault>
    where
        F: Future<Output = Result<T, Fault>>,
    {
        loop {
            match call().await {
                Err(Fault::Lost) => self.resumed().await.map_err(Fault::Failed)?,
                outcome => return outcome,
            }
        }
    }

    /// Waits for an answer: until the session ends, and no longer than it lasts.
    async fn call<T>(&self, what: &str, call: impl Future<Output = Result<T, Told>>) -> Result<T, Fault> {
        let at = Instant::now();
        let mut state = self.state();
        let outcome = tokio::select! {
            biased;
            outcome = timeout(self.session_time(), call) => outcome,
            _ = state.wait_for(|state| *state == State::Ended) => return Err(Fault::Failed(self.ended())),
        };
        match outcome {
            Ok(Ok(value)) => {
                self.0.heard.answered(at);
                Ok(value)
            }
            Ok(Err(error)) => Err(self.fault(what, error)),
            Err(_) => Err(Fault::Failed(Error::new(
                ErrorKind::Unavailable,
                format!(
                    "{what}: ZooKeeper at {} has not answered for {:.1} s",
                    self.servers(),
                    at.elapsed().as_secs_f64()
                ),
            ))),
        }
    }

    fn fault(&self, what: &str, told: Told) -> Fault {
        match told {
            Told::SessionExpired | Told::ClientClosed => Fault::Failed(self.ended()),
            told => Fault::of(self.servers(), what, told),
        }
    }

    /// The error of a fault that no server should have answered.
    pub(crate) fn unexpected(&self, what: &str, fault: Fault) -> Error {
        match fault {
            Fault::Failed(error) => error,
            fault => {
                let at = self.servers();
                Error::new(ErrorKind::Conflict, format!("{what}: ZooKeeper at {at} says {fault:?}"))
            }
        }
    }

    /// Ends the session as the servers do, by taking it over on another connection, for tests.
    #[cfg(feature = "testing")]
    pub(crate) async fn expire(&self) -> Result<()> {
        let patience = Duration::from_secs(60);
        let mut tries = 5;
        loop {
            let session = self.0.client.session().clone();
            let other = Client::connector().with_session(session).with_session_timeout(patience);
            match other.connect(self.servers()).await {
                // Who took it over goes, and ends it.
                Ok(_) => return Ok(()),
                Err(_) if *self.state().borrow() == State::Ended => return Ok(()),
                // The one whose session it is takes it back at the same time.
                Err(_) if tries > 1 => tries -= 1,
                Err(error) => return Err(fault::error(self.servers(), "cannot take over a session", error)),
            }
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.follower.abort();
    }
}
