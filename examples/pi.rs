//! Pi, from the share of points of a square that lie in the circle.
//!
//!     cargo run --release --example pi [POINTS]                               threads of this process are the peers
//!     hama --master HOST:PORT job submit target/release/examples/pi [POINTS]   processes on a cluster are
//!
//! The points are shared among the peers and their order does not matter, so any number of peers counts the same.

use std::io::Write;
use std::time::Instant;

use hama::{BoxError, Bsp, ClusterRunner, ConnectOptions, Error, LocalRunner, Peer, Pool, Result};
use serde::{Deserialize, Serialize};

/// An estimate with this many points.
#[derive(Serialize, Deserialize)]
struct PiEstimate {
    points: u64,
}

impl Bsp for PiEstimate {
    const NAME: &'static str = "pi-estimate";
    type Message = ();
    type Output = f64;

    fn bsp(&self, peer: &mut Peer<()>) -> Result<f64, BoxError> {
        let own = (peer.index() as u64..self.points).step_by(peer.count());
        let hits = own.map(point).filter(|(x, y)| x * x + y * y < 1.0).count() as u64;
        let all = peer.all_reduce(&hits, |a, b| a + b)?;
        Ok(4.0 * all as f64 / self.points as f64)
    }
}

/// Point `i` of a sequence that fills the unit square evenly: multiples of powers of the plastic number.
fn point(i: u64) -> (f64, f64) {
    let fraction = |step: f64| (i as f64 * step).fract();
    (fraction(0.754_877_666_246_692_7), fraction(0.569_840_290_998_053_2))
}

fn main() -> Result<()> {
    // On a cluster the peers run this program too. They get theirs here; only the client goes on.
    hama::peer_main(hama::programs![PiEstimate]);
    let points = match std::env::args().nth(1) {
        Some(text) => text.parse().map_err(|_| Error::invalid(format!("{text} is no number of points")))?,
        None => 10_000_000,
    };
    let cluster = match std::env::var_os("HAMA_MASTER").filter(|master| !master.is_empty()) {
        Some(_) => Some(ClusterRunner::connect(&ConnectOptions::from_env()?)?),
        None => None,
    };
    let threads = LocalRunner::new(Pool::new(64 << 20));
    let mut out = std::io::stdout();
    for peers in [1, 2, 4] {
        let (begun, program) = (Instant::now(), PiEstimate { points });
        let outcome = match &cluster {
            Some(cluster) => cluster.run(&program).pool_bytes(64 << 20).peers(peers)?,
            None => threads.run(&program).peers(peers)?,
        };
        let (pi, seconds) = (outcome.outputs[0], begun.elapsed().as_secs_f64());
        writeln!(out, "{pi:.6} with {points} points on {peers} peers in {seconds:.2} s")
            .map_err(|error| Error::io("cannot write to standard output", error))?;
    }
    Ok(())
}
