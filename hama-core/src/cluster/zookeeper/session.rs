//! What is known of a session: when the servers were last heard, and when it has to be taken for ended.
//!
//! The client's crate tells that a connection is lost as late as after two fifths of the session's time, and that a session
//! is over up to two fifths after the servers forgot it. So we ask the servers something now and then, and go by that.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, sleep_until};
use zookeeper_client::{Client, SessionState, StateWatcher};

/// How often the servers are asked, as a part of the session's time.
const ASKS: u32 = 8;

/// Where a session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Connected,
    /// The client looks for a server; it will be heard of again, or the session ends.
    Disconnected,
    /// For good, and everything that the session made for its time is gone, or will be.
    Ended,
}

/// When the servers have last heard us, for certain: the last request that they answered was sent then.
#[derive(Debug)]
pub(super) struct Heard {
    begin: Instant,
    millis: AtomicU64,
}

impl Heard {
    pub(super) fn now() -> Heard {
        Heard { begin: Instant::now(), millis: AtomicU64::new(0) }
    }

    /// An answer has come to a request that was sent `at`.
    pub(super) fn answered(&self, at: Instant) {
        let since = at.saturating_duration_since(self.begin).as_millis();
        self.millis.fetch_max(u64::try_from(since).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    pub(super) fn last(&self) -> Instant {
        self.begin + Duration::from_millis(self.millis.load(Ordering::Relaxed))
    }
}

/// Follows a session until it ends, and says so. It asks the servers something now and then.
pub(super) async fn follow(
    client: Client,
    mut told: StateWatcher,
    heard: std::sync::Arc<Heard>,
    state: watch::Sender<State>,
) {
    let time = client.session_timeout();
    let mut ask = interval(time / ASKS);
    ask.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let now = *state.borrow();
        tokio::select! {
            told = told.changed() => {
                let next = match told {
                    SessionState::SyncConnected | SessionState::ConnectedReadOnly => State::Connected,
                    SessionState::Disconnected => State::Disconnected,
                    SessionState::AuthFailed | SessionState::Expired | SessionState::Closed => State::Ended,
                };
                ask.reset_immediately();
                state.send_replace(next);
                if next == State::Ended {
                    return;
                }
            }
            _ = ask.tick(), if now == State::Connected => {
                let (client, heard) = (client.clone(), std::sync::Arc::clone(&heard));
                // It must not keep us from hearing the rest; it ends with the connection.
                tokio::spawn(async move {
                    let at = Instant::now();
                    if client.check_stat("/").await.is_ok() {
                        heard.answered(at);
                    }
                });
            }
            () = sleep_until((heard.last() + time).into()), if now == State::Disconnected => {
                state.send_replace(State::Ended);
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_earlier_request_answered_later_changes_nothing() {
        let heard = Heard::now();
        let first = heard.last();
        heard.answered(first + Duration::from_millis(700));
        heard.answered(first + Duration::from_millis(300));
        assert_eq!(heard.last(), first + Duration::from_millis(700));
    }
}
