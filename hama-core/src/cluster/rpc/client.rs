//! The other side of control: asks the master, over one connection that is made again when it broke.

use std::fs::File;
use std::io::Read;
use std::sync::mpsc;
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

use super::door::{self, Token};
use super::proto::Body;
use super::proto::control_client::ControlClient;
use super::{BODY_BYTES_MAX, CHUNK_BYTES};
use crate::error::{Error, ErrorKind, Result};

/// How long a connection may take.
const CONNECT_MAX: Duration = Duration::from_secs(3);
/// How often a connection is asked whether it lives, and how long it may take to say so.
const KEEP_ALIVE: Duration = Duration::from_secs(2);
const KEEP_ALIVE_MAX: Duration = Duration::from_secs(4);

/// A way to the master. Clones share the connection.
#[derive(Clone, Debug)]
pub(crate) struct Control {
    client: ControlClient<Channel>,
    address: String,
}

impl Control {
    /// To the master at `HOST:PORT`, on the current runtime. Nothing is sent yet.
    ///
    /// # Errors
    /// `Invalid` where that is no address.
    pub(crate) fn to(address: &str, token: Token) -> Result<Control> {
        let bad = || Error::invalid(format!("cannot ask a master at {address}: an address is HOST:PORT"));
        if address.rsplit_once(':').is_none_or(|(host, port)| host.is_empty() || port.parse::<u16>().is_err())
        {
            return Err(bad());
        }
        let endpoint = Endpoint::from_shared(format!("http://{address}"))
            .map_err(|_| bad())?
            .connect_timeout(CONNECT_MAX)
            .http2_keep_alive_interval(KEEP_ALIVE)
            .keep_alive_timeout(KEEP_ALIVE_MAX)
            .keep_alive_while_idle(true);
        let to = address.to_owned();
        let connect = move |_| {
            let (to, token) = (to.clone(), token.clone());
            async move { open(&to, &token).await.map(TokioIo::new) }
        };
        let channel = endpoint.connect_with_connector_lazy(tower::service_fn(connect));
        let client = ControlClient::new(channel)
            .max_decoding_message_size(BODY_BYTES_MAX)
            .max_encoding_message_size(BODY_BYTES_MAX);
        Ok(Control { client, address: address.to_owned() })
    }

    /// Asks, and waits for the answer for at most `limit`.
    ///
    /// # Errors
    /// `Unavailable` where no answer comes; `Invalid` where the door stays closed.
    pub(crate) async fn ask(&self, question: Bytes, limit: Duration) -> Result<Bytes> {
        let mut client = self.client.clone();
        let asked = client.ask(Body { bytes: question });
        match tokio::time::timeout(limit, asked).await {
            Ok(Ok(answer)) => Ok(answer.into_inner().bytes),
            Ok(Err(status)) => Err(self.error(&status)),
            Err(_) => Err(Error::new(
                ErrorKind::Unavailable,
                format!("no answer of the master at {} within {} s", self.address, limit.as_secs_f64()),
            )),
        }
    }

    /// Gives the master the bytes of a file; it answers with what names them.
    ///
    /// # Errors
    /// Those of [`ask`](Control::ask), and those of the master.
    pub(crate) async fn upload(&self, parts: impl Stream<Item = Bytes> + Send + 'static) -> Result<Bytes> {
        let mut client = self.client.clone();
        let answer = client.upload(Bodies(Box::pin(parts))).await.map_err(|status| self.error(&status))?;
        Ok(answer.into_inner().bytes)
    }

    /// Takes the bytes of a file from the master, in order.
    ///
    /// # Errors
    /// Those of [`ask`](Control::ask), of the master, and of `take`.
    pub(crate) async fn download(
        &self,
        name: Bytes,
        mut take: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        let mut client = self.client.clone();
        let parts = client.download(Body { bytes: name }).await.map_err(|status| self.error(&status))?;
        let mut parts = parts.into_inner();
        while let Some(part) = parts.message().await.map_err(|status| self.error(&status))? {
            take(&part.bytes)?;
        }
        Ok(())
    }

    fn error(&self, status: &Status) -> Error {
        let kind = match status.code() {
            Code::InvalidArgument => ErrorKind::Invalid,
            Code::NotFound => ErrorKind::NotFound,
            Code::ResourceExhausted => ErrorKind::OutOfSpace,
            Code::DataLoss => ErrorKind::Data,
            _ => ErrorKind::Unavailable,
        };
        let mut why = status.message().to_owned();
        let mut kind = kind;
        // What the connection failed by stands at the end of the causes.
        let mut cause = std::error::Error::source(status);
        while let Some(error) = cause {
            if let Some(error) = error.downcast_ref::<std::io::Error>() {
                (kind, why) = (door::kind_of(error), error.to_string());
            }
            cause = error.source();
        }
        Error::new(kind, format!("cannot ask the master at {}: {why}", self.address))
    }
}

async fn open(address: &str, token: &Token) -> std::io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    door::knock(&mut stream, token).await?;
    Ok(stream)
}

/// Parts as bodies.
struct Bodies<S>(std::pin::Pin<Box<S>>);

impl<S: Stream<Item = Bytes>> Stream for Bodies<S> {
    type Item = Body;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Body>> {
        self.0.as_mut().poll_next(context).map(|part| part.map(|bytes| Body { bytes }))
    }
}

/// The parts of a file, read as they are sent.
pub(crate) struct Parts {
    pub(crate) file: File,
    /// Hears why it could not be read: then the rest is missing.
    pub(crate) failed: mpsc::Sender<std::io::Error>,
}

impl Stream for Parts {
    type Item = Bytes;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Bytes>> {
        let mut part = vec![0; CHUNK_BYTES];
        std::task::Poll::Ready(match self.file.read(&mut part) {
            Ok(0) => None,
            Ok(count) => {
                part.truncate(count);
                Some(part.into())
            }
            Err(error) => {
                // The upload ends early, and its name is another.
                let _ = self.failed.send(error);
                None
            }
        })
    }
}
