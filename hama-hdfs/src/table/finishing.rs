//! Finishes several shards at once, where closing a file of the store takes its time.

use std::collections::VecDeque;
use std::thread::JoinHandle;

use hama_core::{Error, Result};

use super::shard_writer::ShardWriter;
use crate::index::ShardRecord;

/// The shards that one writer has written, of which the last few may still be finished by threads of their own. Dropped,
/// it waits for these.
#[derive(Debug, Default)]
pub struct Finishing {
    done: Vec<ShardRecord>,
    threads: VecDeque<JoinHandle<Result<ShardRecord>>>,
}

impl Finishing {
    /// Finishes a shard: at once, or beside the next ones where the store says that this is better. Then it waits only for
    /// the first of as many as are best in flight.
    ///
    /// # Errors
    /// Those of [`ShardWriter::finish`], of this shard or an earlier one.
    pub fn finish(&mut self, shard: ShardWriter) -> Result<()> {
        let at_once = shard.files_at_once();
        if at_once <= 1 {
            self.done.push(shard.finish()?);
            return Ok(());
        }
        while self.threads.len() >= at_once {
            self.wait_for_first()?;
        }
        let thread = std::thread::Builder::new()
            .name("finish".into())
            .spawn(move || shard.finish())
            .map_err(|e| Error::io("cannot start a thread that finishes a shard", e))?;
        self.threads.push_back(thread);
        Ok(())
    }

    /// Waits until all are finished, and returns them.
    ///
    /// # Errors
    /// Those of [`ShardWriter::finish`].
    pub fn wait(mut self) -> Result<Vec<ShardRecord>> {
        while !self.threads.is_empty() {
            self.wait_for_first()?;
        }
        Ok(std::mem::take(&mut self.done))
    }

    fn wait_for_first(&mut self) -> Result<()> {
        let Some(thread) = self.threads.pop_front() else { return Ok(()) };
        let ended = |_| Error::internal("a thread that finishes a shard has ended by itself");
        self.done.push(thread.join().map_err(ended)??);
        Ok(())
    }
}

impl Drop for Finishing {
    fn drop(&mut self) {
        // Whoever gives up clears the generation next.
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}
