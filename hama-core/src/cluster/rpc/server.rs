//! The master's side of control: hands questions to who answers them.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use tonic::transport::Server;
use tonic::{Request, Response, Status, Streaming};

use super::listen::Incoming;
use super::proto::Body;
use super::proto::control_server::{Control, ControlServer};
use super::{BODY_BYTES_MAX, CHUNK_BYTES};
use crate::error::{Error, Result};

/// How often a connection is asked whether it lives, and how long it may take to say so.
const KEEP_ALIVE: Duration = Duration::from_secs(2);
const KEEP_ALIVE_MAX: Duration = Duration::from_secs(4);

/// Who answers. Bodies are opaque here.
pub(crate) trait Answers: Send + Sync + 'static {
    /// What takes the bytes of a file that is uploaded.
    type Upload: Upload;

    /// Answers a question; it may take as long as it wants. Errors are answers too, and stand in the body.
    fn answer(self: Arc<Self>, question: Bytes) -> impl Future<Output = Bytes> + Send;

    /// Begins to take a file.
    fn upload(&self) -> Result<Self::Upload>;

    /// Gives the bytes at `offset` of a file that is asked for, at most as many; none behind its end.
    fn download(&self, name: &[u8], offset: u64, len: usize) -> Result<Bytes>;
}

/// Takes the bytes of a file, in order.
pub(crate) trait Upload: Send {
    /// Takes some.
    fn take(&mut self, bytes: &[u8]) -> Result<()>;

    /// That were all; answers with what names the file.
    fn end(self) -> Result<Bytes>;
}

/// Serves until `stop` comes.
///
/// # Errors
/// `Unavailable` where the connections break as a whole.
pub(crate) async fn serve<A: Answers>(
    answers: Arc<A>,
    incoming: Incoming,
    stop: impl Future<Output = ()>,
) -> Result<()> {
    let service = ControlServer::new(Served(answers))
        .max_decoding_message_size(BODY_BYTES_MAX)
        .max_encoding_message_size(BODY_BYTES_MAX);
    Server::builder()
        .http2_keepalive_interval(Some(KEEP_ALIVE))
        .http2_keepalive_timeout(Some(KEEP_ALIVE_MAX))
        .add_service(service)
        .serve_with_incoming_shutdown(incoming, stop)
        .await
        .map_err(|e| Error::new(crate::error::ErrorKind::Unavailable, "control ended").with_source(e))
}

struct Served<A>(Arc<A>);

#[tonic::async_trait]
impl<A: Answers> Control for Served<A> {
    type DownloadStream = Pin<Box<dyn Stream<Item = Result<Body, Status>> + Send>>;

    async fn ask(&self, question: Request<Body>) -> Result<Response<Body>, Status> {
        // Who asked may go away in the middle, and what was begun is brought to its end.
        let answer = tokio::spawn(Arc::clone(&self.0).answer(question.into_inner().bytes));
        let bytes =
            answer.await.map_err(|_| Status::internal("the answer was lost: this is a defect of hama"))?;
        Ok(Response::new(Body { bytes }))
    }

    async fn upload(&self, parts: Request<Streaming<Body>>) -> Result<Response<Body>, Status> {
        let mut parts = parts.into_inner();
        let mut upload = self.0.upload().map_err(refused)?;
        while let Some(part) = parts.message().await? {
            upload.take(&part.bytes).map_err(refused)?;
        }
        let bytes = upload.end().map_err(refused)?;
        Ok(Response::new(Body { bytes }))
    }

    async fn download(&self, name: Request<Body>) -> Result<Response<Self::DownloadStream>, Status> {
        let (answers, name) = (Arc::clone(&self.0), name.into_inner().bytes);
        Ok(Response::new(Box::pin(Parts { answers, name, offset: 0 })))
    }
}

/// The parts of a file, read as they are sent.
struct Parts<A> {
    answers: Arc<A>,
    name: Bytes,
    offset: u64,
}

impl<A: Answers> Stream for Parts<A> {
    type Item = Result<Body, Status>;

    fn poll_next(
        mut self: Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        let part = self.answers.download(&self.name, self.offset, CHUNK_BYTES);
        std::task::Poll::Ready(match part {
            Ok(bytes) if bytes.is_empty() => None,
            Ok(bytes) => {
                self.offset += bytes.len() as u64;
                Some(Ok(Body { bytes }))
            }
            Err(error) => Some(Err(refused(error))),
        })
    }
}

/// An error where there is no body to put it in.
fn refused(error: Error) -> Status {
    use crate::error::ErrorKind::{Data, Invalid, NotFound, OutOfSpace};
    let text = error.to_string();
    match error.kind() {
        Invalid => Status::invalid_argument(text),
        NotFound => Status::not_found(text),
        OutOfSpace => Status::resource_exhausted(text),
        Data => Status::data_loss(text),
        _ => Status::unavailable(text),
    }
}
