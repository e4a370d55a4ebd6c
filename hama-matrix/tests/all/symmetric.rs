//! A matrix times its own transpose: half is computed, the rest mirrored, and nothing else is different.

use std::collections::BTreeMap;

use hama_core::{ErrorKind, TransportKind};
use hama_matrix::{DenseMatrix, Finished, Grid, Hama, Plan, Problem, Scalar, Seed, replace};

use crate::fixture::{TRANSPORTS, check_product, fresh, hama, on};
use crate::orders::orders;

/// Both products of a matrix and its transpose: m x m and k x k of an m x k matrix.
const SHAPES: [(u64, u64); 7] =
    [(1, 1), (64, 1797), (97, 31), (1100, 40), (1025, 1026), (2100, 130), (30, 2100)];

/// A plan of half of the product, also where the planner finds all of it as fast.
fn half(plan: Plan) -> Plan {
    Plan { problem: Problem { symmetric: true, ..plan.problem }, ..plan }
}

fn run<T: Scalar>(a: &DenseMatrix<T>, name: &str) -> Finished<T> {
    let product = a.mult(&a.t()).unwrap();
    product.run_plan(half(product.plan().unwrap()), replace(name)).unwrap()
}

fn check<T: Scalar>(a: &DenseMatrix<T>, finished: &Finished<T>, what: &str) {
    let c = &finished.matrix;
    assert!(finished.plan.problem.symmetric, "{what}");
    check_product(a, &a.t(), c, what);
    assert!(hama_matrix::verify(a, &a.t(), c).unwrap().passed, "{what}");
    let elements = c.to_ndarray().unwrap();
    assert!(elements == elements.t(), "{what} is not symmetric");
    let work: u64 = finished.records.iter().map(|record| record.work).sum();
    assert_eq!(work, finished.plan.flop(), "{what}");
}

fn every_shape<T: Scalar>(peers: usize, transport: TransportKind) {
    let hama = hama(peers, transport);
    for (index, (m, k)) in SHAPES.into_iter().enumerate() {
        let a = DenseMatrix::<T>::random(&hama, format!("a{index}"), (m, k), Seed(3)).unwrap();
        for a in [a.clone(), a.t()] {
            let what = format!("{:?}, {peers} peers, {transport:?}, {}", a.shape(), T::TYPE);
            check(&a, &run(&a, "c"), &what);
        }
    }
}

#[test]
fn every_shape_on_every_number_of_peers_over_both_transports() {
    for peers in [1, 2, 3, 4, 7] {
        every_shape::<f64>(peers, TransportKind::Memory);
    }
    every_shape::<f64>(3, TransportKind::Framed);
    every_shape::<f32>(2, TransportKind::Memory);
    every_shape::<f32>(4, TransportKind::Framed);
}

/// 4 x 4 tiles of C, and 2 along the inner dimension.
fn wide(hama: &Hama) -> DenseMatrix<f32> {
    DenseMatrix::random(hama, replace("a"), (3100, 1030), Seed(4)).unwrap()
}

const GRIDS: [(u64, u64, u64); 7] =
    [(1, 1, 1), (1, 2, 1), (4, 1, 1), (2, 2, 1), (4, 4, 1), (1, 1, 2), (2, 2, 2)];

