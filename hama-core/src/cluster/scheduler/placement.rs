//! Which peers of a job go to which groom: a pure function of what the job needs and what is free.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use crate::cluster::model::spec::{JobSpec, Slots};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{Host, PeerId};

/// What a groom has to give. Rooms are in the order of the names of their grooms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Room {
    pub(crate) host: Host,
    pub(crate) slots: u32,
    pub(crate) memory_bytes: u64,
}

/// What a job gets of a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Share {
    /// The index of the room.
    pub(crate) room: usize,
    pub(crate) slots: u32,
    /// By index, ascending.
    pub(crate) peers: Vec<PeerId>,
}

/// Gives every peer of a job a room, its preferred host first, then where most slots are free; the first of equal rooms.
/// Where peers share slots, each slot that there is gets one before any gets another, and then those where the
/// fewest share one.
///
/// `free` is what is free now, `whole` the same rooms when nothing runs: a job whose peers share slots waits for as many
/// slots as it could ever have. Nothing, where it has to wait.
pub(crate) fn place(spec: &JobSpec, free: &[Room], whole: &[Room]) -> Option<Vec<Share>> {
    let mut seats: Vec<Seat> = free.iter().map(|room| Seat::of(spec, room)).collect();
    let slots: u64 = seats.iter().map(|seat| seat.slots).sum();
    let room: u64 = seats.iter().map(|seat| seat.most).sum();
    if room < u64::from(spec.peers) || slots < slots_wanted(spec, whole) {
        return None;
    }
    let mut rooms_of = BTreeMap::<&Host, Vec<usize>>::new();
    for (index, room) in free.iter().enumerate() {
        rooms_of.entry(&room.host).or_default().push(index);
    }
    let mut others = Vec::new();
    for index in 0..spec.peers {
        let rooms =
            spec.preferred.get(index as usize).and_then(Option::as_ref).and_then(|host| rooms_of.get(host));
        let open = rooms.into_iter().flatten().filter(|room| seats[**room].slots_left() > 0);
        match open.min_by_key(|room| (Reverse(seats[**room].slots_left()), **room)) {
            Some(room) => seats[*room].peers.push(PeerId::from_index(index)),
            None => others.push(index),
        }
    }
    spread(others, &mut seats);
    Some(shares(seats))
}

/// Whether the job fits when nothing else runs.
///
/// # Errors
/// `Invalid` with what it needs and what there is.
pub(crate) fn fits_ever(spec: &JobSpec, whole: &[Room]) -> Result<()> {
    let seats = || whole.iter().map(|room| Seat::of(spec, room));
    let room: u64 = seats().map(|seat| seat.most).sum();
    if room >= u64::from(spec.peers) {
        return Ok(());
    }
    let slots: u64 = whole.iter().map(|room| u64::from(room.slots)).sum();
    let by_memory: u64 = whole.iter().map(|room| room.memory_bytes / spec.memory_bytes.max(1)).sum();
    let (advice, grooms) = match spec.slots {
        Slots::Own if by_memory >= u64::from(spec.peers) => {
            ("try fewer peers, or let them share slots", whole.len())
        }
        _ => ("try fewer peers, or less memory for each", whole.len()),
    };
    Err(Error::new(
        ErrorKind::Invalid,
        format!(
            "cannot run {} with {} peers of {} bytes: the {grooms} grooms that are there have {slots} slots, and memory \
             for {by_memory} such peers; {advice}",
            spec.program, spec.peers, spec.memory_bytes
        ),
    ))
}

/// How many slots have to be free before the job starts.
fn slots_wanted(spec: &JobSpec, whole: &[Room]) -> u64 {
    let peers = u64::from(spec.peers);
    match spec.slots {
        Slots::Own => peers,
        Slots::Shared => peers.min(whole.iter().map(|room| Seat::of(spec, room).slots).sum()),
        Slots::Unneeded => 0,
    }
}

/// A room while peers are put there.
struct Seat {
    /// How many of the job's peers have a slot of their own and memory here.
    slots: u64,
    /// How many have room at all.
    most: u64,
    peers: Vec<PeerId>,
}

