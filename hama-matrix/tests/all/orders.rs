//! Every order of a product: the same bits whatever the grid, the panels, the transport and the store.

use hama_core::TransportKind;
use hama_hdfs::Extent;
use hama_matrix::plan::Stationary;
use hama_matrix::{DenseMatrix, Grid, Hama, Plan, Seed, replace};
use ndarray::Array2;

use crate::fixture::{TRANSPORTS, check_product, fresh, hama, on};

/// 3 x 4 x 2 tiles along m, k, n, the last ones not full.
const SHAPE: (u64, u64, u64) = (2050, 3080, 1030);

fn operands(hama: &Hama) -> (DenseMatrix<f32>, DenseMatrix<f32>) {
    let (m, k, n) = SHAPE;
    let a = DenseMatrix::random(hama, "a", (m, k), Seed(1)).unwrap();
    (a, DenseMatrix::random(hama, "b", (k, n), Seed(2)).unwrap())
}

/// Plans with every order of the loops, on one grid.
pub(crate) fn orders(plan: &Plan) -> Vec<Plan> {
    let shard = Extent { rows: 1, cols: 1 };
    // The first brick is the largest.
    let brick = plan.brick(0);
    let length = |run: std::ops::Range<u64>| run.end - run.start;
    let (most_rows, most_cols, most) = (length(brick.rows), length(brick.cols), length(brick.inner));
    let mut plans = Vec::new();
    for stationary in [Stationary::A, Stationary::B, Stationary::C] {
        for (rows, cols, panel) in [(1, 1, 1), (3, 2, 4), (1, 2, 3), (2, 1, 2)] {
            let piece = Extent { rows: most_rows.min(rows), cols: most_cols.min(cols) };
            plans.push(Plan { stationary, piece, panel: most.min(panel), shard, ..plan.clone() });
        }
    }
    plans
}

fn bits(array: &Array2<f32>) -> Vec<u32> {
    array.iter().map(|x| x.to_bits()).collect()
}

#[test]
fn every_order_gives_the_same_bits_for_the_same_p_k() {
    let memory = hama(12, TransportKind::Memory);
    let (a, b) = operands(&memory);
    let product = a.mult(&b).unwrap();
    for k in [1, 2, 4] {
        let mut first: Option<Vec<u32>> = None;
        for (m, n) in [(1, 1), (3, 1), (1, 2)] {
            let grid = Grid { m, n, k };
            let plans = orders(&product.clone().grid(grid).plan().unwrap());
            // All orders on one grid, and one of each kind on the others.
            let every = if (m, n) == (1, 1) { 1 } else { 4 };
            for plan in plans.into_iter().step_by(every) {
                let what = format!("{grid} {} {:?} {}", plan.stationary, plan.piece, plan.panel);
                let c = product.run_plan(plan, replace("c")).unwrap().matrix;
                let found = bits(&c.to_ndarray().unwrap());
                match &first {
                    None => {
                        check_product(&a, &b, &c, &what);
                        first = Some(found);
                    }
                    Some(first) => assert!(*first == found, "{what} gives other bits"),
                }
            }
        }
    }
}

#[test]
fn transports_stores_memory_and_blocking_do_not_change_a_bit() {
    let directory = tempfile::tempdir().unwrap();
    let stores = [fresh("memory"), fresh("strict"), format!("file:{}", directory.path().display())];
    let mut first: Option<Vec<u32>> = None;
    for store in stores {
        for transport in TRANSPORTS {
            for memory in [1 << 30, 96 << 20] {
                let hama = on(&store, 3, transport);
                let (a, b) = match DenseMatrix::open(&hama, "a") {
                    Ok(a) => {
                        (a.blocking(3).unwrap(), DenseMatrix::open(&hama, "b").unwrap().blocking(4).unwrap())
                    }
                    Err(_) => operands(&hama),
                };
                let tight = Hama::builder()
                    .store(&store)
                    .peers(3)
                    .transport(transport)
                    .memory(memory)
                    .build()
                    .unwrap();
                let (a, b) = (
                    DenseMatrix::<f32>::open(&tight, a.name()).unwrap(),
                    DenseMatrix::open(&tight, b.name()).unwrap(),
                );
                let c = a.mult(&b).unwrap().grid(Grid { m: 3, n: 1, k: 1 }).save(replace("c")).unwrap();
                let found = bits(&DenseMatrix::<f32>::open(&hama, c.name()).unwrap().to_ndarray().unwrap());
                assert!(
                    *first.get_or_insert_with(|| found.clone()) == found,
                    "{store} {transport:?} {memory}"
                );
            }
        }
    }
}

