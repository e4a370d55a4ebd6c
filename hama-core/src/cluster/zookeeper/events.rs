//! What happens to the nodes below one.

use zookeeper_client::{EventType, PersistentWatcher, SessionState};

use super::{Fault, ZooKeeper};

/// What happened below a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// The path of a node that is there now.
    Created(String),
    /// The path of one that is gone.
    Deleted(String),
    /// The connection was lost and there is another: what happened in between has to be looked for.
    Resumed,
    /// The session has ended. Nothing follows.
    Ended,
}

/// Tells what happens below a node, in order, until it is dropped.
#[derive(Debug)]
pub(crate) struct Events {
    zookeeper: ZooKeeper,
    path: String,
    watcher: PersistentWatcher,
    /// Whether the connection is another than the one of the watch.
    resumed: bool,
    ended: bool,
}

impl Events {
    pub(super) fn new(zookeeper: ZooKeeper, path: String, watcher: PersistentWatcher) -> Events {
        Events { zookeeper, path, watcher, resumed: false, ended: false }
    }

    /// The next one. May be dropped while it waits: nothing is lost.
    pub(crate) async fn next(&mut self) -> Event {
        loop {
            if self.ended {
                return Event::Ended;
            }
            if self.resumed {
                // The client's crate (0.11.2) tells another connection of watches for one event only, not of those that stay:
                // it counts them wrong, and the server never hears of them.
                match self.zookeeper.watch(&self.path).await {
                    Ok(watcher) => {
                        self.watcher = watcher;
                        self.resumed = false;
                        return Event::Resumed;
                    }
                    // That is told too, and the next connection.
                    Err(Fault::Lost) => self.resumed = false,
                    Err(_) => self.ended = true,
                }
                continue;
            }
            let event = self.watcher.changed().await;
            match (event.event_type, event.session_state) {
                (EventType::NodeCreated, _) => return Event::Created(event.path),
                (EventType::NodeDeleted, _) => return Event::Deleted(event.path),
                (EventType::Session, SessionState::SyncConnected | SessionState::ConnectedReadOnly) => {
                    self.resumed = true;
                }
                (EventType::Session, state) if state.is_terminated() => self.ended = true,
                _ => {}
            }
        }
    }
}
