//! What jobs on a rehearsed cluster read from where and sent, against a count by hand.

use hama_core::TransportKind;
use hama_matrix::cluster::Rehearsal;
use hama_matrix::placement::Passed;
use hama_matrix::{DenseMatrix, Finished, Grid, Hama, Moved, ReadFrom, Seed, Wire, replace};

use super::fixture::{check_product, fresh, on};

const HOSTS: [&str; 3] = ["dn1", "dn2", "dn3"];
/// Bytes of 1000 x 1000 elements: a tile.
const TILE: u64 = 8_000_000;

fn cluster(store: &str) -> Hama {
    Hama::builder().store(store).rehearse(Rehearsal::of(&HOSTS, 2, 1 << 30)).build().unwrap()
}

/// A product on a grid, which is right.
fn run(a: &DenseMatrix<f64>, b: &DenseMatrix<f64>, (m, n, k): (u64, u64, u64)) -> Finished<f64> {
    let finished = a.mult(b).unwrap().grid(Grid { m, n, k }).run(replace("c")).unwrap();
    check_product(a, b, &finished.matrix, "counted");
    finished
}

/// The planned bytes, and that the sockets took them and at most a thousandth more in headers and acknowledgements.
fn planned(moved: &Moved) -> (u64, u64) {
    let Wire { between_hosts_bytes, within_hosts_bytes, planned } = moved.wire.unwrap();
    let Passed { between_hosts_bytes: between, within_hosts_bytes: within } = planned.unwrap();
    for (sent, planned) in [(between_hosts_bytes, between), (within_hosts_bytes, within)] {
        let slack = (planned / 1000).max(4000);
        assert!((planned..=planned + slack).contains(&sent), "{sent} beside {planned}");
    }
    (between, within)
}

#[test]
fn placed_operands_are_read_locally_and_cross_the_wire_once_a_user() {
    let hama = cluster(&fresh("memory"));
    let a = DenseMatrix::<f64>::random(&hama, "a", (3000, 1000), Seed(1)).unwrap();
    let (a, _) = a.blocking_with_copy(3).unwrap();
    // One shard, which one of the hosts has written.
    let b = DenseMatrix::<f64>::random(&hama, "b", (1000, 2000), Seed(2)).unwrap();
    let product = a.mult(&b).unwrap().grid(Grid { m: 3, n: 1, k: 1 });
    let placement = product.plan_on(&hama.hosts().unwrap()).unwrap().placement;
    let three = run(&a, &b, (3, 1, 1)).moved;
    assert_eq!(three.read.unwrap(), ReadFrom { local_bytes: 3 * TILE + 2 * TILE, ..ReadFrom::default() });
    assert_eq!(placement.reads.local_bytes, 5 * TILE, "as it is placed");
    // The host that holds B sends it to the two others.
    assert_eq!(planned(&three), (2 * 2 * TILE, 0));
    assert_eq!(placement.passed.between_hosts_bytes, 2 * 2 * TILE);
    // Two peers a host share a tile of A, and each tile of B is needed on all three hosts.
    let six = run(&a, &b, (3, 2, 1)).moved;
    assert_eq!(six.read.unwrap().local_bytes, 5 * TILE);
    assert_eq!(planned(&six), (2 * 2 * TILE, 3 * TILE));
    let text = six.to_string();
    assert!(text.contains("read       100 % local, 0 % rack, 0 % remote of 38.2MiB\n"), "{text}");
    assert!(
        text.contains("wire       53.5MiB, 1.00 times the plan's; 30.6MiB of it between hosts, 1.00 times"),
        "{text}"
    );
}

#[test]
fn partial_sums_and_mirrored_tiles_are_in_the_plan() {
    let hama = cluster(&fresh("memory"));
    let a = DenseMatrix::<f64>::random(&hama, "a", (2000, 2000), Seed(1)).unwrap();
    let b = DenseMatrix::<f64>::random(&hama, "b", (2000, 1000), Seed(2)).unwrap();
    // Each of two peers adds up one of the two tiles of C, so each gets a partial sum. Nothing of A and B is shared.
    let summed = run(&a, &b, (1, 1, 2)).moved;
    assert_eq!(planned(&summed), (2 * TILE, 0));
    assert_eq!(summed.read.unwrap().bytes(), 4 * TILE + 2 * TILE);
    // Without a grid to share on, nothing is sent.
    assert_eq!(planned(&run(&a, &b, (1, 1, 1)).moved), (0, 0));
}

#[test]
fn what_nobody_knows_the_place_of_is_not_local() {
    let store = fresh("memory");
    let here = on(&store, 2, TransportKind::Memory);
    let a = DenseMatrix::<f64>::random(&here, "a", (1000, 1000), Seed(1)).unwrap();
    let alone = run(&a, &a, (1, 1, 1));
    assert!(alone.moved.is_empty(), "threads of one process: {:?}", alone.moved);
    let a = a.in_hama(&cluster(&store));
    let moved = run(&a, &a, (1, 1, 1)).moved;
    assert_eq!(moved.read.unwrap(), ReadFrom { unknown_bytes: 2 * TILE, ..ReadFrom::default() });
}

#[test]
fn peers_that_share_slots_compute_at_a_part_of_r() {
    let store = fresh("memory");
    let a = DenseMatrix::<f64>::random(&on(&store, 1, TransportKind::Memory), "a", (4000, 4000), Seed(1))
        .unwrap();
    let with = |peers, shares| {
        let builder = Hama::builder().store(&store).peers(peers).shares_slots(shares);
        builder.rehearse(Rehearsal::of(&HOSTS, 2, 1 << 30)).build().unwrap()
    };
    let (own, shared) = (with(6, true), with(12, true));
    // Not more memory than that of the slots.
    assert_eq!((own.memory(), shared.memory()), (6 * (256 << 20), 6 * (256 << 20)));
    assert_eq!(shared.peer_memory(), 128 << 20);
    let plan = |hama: &Hama, grid| {
        let a = a.in_hama(hama);
        a.mult(&a).unwrap().grid(grid).plan_on(&hama.hosts().unwrap()).unwrap()
    };
    let four = plan(&own, Grid { m: 2, n: 2, k: 1 });
    assert_eq!(four.sharing, None);
    let eight = plan(&shared, Grid { m: 4, n: 2, k: 1 });
    let sharing = eight.sharing.unwrap();
    assert_eq!((sharing.peers, sharing.slots, sharing.peers_a_slot), (8, 6, 2));
    assert!(
        sharing
            .to_string()
            .contains("8 peers on 6 slots, up to 2 on one: each computes at 1/2 of r, with 128MiB"),
        "{sharing}"
    );
    // Bricks of 1 x 2 tiles each, at half of r.
    let rates = shared.rates();
    let expected = 2.0 * 1000.0 * 2000.0 * 4000.0 / (rates.flop_per_s / 2.0);
    assert!((eight.plan.estimate.compute_s / expected - 1.0).abs() < 1e-9, "{:?}", eight.plan.estimate);
    assert_eq!(plan(&shared, Grid { m: 2, n: 2, k: 1 }).sharing, None, "there are slots for them");
    let refused = Hama::builder().store(&store).shares_slots(true).build().unwrap_err();
    assert_eq!(refused.kind(), hama_core::ErrorKind::Invalid, "{refused}");
}