#[test]
fn a_plan_keeps_the_memory_that_it_says() {
    for transport in TRANSPORTS {
        let builder = || Hama::builder().store(fresh("memory")).peers(6).transport(transport).memory(1 << 30);
        let hama = builder().build().unwrap();
        let (a, b) = operands(&hama);
        let product = a.mult(&b).unwrap();
        for grid in [Grid { m: 3, n: 2, k: 1 }, Grid { m: 1, n: 1, k: 4 }, Grid { m: 1, n: 2, k: 2 }] {
            for plan in orders(&product.clone().grid(grid).plan().unwrap()) {
                let smallest = (1 << 20..=1 << 30)
                    .step_by(1 << 20)
                    .find(|&bytes| plan.check(&plan.problem, bytes, plan.by_reference).is_ok());
                let tight =
                    Hama::builder().store(hama.store().url().to_string()).peers(6).transport(transport);
                let tight = tight.memory(smallest.unwrap()).build().unwrap();
                let (a, b) =
                    (DenseMatrix::<f32>::open(&tight, "a").unwrap(), DenseMatrix::open(&tight, "b").unwrap());
                let what =
                    format!("{grid} {} {:?} {} {transport:?}", plan.stationary, plan.piece, plan.panel);
                a.mult(&b).unwrap().run_plan(plan, replace("c")).unwrap_or_else(|e| panic!("{what}: {e}"));
            }
        }
    }
}

#[test]
fn a_plan_for_something_else_is_refused() {
    let hama = hama(2, TransportKind::Memory);
    let (a, b) = operands(&hama);
    let plan = a.mult(&b).unwrap().plan().unwrap();
    let run = |plan: Plan| a.mult(&b).unwrap().run_plan(plan, "c").unwrap_err().to_string();
    let other = b.t().mult(&b).unwrap().plan().unwrap();
    assert!(run(other).contains("it is of"));
    assert!(run(Plan { panel: 0, ..plan.clone() }).contains("loop bounds"));
    assert!(run(Plan { grid: Grid { m: 0, n: 1, k: 1 }, ..plan.clone() }).contains("loop bounds"));
    let huge = Extent { rows: u64::MAX, cols: 1 };
    assert!(run(Plan { piece: huge, ..plan.clone() }).contains("loop bounds"));
    assert!(run(Plan { shard: huge, ..plan.clone() }).contains("loop bounds"));
    assert!(
        run(Plan { grid: Grid { m: u64::MAX, n: u64::MAX, k: 1 }, ..plan.clone() }).contains("loop bounds")
    );
    let mut empty = plan.clone();
    empty.problem.m = 0;
    assert!(!empty.to_string().is_empty());
    assert!(run(empty).contains("it is of"));
    let piece = Extent { rows: 1, cols: 1 };
    let shard = Extent { rows: 2, cols: 1 };
    assert!(run(Plan { piece, shard, ..plan.clone() }).contains("loop bounds"));
    assert!(DenseMatrix::<f32>::open(&hama, "c").is_err());
}

#[test]
fn transposed_operands_go_through_every_order_and_grid() {
    let hama = hama(4, TransportKind::Framed);
    let a = DenseMatrix::<f64>::random(&hama, "a", (2050, 1030), Seed(1)).unwrap();
    let b = DenseMatrix::<f64>::random(&hama, "b", (40, 2050), Seed(2)).unwrap();
    let product = a.t().mult(&b.t()).unwrap();
    for grid in [Grid { m: 2, n: 1, k: 1 }, Grid { m: 1, n: 1, k: 3 }, Grid { m: 2, n: 1, k: 2 }] {
        let product = product.clone().grid(grid);
        let Ok(plan) = product.plan() else { continue };
        for plan in orders(&plan) {
            let what = format!("{grid} {} {:?} {}", plan.stationary, plan.piece, plan.panel);
            let c = product.run_plan(plan, replace("c")).unwrap().matrix;
            check_product(&a.t(), &b.t(), &c, &what);
        }
    }
}
