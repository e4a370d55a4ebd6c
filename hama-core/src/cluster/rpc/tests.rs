use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_core::Stream;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use super::client::Control;
use super::door::Token;
use super::listen::Listen;
use super::server::{Answers, Upload, serve};
use crate::error::{Error, ErrorKind, Result};

const LIMIT: Duration = Duration::from_secs(5);

/// Answers with the question said twice, and keeps the last file.
#[derive(Default)]
struct Echo {
    file: Arc<Mutex<Vec<u8>>>,
}

struct Keep(Arc<Mutex<Vec<u8>>>, Vec<u8>);

impl Upload for Keep {
    fn take(&mut self, bytes: &[u8]) -> Result<()> {
        if bytes.first() == Some(&b'!') {
            return Err(Error::invalid("cannot keep this"));
        }
        self.1.extend_from_slice(bytes);
        Ok(())
    }

    fn end(self) -> Result<Bytes> {
        *self.0.lock().unwrap() = self.1;
        Ok(Bytes::from_static(b"kept"))
    }
}

impl Answers for Echo {
    type Upload = Keep;

    async fn answer(self: Arc<Self>, question: Bytes) -> Bytes {
        if question == "hang" {
            std::future::pending::<()>().await;
        }
        [&question[..], &question[..]].concat().into()
    }

    fn upload(&self) -> Result<Keep> {
        Ok(Keep(Arc::clone(&self.file), Vec::new()))
    }

    fn download(&self, name: &[u8], offset: u64, len: usize) -> Result<Bytes> {
        if name != b"kept" {
            return Err(Error::new(ErrorKind::NotFound, "no such file"));
        }
        let file = self.file.lock().unwrap();
        let rest = &file[(offset as usize).min(file.len())..];
        Ok(Bytes::copy_from_slice(&rest[..rest.len().min(len)]))
    }
}

struct Master {
    address: SocketAddr,
    refusals: Arc<AtomicU64>,
    _stop: oneshot::Sender<()>,
}

async fn master(token: Token) -> Master {
    let listen = Listen { address: "127.0.0.1:0".parse().unwrap(), token, insecure_network: false };
    let (address, incoming) = listen.start().await.unwrap();
    let refusals = incoming.refusals();
    let (_stop, stopped) = oneshot::channel();
    tokio::spawn(serve(Arc::new(Echo::default()), incoming, async {
        let _ = stopped.await;
    }));
    Master { address, refusals, _stop }
}

impl Master {
    fn control(&self, token: Token) -> Control {
        Control::to(&self.address.to_string(), token).unwrap()
    }
}

fn token(text: &str) -> Token {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    Token::read(file.path()).unwrap()
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// The parts of a file that is uploaded.
struct Parts(Vec<Bytes>);

impl Stream for Parts {
    type Item = Bytes;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Bytes>> {
        Poll::Ready(self.0.pop())
    }
}

#[test]
fn questions_are_answered() {
    run(async {
        let master = master(token("a token for this test")).await;
        let control = master.control(token("a token for this test"));
        assert_eq!(control.ask("ab".into(), LIMIT).await.unwrap(), "abab");
        let large = Bytes::from(vec![7; 9 << 20]);
        assert_eq!(control.ask(large, LIMIT).await.unwrap().len(), 18 << 20);
        // One that is held open keeps none of the others waiting, and ends when its time is over.
        let (hangs, quick) = tokio::join!(
            control.ask("hang".into(), Duration::from_millis(300)),
            control.ask("c".into(), Duration::from_millis(250))
        );
        assert_eq!((hangs.unwrap_err().kind(), quick.unwrap()), (ErrorKind::Unavailable, Bytes::from("cc")));
    });
}

#[test]
fn files_go_both_ways() {
    run(async {
        let master = master(Token::none()).await;
        let control = master.control(Token::none());
        let part = Bytes::from((0..100_000_u32).flat_map(u32::to_le_bytes).collect::<Vec<u8>>());
        let name = control.upload(Parts(vec![part.clone(); 3])).await.unwrap();
        let mut file = Vec::new();
        let take = |bytes: &[u8]| {
            file.extend_from_slice(bytes);
            Ok(())
        };
        control.download(name, take).await.unwrap();
        assert!(file == part.repeat(3));
        let error = control.upload(Parts(vec![Bytes::from("!")])).await.unwrap_err();
        assert!(
            error.kind() == ErrorKind::Invalid && error.message().contains("cannot keep this"),
            "{error}"
        );
        let error = control.download("other".into(), |_| Ok(())).await.unwrap_err();
        assert!(error.kind() == ErrorKind::NotFound && error.message().contains("no such file"), "{error}");
    });
}

#[test]
fn who_has_no_token_learns_so_and_is_counted() {
    run(async {
        let master = master(token("a token for this test")).await;
        for other in [Token::none(), token("another token of some length")] {
            let error = master.control(other).ask("a".into(), LIMIT).await.unwrap_err();
            assert!(
                error.kind() == ErrorKind::Invalid && error.message().contains("--token-file"),
                "{error}"
            );
        }
        assert_eq!(master.refusals.load(Ordering::Relaxed), 2);
    });
}

#[test]
fn hostile_bytes_are_refused_and_the_others_served() {
    run(async {
        let master = master(token("a token for this test")).await;
        let mut silent = Vec::new();
        for _ in 0..70 {
            silent.push(TcpStream::connect(master.address).await.unwrap());
        }
        for bytes in
            [&b"GET / HTTP/1.1\r\nHost: here\r\n\r\nGET / HTTP/1.1\r\n\r\n"[..], &[0; 1000], &[255; 48]]
        {
            let mut stream = TcpStream::connect(master.address).await.unwrap();
            // It may be closed already.
            let _ = stream.write_all(bytes).await;
            let mut said = Vec::new();
            let _ = stream.read_to_end(&mut said).await;
            assert!(said.is_empty(), "{said:?}");
        }
        let control = master.control(token("a token for this test"));
        assert_eq!(control.ask("ab".into(), LIMIT).await.unwrap(), "abab");
        assert!(master.refusals.load(Ordering::Relaxed) >= 3);
    });
}

#[test]
fn a_master_that_is_away_is_an_error_in_time_and_is_found_again() {
    run(async {
        for bad in ["", "host", ":1", "host:x", "a b:1", "host:70000"] {
            assert_eq!(Control::to(bad, Token::none()).unwrap_err().kind(), ErrorKind::Invalid, "{bad}");
        }
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (began, address) = (Instant::now(), silent.local_addr().unwrap().to_string());
        let control = Control::to(&address, Token::none()).unwrap();
        let error = control.ask("a".into(), LIMIT).await.unwrap_err();
        assert!(error.kind() == ErrorKind::Unavailable && error.message().contains(&address), "{error}");
        assert!(began.elapsed() < LIMIT);
        drop(silent);
        let error = control.ask("a".into(), LIMIT).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        // The same way leads to it when it is back.
        let listen =
            Listen { address: address.parse().unwrap(), token: Token::none(), insecure_network: false };
        let (_, incoming) = listen.start().await.unwrap();
        tokio::spawn(serve(Arc::new(Echo::default()), incoming, std::future::pending()));
        assert_eq!(control.ask("ab".into(), LIMIT).await.unwrap(), "abab");
    });
}
