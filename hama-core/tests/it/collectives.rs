//! Broadcast, gather, reduce and all-reduce: right values in the order of the peers, or an error that names who
//! called what.

use hama_core::testing::run;
use hama_core::{BoxError, Bsp, ErrorKind, Peer};
use serde::{Deserialize, Serialize};

/// Each collective with the last peer as root, between ordinary supersteps.
#[derive(Serialize, Deserialize)]
struct All;

impl Bsp for All {
    const NAME: &'static str = "all";
    type Message = u8;
    type Output = ();

    fn bsp(&self, peer: &mut Peer<u8>) -> Result<(), BoxError> {
        let (index, count) = (peer.index(), peer.count());
        let root = peer.peer(count - 1)?;
        let is_root = index == count - 1;
        let names: Vec<String> = (0..count).map(|i| format!("peer {i}")).collect();
        let joined = names.join(", ");
        let join = |a: String, b: String| format!("{a}, {b}");

        let told = peer.broadcast(root, is_root.then(|| vec![1.5, 2.5]))?;
        assert_eq!(told, [1.5, 2.5]);
        peer.send(root, &7)?;
        assert_eq!(peer.sync()?.len(), if is_root { count } else { 0 });
        assert_eq!(peer.gather(root, &names[index])?, is_root.then(|| names.clone()));
        assert_eq!(peer.reduce(root, &names[index], join)?, is_root.then(|| joined.clone()));
        assert_eq!(peer.all_reduce(&names[index], join)?, joined);
        assert_eq!(peer.superstep(), 5);
        Ok(())
    }
}

#[test]
fn values_are_combined_in_the_order_of_the_peers() {
    for trial in run(&All, [1, 2, 3, 7]) {
        assert_eq!(trial.result.unwrap().supersteps, 5);
    }
}

/// The first peer calls one thing, the others another.
#[derive(Serialize, Deserialize)]
struct Mixed(usize, usize);

const CALLS: [&str; 7] = [
    "sync",
    "a broadcast from peer 0",
    "a broadcast from peer 1",
    "a gather to peer 0",
    "a reduce to peer 0",
    "an all-reduce",
    "its return",
];

impl Bsp for Mixed {
    const NAME: &'static str = "mixed";
    type Message = u64;
    type Output = ();

    fn bsp(&self, peer: &mut Peer<u64>) -> Result<(), BoxError> {
        let (zero, one) = (peer.peer(0)?, peer.peer(1)?);
        let index = peer.index();
        match if index == 0 { self.0 } else { self.1 } {
            0 => drop(peer.sync()?),
            1 => drop(peer.broadcast(zero, (index == 0).then_some(1u64))?),
            2 => drop(peer.broadcast(one, (index == 1).then_some(1u64))?),
            3 => drop(peer.gather(zero, &1u64)?),
            4 => drop(peer.reduce(zero, &1u64, |a, b| a + b)?),
            5 => drop(peer.all_reduce(&1u64, |a, b| a + b)?),
            _ => {}
        }
        Ok(())
    }
}

#[test]
fn different_calls_in_one_superstep_are_an_error_that_names_both() {
    let pairs = (0..CALLS.len()).flat_map(|first| (0..CALLS.len()).map(move |other| (first, other)));
    for (first, other) in pairs.filter(|(first, other)| first != other) {
        for trial in run(&Mixed(first, other), [3]) {
            let error = trial.result.expect_err("they do not fit");
            assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
            let text = error.to_string();
            assert!(text.contains(CALLS[first]) && text.contains(CALLS[other]), "{text}");
        }
    }
}

/// Wrong calls that a peer notices by itself.
#[derive(Serialize, Deserialize)]
struct Careless(u8);

impl Bsp for Careless {
    const NAME: &'static str = "careless";
    type Message = u64;
    type Output = ();

    fn bsp(&self, peer: &mut Peer<u64>) -> Result<(), BoxError> {
        let root = peer.peer(0)?;
        let is_root = peer.index() == 0;
        match self.0 {
            0 => {
                peer.send(root, &1)?;
                peer.all_reduce(&1u64, |a, b| a + b)?;
            }
            1 => drop(peer.broadcast::<u64>(root, None)?),
            2 => drop(peer.broadcast(root, Some(peer.index()))?),
            3 => drop(peer.gather(hama_core::PeerId::from_index(50), &1u64)?),
            _ => drop(peer.broadcast(root, is_root.then_some(vec![0u8; 17 << 20]))?),
        }
        Ok(())
    }
}

#[test]
fn careless_calls_are_refused() {
    let says = [
        "1 messages are unsent: call sync before a collective",
        "peer 0 gave no value to a broadcast from peer 0",
        "gave a value to a broadcast from peer 0",
        "there is no peer 50",
        "the limit is 16777216",
    ];
    for (case, says) in says.into_iter().enumerate() {
        for trial in run(&Careless(case as u8), [2, 3]) {
            let error = trial.result.expect_err("it is refused");
            assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
            assert!(error.to_string().contains(says), "{error}");
        }
    }
}
