//! Ports that nobody uses.

use std::net::{Ipv4Addr, TcpListener};
use std::time::{SystemTime, UNIX_EPOCH};

/// Below those that the system gives to clients, so that a server that is started again finds its own free.
const FIRST: u32 = 12_000;
const COUNT: u32 = 20_000;

/// So many ports that are free at this moment at every address, another choice each time.
pub(crate) fn free(count: usize) -> Result<Vec<u16>, String> {
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.subsec_nanos());
    let start = clock.wrapping_add(std::process::id().wrapping_mul(7919));
    let ports = (0..COUNT).filter_map(|step| u16::try_from(FIRST + start.wrapping_add(step) % COUNT).ok());
    // Held until all are found, so that none is found twice.
    let held = ports.filter_map(|port| Some((port, TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).ok()?)));
    let held: Vec<(u16, TcpListener)> = held.take(count).collect();
    if held.len() < count {
        return Err(format!("no {count} ports are free from {FIRST} to {}", FIRST + COUNT - 1));
    }
    Ok(held.iter().map(|(port, _)| *port).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_free_and_differ() {
        let ports = free(5).unwrap();
        let bind = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).unwrap();
        let listeners: Vec<_> = ports.iter().map(bind).collect();
        assert_eq!(listeners.len(), 5);
        let others = free(5).unwrap();
        assert!(others.iter().all(|port| !ports.contains(port)), "{ports:?} {others:?}");
        assert!(free(COUNT as usize + 1).is_err());
    }
}
