//! A first BSP program: every peer greets the next one.
//!
//!     cargo run --release --example hello_bsp [PEERS]

use std::io::Write;

use hama::{BoxError, Bsp, Error, Hama, Peer, Result};
use serde::{Deserialize, Serialize};

/// What travels to the peers: the program with its parameters.
#[derive(Serialize, Deserialize)]
struct Hello {
    greeting: String,
}

impl Bsp for Hello {
    const NAME: &'static str = "hello";
    type Message = String;
    type Output = String;

    fn bsp(&self, peer: &mut Peer<String>) -> Result<String, BoxError> {
        let next = peer.peer((peer.index() + 1) % peer.count())?;
        peer.send(next, &format!("{} from peer {}", self.greeting, peer.index()))?;
        // The end of the superstep: only now are there messages to read.
        let inbox = peer.sync()?;
        let received = inbox.into_iter().next().ok_or("nobody greeted me")?;
        Ok(format!("peer {} of {} received \"{}\"", peer.index(), peer.count(), received.message))
    }
}

fn main() -> Result<()> {
    let peers = match std::env::args().nth(1) {
        Some(text) => text.parse().map_err(|_| Error::invalid(format!("{text} is no number of peers")))?,
        None => 3,
    };
    let hama = Hama::builder().store("memory:hello").memory(64 << 20).build()?;
    let outcome = hama.run(&Hello { greeting: "hello".into() }).peers(peers)?;
    let mut out = std::io::stdout();
    for line in &outcome.outputs {
        writeln!(out, "{line}").map_err(|error| Error::io("cannot write to standard output", error))?;
    }
    Ok(())
}
