//! A way to a server that can be cut: connections stay open, and what is sent gets lost.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// A way to a server, until this process ends.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    cut: Arc<AtomicBool>,
}

impl Relay {
    /// One to the server at `host:port`.
    ///
    /// # Panics
    /// Where no port is free.
    pub fn start(server: &str) -> Relay {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let cut = Arc::new(AtomicBool::new(false));
        let (server, is_cut) = (server.to_owned(), Arc::clone(&cut));
        thread::spawn(move || {
            for ours in listener.incoming().flatten() {
                // A server that is gone closes the connection.
                let Ok(theirs) = TcpStream::connect(&server) else { continue };
                let clone = |stream: &TcpStream| stream.try_clone().expect("descriptors are left");
                pass(clone(&ours), clone(&theirs), Arc::clone(&is_cut));
                pass(theirs, ours, Arc::clone(&is_cut));
            }
        });
        Relay { address, cut }
    }

    /// Where it is reached.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// From now on everything gets lost.
    pub fn cut(&self) {
        self.cut.store(true, Ordering::SeqCst);
    }

    /// New connections work again. What was lost of the others stays lost: they end.
    pub fn mend(&self) {
        self.cut.store(false, Ordering::SeqCst);
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, is_cut: Arc<AtomicBool>) {
    thread::spawn(move || {
        // Else small messages wait for each other.
        let _ = to.set_nodelay(true);
        let mut bytes = [0; 4096];
        while let Ok(count @ 1..) = from.read(&mut bytes) {
            if !is_cut.load(Ordering::SeqCst) && to.write_all(&bytes[..count]).is_err() {
                break;
            }
        }
        if !is_cut.load(Ordering::SeqCst) {
            let _ = to.shutdown(std::net::Shutdown::Both);
        }
    });
}