#[test]
fn every_order_is_symmetric_and_keeps_the_memory_that_it_says() {
    let mut first = BTreeMap::new();
    for transport in TRANSPORTS {
        let large = on(&fresh("memory"), 16, transport);
        let a = wide(&large);
        for (index, (m, n, k)) in GRIDS.into_iter().enumerate() {
            let plan = a.mult(&a.t()).unwrap().grid(Grid { m, n, k }).plan().unwrap();
            // The orders of all grids together are all orders.
            for plan in orders(&half(plan)).into_iter().skip(index % 3).step_by(3) {
                let Plan { grid, stationary, piece, panel, .. } = plan;
                let what = format!("{grid} {stationary} {piece:?} {panel} {transport:?}");
                let smallest = (1 << 20..=1 << 32)
                    .step_by(1 << 20)
                    .find(|&bytes| plan.check(&plan.problem, bytes, plan.by_reference).is_ok());
                let tight = Hama::builder().store(large.store().url().to_string()).peers(16);
                let tight = tight.transport(transport).memory(smallest.unwrap()).build().unwrap();
                let same = DenseMatrix::<f32>::open(&tight, "a").unwrap();
                let finished = same.mult(&same.t()).unwrap().run_plan(plan, replace("c"));
                let finished = finished.unwrap_or_else(|e| panic!("{what}: {e}"));
                let matrix = DenseMatrix::open(&large, "c").unwrap();
                let found = matrix.to_ndarray().unwrap();
                // The same bits for the same p_k.
                let first = first.entry(k).or_insert_with(|| {
                    check(&a, &Finished { matrix, ..finished }, &what);
                    found.clone()
                });
                assert!(*first == found, "{what} gives other bits");
            }
        }
    }
}

#[test]
fn a_copy_or_another_version_is_no_transpose_of_the_same() {
    let hama = hama(2, TransportKind::Memory);
    let a = wide(&hama);
    let copy = DenseMatrix::from_array(&hama, "copy", a.to_ndarray().unwrap().view()).unwrap();
    let symmetric =
        |a: &DenseMatrix<f32>, b: &DenseMatrix<f32>| a.mult(b).unwrap().plan().unwrap().problem.symmetric;
    assert!(symmetric(&a, &a.t()) && symmetric(&a.t(), &a));
    assert!(symmetric(&a.blocking(3).unwrap(), &DenseMatrix::open(&hama, "a").unwrap().t()));
    assert!(!symmetric(&a, &copy.t()));
    assert!(!symmetric(&a, &wide(&hama).t()), "the same name, another generation");
    let square = DenseMatrix::<f32>::random(&hama, "square", (40, 40), Seed(1)).unwrap();
    assert!(!symmetric(&square, &square));
    assert!(!symmetric(&square.t(), &square.t()));
}

#[test]
fn a_plan_of_half_a_product_runs_on_nothing_else() {
    let hama = hama(2, TransportKind::Memory);
    let a = wide(&hama);
    let copy = DenseMatrix::from_array(&hama, "copy", a.to_ndarray().unwrap().view()).unwrap();
    let half: Plan = a.mult(&a.t()).unwrap().plan().unwrap();
    let other = a.mult(&copy.t()).unwrap();
    let error = other.run_plan(half.clone(), "c").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("it is of"), "{error}");
    // But all of it may be computed, where there is memory for it.
    let problem = Problem { symmetric: false, ..half.problem };
    let whole = a.mult(&a.t()).unwrap().run_plan(Plan { problem, ..half }, "c").unwrap();
    check_product(&a, &a.t(), &whole.matrix, "all of it");
    assert_eq!(whole.records.iter().map(|record| record.work).sum::<u64>(), problem.flop());
}

/// Each element is one chain over the inner dimension, and its mirror image has the same factors in each place.
#[test]
fn the_product_is_that_of_the_matrix_and_a_copy() {
    let hama = hama(2, TransportKind::Memory);
    let a = wide(&hama);
    let copy = DenseMatrix::from_array(&hama, "copy", a.to_ndarray().unwrap().view()).unwrap();
    for k in [1, 2] {
        let run = |b: &DenseMatrix<f32>, name| {
            let product = a.mult(&b.t()).unwrap().peers(3).unwrap().grid(Grid { m: 1, n: 1, k });
            product.save(replace(name)).unwrap().to_ndarray().unwrap()
        };
        let (half, full) = (run(&a, "half"), run(&copy, "full"));
        let differ = half.iter().zip(&full).filter(|(x, y)| x.to_bits() != y.to_bits()).count();
        assert_eq!(differ, 0, "p_k = {k}");
    }
}
