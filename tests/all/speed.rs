//! What must be quick even in a build for tests: the best of some runs, since other tests run beside.

use std::time::{Duration, Instant};

use crate::command::Place;

const TRIES: usize = 40;

fn best(mut run: impl FnMut()) -> Duration {
    let time = || {
        let start = Instant::now();
        run();
        start.elapsed()
    };
    std::iter::repeat_with(time).take(TRIES).min().unwrap()
}

#[test]
fn the_version_comes_within_10_ms() {
    let place = Place::new();
    let time = best(|| drop(place.ok("--version")));
    println!("hama --version: {time:?}");
    assert!(time < Duration::from_millis(10), "{time:?}");
}

#[test]
fn a_small_product_takes_less_than_100_ms() {
    let place = Place::new();
    place.random("a", 100, 100);
    place.random("bb", 100, 100);
    let time = best(|| drop(place.ok("matrix multiply a bb --output c --replace")));
    println!("100 x 100: {time:?}");
    assert!(time < Duration::from_millis(100), "{time:?}");
}
