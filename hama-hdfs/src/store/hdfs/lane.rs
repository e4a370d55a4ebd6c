//! What an upload runs on: a thread and connections of its own, so that nothing of it is left when it is given up.
//!
//! The client sends in tasks that nobody else can end. One that a frozen DataNode keeps waiting holds its bytes for a minute
//! and its connection for ever; with its runtime it ends at once.

use std::sync::{Mutex, MutexGuard, PoisonError};

use hama_core::{Error, Result};
use hdfs_native::Client;
use tokio::runtime::{Builder, Runtime};

use super::config::Configuration;

/// How many wait to be used again.
const IDLE_MAX: usize = 8;

/// A client with all that it runs on.
#[derive(Debug)]
pub(super) struct Lane {
    client: Client,
    runtime: Option<Runtime>,
}

impl Lane {
    fn new(configuration: &Configuration) -> Result<Lane> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("hdfs-upload")
            .enable_all()
            .build()
            .map_err(|e| Error::io("cannot start a thread that writes to HDFS", e))?;
        Ok(Lane { client: configuration.client_on(runtime.handle())?, runtime: Some(runtime) })
    }

    /// What makes calls.
    pub(super) fn client(&self) -> &Client {
        &self.client
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// The lanes to one NameNode that nobody uses at the moment.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    idle: Mutex<Vec<Lane>>,
}

impl Lanes {
    /// One that was used before, or a new one.
    pub(super) fn take(&self, configuration: &Configuration) -> Result<Lane> {
        let idle = self.idle().pop();
        idle.map_or_else(|| Lane::new(configuration), Ok)
    }

    /// Keeps one for the next upload.
    pub(super) fn put_back(&self, lane: Lane) {
        let mut idle = self.idle();
        if idle.len() < IDLE_MAX {
            idle.push(lane);
        }
    }

    /// Forgets those that wait.
    pub(super) fn clear(&self) {
        self.idle().clear();
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Lane>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    use super::*;
    use crate::store::hdfs::config::tests::configuration;

    #[test]
    fn what_hangs_in_a_lane_ends_with_it_and_others_go_on() {
        let configuration = configuration("hdfs://nn/x", &[]);
        let lanes = Lanes::default();
        let (given_up, other) = (lanes.take(&configuration).unwrap(), lanes.take(&configuration).unwrap());
        let held = Arc::new(());
        let hangs = |lane: &Lane| {
            let held = Arc::clone(&held);
            lane.runtime.as_ref().unwrap().spawn(async move {
                std::future::pending::<()>().await;
                drop(held);
            });
        };
        hangs(&given_up);
        hangs(&other);
        drop(given_up);
        let end = Instant::now() + Duration::from_secs(20);
        while Arc::strong_count(&held) > 2 && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(Arc::strong_count(&held), 2, "that of the other is there");
        lanes.put_back(other);
        assert_eq!(lanes.idle().len(), 1);
        let again = lanes.take(&configuration).unwrap();
        assert!(lanes.idle().is_empty());
        (0..=IDLE_MAX).for_each(|_| lanes.put_back(Lane::new(&configuration).unwrap()));
        assert_eq!(lanes.idle().len(), IDLE_MAX);
        lanes.clear();
        drop(again);
        assert!(lanes.idle().is_empty());
    }
}