impl Seat {
    fn of(spec: &JobSpec, room: &Room) -> Seat {
        let by_memory = room.memory_bytes / spec.memory_bytes.max(1);
        let slots = by_memory.min(u64::from(room.slots));
        let (slots, most) = match spec.slots {
            Slots::Own => (slots, slots),
            Slots::Shared if room.slots == 0 => (slots, 0),
            Slots::Shared => (slots, by_memory),
            Slots::Unneeded => (0, by_memory),
        };
        Seat { slots, most, peers: Vec::new() }
    }

    fn slots_left(&self) -> u64 {
        self.slots.saturating_sub(self.peers.len() as u64)
    }

    /// The smaller, the better for one peer more. Nothing, where it has no room.
    fn rank(&self) -> Option<(bool, u64)> {
        let peers = self.peers.len() as u64;
        match self.slots_left() {
            _ if peers >= self.most => None,
            // Sharers of a slot, in thousandths. Rooms without a slot have no room at all, but for those that need none.
            0 => Some((true, peers * 1000 / self.slots.max(1))),
            left => Some((false, u64::MAX - left)),
        }
    }
}

/// Gives each of these peers the best room that is left.
fn spread(peers: Vec<u32>, seats: &mut [Seat]) {
    let ranked = |(index, seat): (usize, &Seat)| seat.rank().map(|rank| Reverse((rank, index)));
    let mut best: BinaryHeap<_> = seats.iter().enumerate().filter_map(ranked).collect();
    for peer in peers {
        let Some(Reverse((_, room))) = best.pop() else { return };
        seats[room].peers.push(PeerId::from_index(peer));
        best.extend(ranked((room, &seats[room])));
    }
}

