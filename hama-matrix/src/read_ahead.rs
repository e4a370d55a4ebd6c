//! Reads on a thread of its own, one request ahead of the computation.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use hama_core::{Error, Result};

/// A thread that reads what each request names, one request after another.
pub(crate) struct ReadAhead<K, A> {
    requests: Option<Sender<Vec<K>>>,
    answers: Receiver<Result<Vec<A>>>,
    thread: Option<JoinHandle<()>>,
}

impl<K: Send + 'static, A: Send + 'static> ReadAhead<K, A> {
    /// Starts the thread, which calls `read` for each thing that is asked for.
    pub(crate) fn start(mut read: impl FnMut(K) -> Result<A> + Send + 'static) -> Result<ReadAhead<K, A>> {
        let (requests, inbox) = channel::<Vec<K>>();
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

    /// Asks for things. Answers come in the order of requests.
    pub(crate) fn request(&self, wanted: Vec<K>) -> Result<()> {
        let requests = self.requests.as_ref().expect("requests are taken until the drop");
        requests.send(wanted).map_err(|_| ended())
    }

    /// Waits for what the earliest request asks for that is not answered yet.
    pub(crate) fn answer(&self) -> Result<Vec<A>> {
        self.answers.recv().map_err(|_| ended())?
    }
}

fn ended() -> Error {
    Error::internal("the thread that reads tiles has ended")
}

impl<K, A> Drop for ReadAhead<K, A> {
    fn drop(&mut self) {
        self.requests = None;
        if let Some(thread) = self.thread.take() {
            // A panic of it has been seen as a missing answer.
            let _ = thread.join();
        }
    }
}
