//! Plans for several hosts, and copies whose blocks they own.

use hama_core::{ErrorKind, Host};
use hama_hdfs::{LocationSource, Table};
use hama_matrix::placement::Node;
use hama_matrix::{DenseMatrix, Grid, Hama, Seed, replace};

use crate::fixture::{check_product, fresh};

fn as_host(store: &str, name: &str) -> Hama {
    Hama::builder().store(store).peers(2).memory(1 << 28).host(Host::new(name)).build().unwrap()
}

fn hosts(names: &str) -> Vec<Node> {
    names.split(',').map(|name| name.parse().unwrap()).collect()
}

fn writers(table: &Table) -> Vec<&str> {
    table.shards().iter().map(|record| record.host.name()).collect()
}

#[test]
fn the_advised_copy_makes_as_much_local_as_it_says() {
    // One store answers where files lie, of the other only the index knows.
    for (scheme, source) in [("strict", LocationSource::Store), ("memory", LocationSource::Writer)] {
        let store = fresh(scheme);
        let hama = as_host(&store, "dn1");
        let a = DenseMatrix::<f32>::random(&hama, "a", (3000, 900), Seed(1)).unwrap();
        let b = DenseMatrix::<f32>::random(&as_host(&store, "dn2"), "b", (900, 30), Seed(2)).unwrap();
        let all = hosts("dn1,dn2,dn3");
        let product = |a: &DenseMatrix<f32>| {
            a.mult(&b).unwrap().peers(3).unwrap().grid(Grid { m: 3, n: 1, k: 1 }).plan_on(&all).unwrap()
        };
        assert_eq!(a.table().unwrap().locations(hama.cancel()).unwrap()[0].source, source);
        let before = product(&a);
        assert_eq!(before.placement.reads.bytes(), 3000 * 900 * 4 + 900 * 30 * 4);
        let advice = before.advice[0].clone();
        assert_eq!((advice.name.as_str(), advice.blocks), ("a", 3));
        let (copied, made, owners) = a.blocking_with_copy_on(advice.blocks, &all).unwrap();
        // Of 3 x 1 tiles: blocks end with tiles.
        assert_eq!((made.shards, made.of), (3, 3));
        assert!(made.bytes > 3000 * 900 * 4);
        assert_eq!(owners.hosts, ["dn1", "dn2", "dn3"].map(|name| (Host::new(name), 1)));
        let after = product(&copied);
        assert_eq!(
            after.placement.reads.local_bytes,
            before.placement.reads.local_bytes + advice.local_bytes_more
        );
        assert!(after.advice.iter().all(|advice| advice.name != "a"), "it has one: {:?}", after.advice);
        check_product(&copied, &b, &copied.mult(&b).unwrap().save(replace("c")).unwrap(), "through the copy");
    }
}

#[test]
fn rows_of_blocks_that_can_be_dealt_out_evenly_are_owned_whole() {
    let store = fresh("strict");
    let a = DenseMatrix::<f32>::random(&as_host(&store, "dn1"), "a", (3000, 3000), Seed(1)).unwrap();
    let b = DenseMatrix::<f32>::random(&as_host(&store, "dn2"), "b", (3000, 3000), Seed(2)).unwrap();
    let all = hosts("dn1,dn2,dn3");
    let copied = |matrix: &DenseMatrix<f32>| {
        let (copied, _, owners) = matrix.blocking_with_copy_on(3, &all).unwrap();
        assert_eq!(owners.hosts.iter().map(|(_, blocks)| *blocks).collect::<Vec<_>>(), [3, 3, 3]);
        let placed = copied.table().unwrap().through_copy().unwrap().unwrap();
        let rows: Vec<_> = writers(&placed).chunks(3).map(<[_]>::to_vec).collect();
        assert!(rows.iter().all(|row| row.iter().all(|host| *host == row[0])), "{rows:?}");
        copied
    };
    let (a, b) = (copied(&a), copied(&b));
    let plan = a.mult(&b).unwrap().peers(3).unwrap().grid(Grid { m: 3, n: 1, k: 1 }).plan_on(&all).unwrap();
    assert_eq!(plan.placement.reads.local_bytes, 2 * 3000 * 3000 * 4);
}

#[test]
fn who_owns_a_block_keeps_it() {
    let hama = as_host(&fresh("strict"), "here");
    let a = DenseMatrix::<f64>::random(&hama, "a", (3000, 20), Seed(1)).unwrap();
    let (a, ..) = a.blocking_with_copy_on(3, &hosts("x,y,z")).unwrap();
    let placed = |a: &DenseMatrix<f64>| a.table().unwrap().through_copy().unwrap().unwrap();
    let owned = placed(&a);
    assert_eq!(writers(&owned), ["x", "y", "z"]);
    // An update is copied again as who owns the block, whoever brings it up to date.
    let a = a.set(1500, 3, 7.0).unwrap();
    let (a, copied) = a.copy().unwrap();
    assert!(copied.shards > 0);
    assert_eq!(writers(&placed(&a)), ["x", "y", "z"]);
    let (a, copied, _) = a.blocking_with_copy_on(3, &hosts("z,y,x")).unwrap();
    assert_eq!(copied.shards, 0, "they own it");
    // One goes and another comes: its block moves, the others stay.
    let (a, copied, owners) = a.blocking_with_copy_on(3, &hosts("x,w,z")).unwrap();
    assert_eq!((copied.shards, copied.of), (1, 3));
    assert_eq!(writers(&placed(&a)), ["x", "w", "z"]);
    assert_eq!(owners.hosts.iter().map(|(_, blocks)| *blocks).sum::<u64>(), 3);
    assert_eq!(placed(&a).locations(hama.cancel()).unwrap()[1].replicas[0].host.name(), "w");
    assert_eq!(a.read(1500..1501, 3..4).unwrap()[(0, 0)], 7.0);
}

#[test]
fn what_cannot_be_placed_is_refused() {
    let hama = as_host(&fresh("memory"), "here");
    let a = DenseMatrix::<f64>::ones(&hama, "a", (30, 20)).unwrap();
    let kind = |names: &str| a.blocking_with_copy_on(2, &hosts(names)).unwrap_err().kind();
    assert_eq!(kind("x,x"), ErrorKind::Invalid);
    assert_eq!(a.blocking_with_copy_on(2, &[]).unwrap_err().kind(), ErrorKind::Invalid);
    for blocks in [0, 21] {
        assert_eq!(a.blocking_with_copy_on(blocks, &hosts("x")).unwrap_err().kind(), ErrorKind::Invalid);
    }
    let product = a.mult(&a.t()).unwrap();
    assert_eq!(product.plan_on(&hosts("x,y,x")).unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!(product.plan_on(&[]).unwrap_err().kind(), ErrorKind::Invalid);
    let unasked = DenseMatrix::<f64>::open(&hama, "a").unwrap();
    let product = unasked.mult(&unasked.t()).unwrap();
    hama.cancel().cancel();
    assert_eq!(product.plan_on(&hosts("x")).unwrap_err().kind(), ErrorKind::Cancelled);
    assert!(a.table().unwrap().through_copy().unwrap().is_none(), "nothing was made");
}
