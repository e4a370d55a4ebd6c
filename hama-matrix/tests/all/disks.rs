//! Products on stores that fail at any of their calls, and on slow ones.

use std::sync::Arc;
use std::time::Duration;

use hama_core::testing::in_time;
use hama_core::{ErrorKind, TransportKind};
use hama_hdfs::store;
use hama_hdfs::testing::{Fault, FaultyStore};
use hama_matrix::{DenseMatrix, Hama, Seed, replace};
use ndarray::Array2;

use crate::fixture::{fresh, on};

/// Calls whose failure is tried.
const TRIED: u64 = 60;

struct Place {
    faulty: Arc<FaultyStore>,
    hama: Hama,
    old: Array2<f64>,
    product: Array2<f64>,
}

/// A store that fails on demand, with two factors of some tiles, and what the table `c` may hold.
fn place() -> Place {
    let url = fresh("memory");
    let inner = store::create(&url.parse().unwrap()).unwrap();
    let faulty = Arc::new(FaultyStore::new(inner));
    store::register(&url.parse().unwrap(), faulty.clone()).unwrap();
    let hama = on(&url, 2, TransportKind::Memory);
    let a = DenseMatrix::<f64>::random(&hama, "a", (1100, 1050), Seed(1)).unwrap();
    let b = DenseMatrix::<f64>::random(&hama, "b", (1050, 30), Seed(2)).unwrap();
    let product = a.mult(&b).unwrap().save("product").unwrap().to_ndarray().unwrap();
    let old = DenseMatrix::<f64>::random(&hama, "old", (1100, 30), Seed(3)).unwrap().to_ndarray().unwrap();
    Place { faulty, hama, old, product }
}

impl Place {
    /// Makes the old table, then the product in its place with a fault; says how that ended, and how many calls it made.
    fn multiply(&self, fault: Fault) -> (hama_core::Result<()>, u64) {
        self.faulty.set(Fault::None);
        DenseMatrix::<f64>::random(&self.hama, replace("c"), (1100, 30), Seed(3)).unwrap();
        self.faulty.set(fault);
        let hama = self.hama.clone();
        let result = in_time(move || {
            let (a, b) = (DenseMatrix::<f64>::open(&hama, "a")?, DenseMatrix::<f64>::open(&hama, "b")?);
            a.mult(&b)?.save(replace("c")).map(drop)
        });
        let calls = self.faulty.calls();
        self.faulty.set(Fault::None);
        (result, calls)
    }

    /// Checks that `c` is the product, or what it was, as the result says.
    fn check(&self, result: &hama_core::Result<()>, what: &str) {
        let c = DenseMatrix::<f64>::open(&self.hama, "c").unwrap().to_ndarray().unwrap();
        let is_new = c == self.product;
        assert!(is_new || c == self.old, "{what}: the table is neither");
        assert!(is_new || result.is_err(), "{what}: it says that it is done, and is not");
    }
}

#[test]
fn whichever_call_fails_the_table_is_the_old_one_or_the_product() {
    let place = place();
    let (result, calls) = place.multiply(Fault::None);
    result.unwrap();
    for kind in [ErrorKind::OutOfSpace, ErrorKind::Unavailable, ErrorKind::Data] {
        let mut told = 0;
        for call in (0..calls).step_by(calls.div_ceil(TRIED) as usize) {
            let what = format!("call {call} of {calls} fails with {kind:?}");
            let (result, _) = place.multiply(Fault::Fails(call, kind));
            place.check(&result, &what);
            if let Err(error) = result {
                told += 1;
                assert!([kind, ErrorKind::Unavailable].contains(&error.kind()), "{what}: {error}");
            }
        }
        assert!(told > 10, "{told} failures were told of");
    }
}

#[test]
fn a_store_that_dies_ends_the_product() {
    let place = place();
    let (result, calls) = place.multiply(Fault::None);
    result.unwrap();
    for call in (0..calls).step_by(calls.div_ceil(TRIED) as usize) {
        let (result, _) = place.multiply(Fault::DeadFrom(call));
        place.check(&result, &format!("dead from call {call} of {calls}"));
    }
}

#[test]
fn a_slow_store_takes_time_and_nothing_else() {
    let place = place();
    let (result, _) = place.multiply(Fault::Slow(Duration::from_millis(3)));
    assert!(result.is_ok());
    place.check(&result, "a slow store");
}
