//! Ports that nobody uses.

use std::net::{Ipv4Addr, TcpListener};
use std::time::{SystemTime, UNIX_EPOCH};

/// Below those that the system gives to clients, so that a server that is started again finds its own free.
const FIRST: u32 = 12_000;
const COUNT: u32 = 20_000;

/// So many ports that are free at this moment at every address, another choice each time.
pub(super) fn free<const N: usize>() -> Result<[u16; N], String> {
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.subsec_nanos());
    let start = clock.wrapping_add(std::process::id().wrapping_mul(7919));
    // Held until all are found, so that none is found twice.
    let mut held = Vec::new();
    for step in 0..COUNT {
        let port = u16::try_from(FIRST + start.wrapping_add(step) % COUNT).unwrap_or_default();
        held.extend(TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).ok().map(|listener| (port, listener)));
        if held.len() == N {
            let mut ports = [0; N];
            for (port, (free, _)) in ports.iter_mut().zip(&held) {
                *port = *free;
            }
            return Ok(ports);
        }
    }
    Err(format!("no {N} ports are free from {FIRST} to {}", FIRST + COUNT - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_free_and_differ() {
        let ports: [u16; 5] = free().unwrap();
        let listeners: Vec<_> =
            ports.iter().map(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).unwrap()).collect();
        assert_eq!(listeners.len(), 5);
        let others: [u16; 5] = free().unwrap();
        assert!(others.iter().all(|port| !ports.contains(port)), "{ports:?} {others:?}");
    }
}
