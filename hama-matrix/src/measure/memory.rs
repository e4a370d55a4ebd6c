//! How fast the memory is.

use std::hint::black_box;
use std::time::Instant;

use hama_core::{Buffer, Cancel, Error, Pool, Result};
use serde::{Deserialize, Serialize};

const ROUNDS: usize = 5;

/// Bytes that all threads together move through the memory in a second: those read and those written.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MemoryRates {
    /// Of a copy.
    pub copy_bytes_per_s: f64,
    /// Of `a[i] = b[i] + s c[i]` (McCalpin's STREAM triad).
    pub triad_bytes_per_s: f64,
}

/// Measures copy and triad over three arrays of `bytes` in all, shared out to `threads` threads; the best of five
/// rounds. Arrays that fit into the caches measure those.
///
/// # Errors
/// `Invalid` where that leaves a thread without an element, `OutOfMemory`, `Cancelled`.
pub fn memory_rates(bytes: usize, threads: usize, cancel: &Cancel) -> Result<MemoryRates> {
    let each = bytes / 3 / threads.max(1) / 8 * 8;
    if each == 0 || threads == 0 {
        return Err(Error::invalid(format!("cannot measure memory with {bytes} bytes on {threads} threads")));
    }
    let pool = Pool::new(usize::MAX >> 1);
    let array = || -> Result<Buffer> {
        let mut buffer = pool.take(each)?;
        buffer.elements_mut::<f64>().fill(1.0);
        Ok(buffer)
    };
    let mut parts =
        (0..threads).map(|_| Ok([array()?, array()?, array()?])).collect::<Result<Vec<[Buffer; 3]>>>()?;
    let (mut copy, mut triad) = (0.0f64, 0.0f64);
    let all = (each * threads) as f64;
    for _ in 0..ROUNDS {
        cancel.check()?;
        copy = copy.max(2.0 * all / seconds(&mut parts, |[a, b, _]| a.copy_from_slice(b)));
        triad = triad.max(3.0 * all / seconds(&mut parts, add));
    }
    Ok(MemoryRates { copy_bytes_per_s: copy, triad_bytes_per_s: triad })
}

fn add([a, b, c]: &mut [Buffer; 3]) {
    let scale = black_box(0.5);
    let sums = b.elements::<f64>().iter().zip(c.elements::<f64>());
    for (a, (b, c)) in a.elements_mut::<f64>().iter_mut().zip(sums) {
        *a = b + scale * c;
    }
}

/// Seconds that the threads take, each with its part.
fn seconds(parts: &mut [[Buffer; 3]], work: impl Fn(&mut [Buffer; 3]) + Sync) -> f64 {
    let start = Instant::now();
    std::thread::scope(|scope| {
        for part in parts.iter_mut() {
            scope.spawn(|| work(part));
        }
    });
    start.elapsed().as_secs_f64().max(1e-9)
}

#[cfg(test)]
mod tests {
    use hama_core::ErrorKind;

    use super::*;

    #[test]
    fn rates_are_numbers_and_bad_input_is_refused() {
        let rates = memory_rates(3 << 20, 2, &Cancel::new()).unwrap();
        assert!(rates.copy_bytes_per_s > 0.0 && rates.triad_bytes_per_s.is_finite(), "{rates:?}");
        for (bytes, threads) in [(0, 1), (23, 1), (1 << 20, 0)] {
            let error = memory_rates(bytes, threads, &Cancel::new()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid);
        }
    }
}
