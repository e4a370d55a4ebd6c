//! Reads tiles on threads of their own, one request ahead of the computation.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;

use hama_core::{Error, Payload, Result};

use crate::plan::steps::Need;

/// A thread that reads what each request names, one request after another, with the help of others where there are
/// several readers.
pub(crate) struct ReadAhead {
    requests: Option<Sender<Vec<Need>>>,
    answers: Receiver<Result<Vec<(Need, Payload)>>>,
    thread: Option<JoinHandle<()>>,
}

impl ReadAhead {
    /// Starts the thread. Each tile that is asked for is read by one of the `readers`, of which there is at least one.
    pub(crate) fn start<R>(mut readers: Vec<R>) -> Result<ReadAhead>
    where
        R: FnMut(Need) -> Result<(Need, Payload)> + Send + 'static,
    {
        let (requests, inbox) = channel::<Vec<Need>>();
        let (outbox, answers) = channel();
        let thread = std::thread::Builder::new()
            .name("read-ahead".into())
            .spawn(move || {
                for request in inbox {
                    if outbox.send(read_all(&mut readers, request)).is_err() {
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

/// Reads the tiles of a request, in its order.
fn read_all<R>(readers: &mut [R], request: Vec<Need>) -> Result<Vec<(Need, Payload)>>
where
    R: FnMut(Need) -> Result<(Need, Payload)> + Send,
{
    let count = readers.len().min(request.len());
    if count <= 1 {
        let Some(reader) = readers.first_mut() else { return Err(ended()) };
        return request.into_iter().map(reader).collect();
    }
    let next = AtomicUsize::new(0);
    let places: Vec<_> = request.into_iter().map(|need| Mutex::new(Place::Wanted(need))).collect();
    std::thread::scope(|scope| {
        for reader in &mut readers[..count] {
            scope.spawn(|| read_some(reader, &places, &next));
        }
    });
    places
        .into_iter()
        .map(|place| place.into_inner().unwrap_or_else(PoisonError::into_inner).read())
        .collect()
}

/// A tile of a request.
enum Place {
    Wanted(Need),
    Read(Result<(Need, Payload)>),
    Taken,
}

impl Place {
    fn read(self) -> Result<(Need, Payload)> {
        match self {
            Place::Read(result) => result,
            // Another one failed before, or the thread that took it panicked.
            Place::Wanted(_) | Place::Taken => Err(ended()),
        }
    }
}

/// Reads tiles that nobody reads yet, until one fails.
fn read_some<R>(reader: &mut R, places: &[Mutex<Place>], next: &AtomicUsize)
where
    R: FnMut(Need) -> Result<(Need, Payload)>,
{
    while let Some(place) = places.get(next.fetch_add(1, Ordering::Relaxed)) {
        let mut place = place.lock().unwrap_or_else(PoisonError::into_inner);
        if let Place::Wanted(need) = std::mem::replace(&mut *place, Place::Taken) {
            let read = reader(need);
            if read.is_err() {
                // The others need not read on.
                next.fetch_add(places.len(), Ordering::Relaxed);
            }
            *place = Place::Read(read);
        }
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
