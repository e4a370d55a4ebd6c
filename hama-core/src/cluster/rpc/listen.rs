//! Listens where control may come from: on this machine, or with a token wherever it was asked for. Who is let in goes to gRPC.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::Stream;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};

use super::door::{self, Token};
use crate::cluster::options::check_open;
use crate::error::{Error, Result};

/// How many may knock at once. More wait until one of these is in or gone.
const KNOCKING_MAX: usize = 64;
/// How long accepting pauses where the system has no more descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// Where a daemon listens.
#[derive(Clone, Debug)]
pub(crate) struct Listen {
    /// The address; port 0 takes a free one.
    pub(crate) address: SocketAddr,
    /// What opens the door.
    pub(crate) token: Token,
    /// Whether the user has said that the network may be one where others listen.
    pub(crate) insecure_network: bool,
}

impl Listen {
    /// Starts to listen, on the current runtime.
    ///
    /// # Errors
    /// `Invalid` for an address that needs more; `Unavailable` and others where the system refuses.
    pub(crate) async fn start(self) -> Result<(SocketAddr, Incoming)> {
        check_open(self.address.ip(), &self.token, self.insecure_network)?;
        let refused = |e| Error::io(format!("cannot listen on {}", self.address), e);
        let listener = TcpListener::bind(self.address).await.map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        let (let_in, incoming) = mpsc::channel(1);
        let refusals = Arc::default();
        tokio::spawn(accept(listener, self.token, let_in, Arc::clone(&refusals)));
        Ok((address, Incoming { incoming, refusals }))
    }
}

/// Accepts until nobody takes connections any more.
async fn accept(
    listener: TcpListener,
    token: Token,
    let_in: mpsc::Sender<TcpStream>,
    refusals: Arc<AtomicU64>,
) {
    let knocking = Arc::new(Semaphore::new(KNOCKING_MAX));
    loop {
        let Ok(turn) = Arc::clone(&knocking).acquire_owned().await else { return };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = let_in.closed() => return,
        };
        let (mut stream, from) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::debug!(%error, "cannot accept");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let (token, let_in, refusals) = (token.clone(), let_in.clone(), Arc::clone(&refusals));
        tokio::spawn(async move {
            // Answers are short, and somebody waits for them.
            let _ = stream.set_nodelay(true);
            match door::let_in(&mut stream, &token).await {
                // Nobody takes it where the daemon ends.
                Ok(()) => drop(let_in.send(stream).await),
                Err(why) => {
                    refusals.fetch_add(1, Ordering::Relaxed);
                    tracing::warn!(%from, ?why, "a connection was refused");
                }
            }
            drop(turn);
        });
    }
}

/// The connections that were let in.
#[derive(Debug)]
pub(crate) struct Incoming {
    incoming: mpsc::Receiver<TcpStream>,
    refusals: Arc<AtomicU64>,
}

impl Incoming {
    /// How many connections were refused, now and later.
    pub(crate) fn refusals(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.refusals)
    }
}

impl Stream for Incoming {
    type Item = std::io::Result<TcpStream>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.incoming.poll_recv(context).map(|stream| stream.map(Ok))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_this_machine_it_takes_a_token_and_a_word() {
        let listen = |address: &str, token, insecure_network| {
            let address: SocketAddr = address.parse().unwrap();
            check_open(address.ip(), &token, insecure_network)
        };
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "0123456789abcdef").unwrap();
        let token = Token::read(file.path()).unwrap();
        assert!(listen("127.0.0.1:0", Token::none(), false).is_ok());
        assert!(listen("[::1]:0", Token::none(), false).is_ok());
        for address in ["0.0.0.0:0", "10.0.0.1:7000", "[::]:0"] {
            let error = listen(address, Token::none(), true).unwrap_err();
            assert!(error.to_string().contains("--token-file"), "{error}");
            let error = listen(address, token.clone(), false).unwrap_err();
            assert!(error.to_string().contains("--insecure-network"), "{error}");
            assert!(listen(address, token.clone(), true).is_ok());
        }
    }
}
