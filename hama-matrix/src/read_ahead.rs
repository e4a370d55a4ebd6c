//! Reads tiles on a thread of its own, one request ahead of the computation.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use hama_core::{Error, Payload, Result};

use crate::plan::steps::Need;

/// A thread that reads what each request names, one request after another.
pub(crate) struct ReadAhead {
    requests: Option<Sender<Vec<Need>>>,
    answers: Receiver<Result<Vec<(Need, Payload)>>>,
    thread: Option<JoinHandle<()>>,
}

impl ReadAhead {
    /// Starts the thread, which calls `read` for each tile that is asked for.
    pub(crate) fn start(
        mut read: impl FnMut(Need) -> Result<(Need, Payload)> + Send + 'static,
    ) -> Result<ReadAhead> {
        let (requests, inbox) = channel::<Vec<Need>>();
        let (outbox, answers) = channel();
        let thread = std::thread::Builder::new()
            .name("read-ahead".into())
            .spawn(move || {
                for request in inbox {
                    if outbox.send(request.into_iter().map(&mut read).collect()).is_err() {
                        return;
                    }
                }
            })
            .map_err(|e| Error::io("cannot start a thread that reads", e))?;
        Ok(ReadAhead { requests: Some(requests), answers, thread: Some(thread) })
    }

    /// Asks for tiles. Answers come in the order of requests.
    pub(crate) fn request(&self, wanted: Vec<Need>) -> Result<()> {
        let requests = self.requests.as_ref().expect("requests are taken until the drop");
        requests.send(wanted).map_err(|_| ended())
    }

    /// Waits for what the earliest request asks for that is not answered yet.
    pub(crate) fn answer(&self) -> Result<Vec<(Need, Payload)>> {
        self.answers.recv().map_err(|_| ended())?
    }
}

fn ended() -> Error {
    Error::internal("the thread that reads tiles has ended")
}

impl Drop for ReadAhead {
    fn drop(&mut self) {
        self.requests = None;
        if let Some(thread) = self.thread.take() {
            // A panic of it has been seen as a missing answer.
            let _ = thread.join();
        }
    }
}
