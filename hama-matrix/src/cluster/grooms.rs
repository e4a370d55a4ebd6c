//! What the grooms of a cluster offer: how many peers, and how much memory to each.

use std::collections::BTreeSet;

use hama_core::{Error, ErrorKind, GroomStatus, Host, PEERS_MAX, Result};

/// Of the memory that a groom has for each of its slots, a pool is this part: the rest is for what a process has beside its
/// pool, and keeps files in the page cache that are read again.
const POOL_SHARE: u64 = 2;

/// What the grooms that are alive offer to a job that does not say what it wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Offer {
    /// As many as slots are free; as there are slots, where none is.
    pub(crate) peers: usize,
    /// As many as there are.
    pub(crate) slots: usize,
    /// The pool of a peer, whichever groom it comes to.
    pub(crate) peer_bytes: u64,
}

impl Offer {
    pub(crate) fn of(grooms: &[GroomStatus]) -> Result<Offer> {
        let sum = |slots: fn(&GroomStatus) -> u32| grooms.iter().map(|groom| slots(groom) as usize).sum();
        let (free, all): (usize, usize) = (sum(|groom| groom.slots_free), sum(|groom| groom.slots));
        let of_slot = |groom: &GroomStatus| groom.memory_bytes / u64::from(groom.slots.max(1));
        let least = grooms.iter().map(of_slot).min().ok_or_else(nobody)?;
        let peers = if free > 0 { free } else { all };
        Ok(Offer { peers: peers.clamp(1, PEERS_MAX), slots: all.max(1), peer_bytes: least / POOL_SHARE })
    }
}

/// Their hosts, each once, by name.
pub(super) fn hosts(grooms: &[GroomStatus]) -> Result<Vec<Host>> {
    let hosts: BTreeSet<&Host> = grooms.iter().filter_map(|groom| groom.host.as_ref()).collect();
    if hosts.is_empty() {
        return Err(nobody());
    }
    Ok(hosts.into_iter().take(PEERS_MAX).cloned().collect())
}

/// The host of each free slot, of hosts in turns; of each slot, where none is free.
pub(super) fn slots(grooms: &[GroomStatus]) -> Result<Vec<Host>> {
    let any_free = grooms.iter().any(|groom| groom.slots_free > 0);
    let of_groom = |groom: &GroomStatus| if any_free { groom.slots_free } else { groom.slots };
    let mut by_turn: Vec<(u32, &Host)> = Vec::new();
    for groom in grooms {
        by_turn.extend(groom.host.iter().flat_map(|host| (0..of_groom(groom)).map(move |turn| (turn, host))));
    }
    by_turn.sort();
    if by_turn.is_empty() {
        return Err(nobody());
    }
    Ok(by_turn.into_iter().take(PEERS_MAX).map(|(_, host)| host.clone()).collect())
}

fn nobody() -> Error {
    Error::new(ErrorKind::Unavailable, "cannot compute on the cluster: none of its grooms is alive")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groom(host: &str, slots: u32, slots_free: u32, memory_bytes: u64) -> GroomStatus {
        let (name, host) = (format!("groom-{host}-{slots}"), Some(Host::new(host)));
        GroomStatus { name, host, slots, slots_free, memory_bytes, ..GroomStatus::default() }
    }

    #[test]
    fn the_poorest_slot_says_what_a_peer_gets() {
        let grooms = [groom("b", 4, 3, 4000), groom("a", 2, 0, 1000), groom("c", 1, 1, 9000)];
        assert_eq!(Offer::of(&grooms).unwrap(), Offer { peers: 4, slots: 7, peer_bytes: 250 });
    }

    #[test]
    fn where_no_slot_is_free_a_job_waits_for_all() {
        let grooms = [groom("a", 2, 0, 1000), groom("b", 1, 0, 1000)];
        assert_eq!(Offer::of(&grooms).unwrap().peers, 3);
        let many = vec![groom("a", 1000, 1000, 1 << 40); 3];
        assert_eq!(Offer::of(&many).unwrap().peers, PEERS_MAX);
        assert_eq!(Offer::of(&[groom("a", 0, 0, 7)]).unwrap(), Offer { peers: 1, slots: 1, peer_bytes: 3 });
    }

    #[test]
    fn a_host_with_two_grooms_is_one_host() {
        let grooms = [groom("b", 1, 1, 1), groom("a", 1, 1, 1), groom("b", 2, 1, 1)];
        assert_eq!(hosts(&grooms).unwrap(), ["a", "b"].map(Host::new));
    }

    #[test]
    fn slots_are_those_of_hosts_in_turns() {
        let names = |grooms: &[GroomStatus]| -> Vec<String> {
            slots(grooms).unwrap().iter().map(|host| host.name().to_owned()).collect()
        };
        assert_eq!(names(&[groom("b", 4, 1, 1), groom("a", 4, 3, 1)]), ["a", "b", "a", "a"]);
        assert_eq!(names(&[groom("b", 1, 0, 1), groom("a", 2, 0, 1)]), ["a", "b", "a"]);
        assert_eq!(names(&[groom("a", 2000, 2000, 1)]).len(), PEERS_MAX);
        assert_eq!(slots(&[]).unwrap_err().kind(), ErrorKind::Unavailable);
    }

    #[test]
    fn without_grooms_nothing_is_offered() {
        assert_eq!(Offer::of(&[]).unwrap_err().kind(), ErrorKind::Unavailable);
        assert_eq!(hosts(&[]).unwrap_err().kind(), ErrorKind::Unavailable);
    }
}