fn shares(seats: Vec<Seat>) -> Vec<Share> {
    let used = seats.into_iter().enumerate().filter(|(_, seat)| !seat.peers.is_empty());
    used.map(|(room, mut seat)| {
        seat.peers.sort_unstable();
        Share { room, slots: seat.slots.min(seat.peers.len() as u64) as u32, peers: seat.peers }
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::model::spec::tests::spec;
    use proptest::prelude::*;

    const GIB: u64 = 1 << 30;

    fn room(host: &str, slots: u32, gib: u64) -> Room {
        Room { host: Host::new(host), slots, memory_bytes: gib * GIB }
    }

    /// The indices of the peers in each room.
    fn placed(spec: &JobSpec, rooms: &[Room]) -> Option<Vec<Vec<usize>>> {
        let mut peers = vec![Vec::new(); rooms.len()];
        for share in place(spec, rooms, rooms)? {
            peers[share.room] = share.peers.iter().map(|peer| peer.index()).collect();
        }
        Some(peers)
    }

    #[test]
    fn peers_spread_over_what_is_free() {
        let rooms = [room("a", 2, 9), room("b", 3, 9), room("c", 1, 9)];
        assert_eq!(placed(&spec(4), &rooms).unwrap(), [vec![1, 3], vec![0, 2], vec![]]);
        assert_eq!(placed(&spec(6), &rooms).unwrap(), [vec![1, 3], vec![0, 2, 4], vec![5]]);
        assert_eq!(placed(&spec(7), &rooms), None);
    }

    #[test]
    fn preferred_hosts_come_first() {
        let rooms = [room("a", 2, 9), room("b", 2, 9), room("c", 4, 9)];
        let prefer = |hosts: &[Option<&str>]| JobSpec {
            preferred: hosts.iter().map(|host| host.map(Host::new)).collect(),
            ..spec(hosts.len() as u32)
        };
        // The third that wants b has to go elsewhere, and the last wants a host that is not there.
        let wanted = prefer(&[Some("b"), None, Some("b"), Some("b"), Some("a"), Some("x")]);
        assert_eq!(placed(&wanted, &rooms).unwrap(), [vec![4], vec![0, 2], vec![1, 3, 5]]);
        // Two grooms of one host.
        let rooms = [room("a", 1, 9), room("b", 9, 9), room("a", 2, 9)];
        let wanted = prefer(&[Some("a"), Some("a"), Some("a"), Some("a")]);
        assert_eq!(placed(&wanted, &rooms).unwrap(), [vec![1], vec![3], vec![0, 2]]);
    }

    #[test]
    fn those_that_need_no_slots_take_none() {
        let spec = JobSpec { slots: Slots::Unneeded, ..spec(3) };
        let full = [room("a", 0, 9), room("b", 0, 9)];
        assert_eq!(placed(&spec, &full).unwrap(), [vec![0, 2], vec![1]]);
        let shares = place(&spec, &[room("a", 2, 9)], &[room("a", 2, 9)]).unwrap();
        assert_eq!(shares[0].slots, 0);
        // Memory they need as others do.
        assert_eq!(placed(&spec, &[room("a", 2, 2)]), None);
        assert!(fits_ever(&spec, &[room("a", 0, 2)]).is_err());
    }

    #[test]
    fn memory_bounds_as_slots_do() {
        let rooms = [room("a", 4, 1), room("b", 4, 2)];
        assert_eq!(placed(&spec(3), &rooms).unwrap().concat().len(), 3);
        assert_eq!(placed(&spec(4), &rooms), None);
        let error = fits_ever(&spec(4), &rooms).unwrap_err();
        assert_eq!(
            error.message(),
            "cannot run pi-estimate with 4 peers of 1073741824 bytes: the 2 grooms that are there have 8 slots, and \
             memory for 3 such peers; try fewer peers, or less memory for each"
        );
        let error = fits_ever(&spec(9), &[room("a", 4, 99), room("b", 4, 99)]).unwrap_err();
        assert!(error.message().ends_with("or let them share slots"), "{error}");
    }

    #[test]
    fn those_that_share_wait_for_all_slots_and_fill_them_evenly() {
        let shared = JobSpec { slots: Slots::Shared, ..spec(7) };
        let whole = [room("a", 1, 9), room("b", 2, 9)];
        let shares = place(&shared, &whole, &whole).unwrap();
        assert_eq!(
            shares.iter().map(|share| (share.slots, share.peers.len())).collect::<Vec<_>>(),
            [(1, 3), (2, 4)]
        );
        assert_eq!(place(&shared, &[room("a", 1, 9), room("b", 1, 9)], &whole), None);
        let few = JobSpec { slots: Slots::Shared, ..spec(2) };
        assert!(place(&few, &[room("a", 1, 9), room("b", 1, 9)], &whole).is_some());
        // Memory is not shared.
        assert_eq!(place(&shared, &[room("a", 1, 2), room("b", 2, 4)], &whole), None);
        assert!(fits_ever(&shared, &[room("a", 1, 2), room("b", 2, 4)]).is_err());
    }

    fn rooms() -> impl Strategy<Value = Vec<Room>> {
        let one = (0..4u8, 0..6u32, 0..6u64);
        let room = |(host, slots, gib)| room(&format!("h{host}"), slots, gib);
        prop::collection::vec(one.prop_map(room), 0..8)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]
        #[test]
        fn every_peer_gets_one_seat_and_no_room_is_overbooked(
            free in rooms(), peers in 1..24u32, shares_slots: bool, wishes in prop::collection::vec(0..6u8, 24),
        ) {
            let slots = if shares_slots { Slots::Shared } else { Slots::Own };
            let host = |wish: &u8| (*wish < 5).then(|| Host::new(format!("h{wish}")));
            let preferred: Vec<_> = wishes.iter().take(peers as usize).map(host).collect();
            let spec = JobSpec { slots, preferred, ..spec(peers) };
            // Rooms that are empty now: what fits ever fits now.
            let placed = place(&spec, &free, &free);
            prop_assert_eq!(placed.is_some(), fits_ever(&spec, &free).is_ok());
            let Some(shares) = placed else { return Ok(()) };
            let mut all = Vec::new();
            for share in &shares {
                let room = &free[share.room];
                let count = share.peers.len() as u64;
                prop_assert!(count * spec.memory_bytes <= room.memory_bytes);
                prop_assert!(share.slots <= room.slots && share.slots > 0);
                prop_assert!(shares_slots || u64::from(share.slots) == count);
                all.extend(share.peers.iter().map(|peer| peer.index() as u32));
            }
            all.sort_unstable();
            prop_assert_eq!(all, (0..peers).collect::<Vec<_>>());
            // Nobody is elsewhere while a slot of the host that he prefers is free.
            for share in &shares {
                for peer in &share.peers {
                    let Some(Some(wish)) = spec.preferred.get(peer.index()) else { continue };
                    let is_free = |index: usize| {
                        let used = shares.iter().find(|share| share.room == index).map_or(0, |share| share.peers.len());
                        &free[index].host == wish && (used as u64) < Seat::of(&spec, &free[index]).slots
                    };
                    prop_assert!(&free[share.room].host == wish || !(0..free.len()).any(is_free));
                }
            }
        }
    }
}
