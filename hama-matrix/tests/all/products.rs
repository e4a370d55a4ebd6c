//! Products against an independent computation.

use hama_core::TransportKind;
use hama_matrix::{DenseMatrix, Grid, Hama, Plan, Scalar, Seed, replace};

use crate::fixture::{TRANSPORTS, check_product, fresh, hama, on};

/// Square, tall, wide, k-heavy, vectors, primes, tiles that do not divide: m, k, n.
const SHAPES: [(u64, u64, u64); 12] = [
    (1, 1, 1),
    (1, 300, 1),
    (1, 5, 1100),
    (1031, 3, 1),
    (64, 64, 64),
    (97, 101, 103),
    (1500, 20, 30),
    (20, 30, 1500),
    (20, 2500, 30),
    (1100, 1100, 1100),
    (1797, 64, 64),
    (2049, 1, 1025),
];

fn random<T: Scalar>(hama: &Hama, name: &str, shape: (u64, u64), seed: u64) -> DenseMatrix<T> {
    DenseMatrix::random(hama, name, shape, Seed(seed)).unwrap()
}

fn every_shape<T: Scalar>(peers: usize, transport: TransportKind) {
    every_shape_on::<T>(&hama(peers, transport), &format!("{peers} peers, {transport:?}"));
}

fn every_shape_on<T: Scalar>(hama: &Hama, on_what: &str) {
    for (index, (m, k, n)) in SHAPES.into_iter().enumerate() {
        let what = format!("{m} x {k} x {n}, {on_what}, {}", T::TYPE);
        let a: DenseMatrix<T> = random(hama, &format!("a{index}"), (m, k), 1);
        let b: DenseMatrix<T> = random(hama, &format!("b{index}"), (k, n), 2);
        let c = a.mult(&b).unwrap().save(format!("c{index}")).unwrap();
        check_product(&a, &b, &c, &what);
        assert!(hama_matrix::verify(&a, &b, &c).unwrap().passed, "{what}");
    }
}

#[test]
fn every_shape_on_every_number_of_peers_over_both_transports() {
    for peers in [1, 2, 3, 7] {
        for transport in TRANSPORTS {
            every_shape::<f64>(peers, transport);
        }
    }
    every_shape::<f32>(2, TransportKind::Memory);
    every_shape::<f32>(3, TransportKind::Framed);
}

#[test]
fn every_shape_on_every_store() {
    let directory = tempfile::tempdir().unwrap();
    for store in [fresh("strict"), format!("file:{}", directory.path().display())] {
        every_shape_on::<f64>(&on(&store, 2, TransportKind::Memory), &store);
    }
}

/// A product takes its buffers from the system once, and then again and again from the pool.
#[test]
fn buffers_are_not_allocated_anew_however_many_tiles_pass() {
    let hama = hama(2, TransportKind::Memory);
    let (m, k, n) = (300, 40_960, 400);
    let a = DenseMatrix::<f32>::random(&hama, "a", (m, k), Seed(1)).unwrap();
    let b = DenseMatrix::<f32>::random(&hama, "b", (k, n), Seed(2)).unwrap();
    let product = a.mult(&b).unwrap().grid(Grid { m: 1, n: 1, k: 1 });
    let plan = Plan { panel: 1, ..product.plan().unwrap() };
    let tiles = 2 * plan.step_count() + 1;
    let before = hama.pool().usage().fresh_count;
    product.run_plan(plan, replace("c")).unwrap();
    let taken = hama.pool().usage().fresh_count - before;
    // Two panels of two tiles, the share of a third, and two pieces of C.
    assert!(tiles == 81 && taken <= 8, "{taken} buffers were new for {tiles} tiles");
}
