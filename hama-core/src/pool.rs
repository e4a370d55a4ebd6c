//! The buffer pool: all the memory that tiles and payloads live in, capped.
//!
//! A buffer goes back to the pool when it is dropped and is handed out again as it is, because fresh memory
//! is slow: the first write into each of its pages costs more than the copy that fills it.

mod pages;

use std::collections::BTreeMap;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::{Error, ErrorKind, Result};
use pages::Pages;

/// A capped source of buffers. Clones share the cap.
#[derive(Clone)]
pub struct Pool(Arc<Mutex<State>>);

struct State {
    cap: usize,
    used: usize,
    used_peak: usize,
    idle: usize,
    fresh: u64,
    // Idle pages by size.
    free: BTreeMap<usize, Vec<Pages>>,
}

/// What a pool has handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolUsage {
    /// The most bytes that the pool may hold.
    pub cap_bytes: usize,
    /// Bytes in buffers that are in use.
    pub used_bytes: usize,
    /// The most that were in use at once.
    pub used_bytes_peak: usize,
    /// How often memory was taken from the system rather than from a buffer that came back.
    pub fresh_count: u64,
}

impl Pool {
    /// A pool that never holds more than `cap_bytes`, idle buffers included.
    pub fn new(cap_bytes: usize) -> Pool {
        Pool(Arc::new(Mutex::new(State {
            cap: cap_bytes,
            used: 0,
            used_peak: 0,
            idle: 0,
            fresh: 0,
            free: BTreeMap::new(),
        })))
    }

    /// The bytes that a buffer of `len` bytes costs: whole pages, from 2 MiB on whole huge pages.
    pub fn cost(len: usize) -> usize {
        pages::rounded(len)
    }

    /// A buffer of `len` bytes, aligned to 4 KiB, from 2 MiB on to 2 MiB. **Its bytes are whatever they
    /// were**: who takes it fills it.
    ///
    /// # Errors
    /// `OutOfMemory` when that would exceed the cap, or when the system has none.
    pub fn take(&self, len: usize) -> Result<Buffer> {
        let size = pages::rounded(len);
        let mut state = self.state();
        if state.used.saturating_add(size) > state.cap {
            return Err(Error::new(
                ErrorKind::OutOfMemory,
                format!(
                    "cannot take a buffer of {size} bytes: {} of the {} bytes given are in use",
                    state.used, state.cap
                ),
            ));
        }
        let pages = match state.pop(size) {
            Some(pages) => pages,
            None => {
                state.shrink(size);
                let pages = Pages::map(size)
                    .map_err(|e| Error::io(format!("cannot map {size} bytes of memory"), e))?;
                state.fresh += 1;
                pages
            }
        };
        state.used += size;
        state.used_peak = state.used_peak.max(state.used);
        drop(state);
        Ok(Buffer { pages: Some(pages), len, pool: self.clone() })
    }

    /// What it has handed out.
    pub fn usage(&self) -> PoolUsage {
        let state = self.state();
        PoolUsage {
            cap_bytes: state.cap,
            used_bytes: state.used,
            used_bytes_peak: state.used_peak,
            fresh_count: state.fresh,
        }
    }

    fn give_back(&self, pages: Pages) {
        let mut state = self.state();
        state.used -= pages.len();
        state.idle += pages.len();
        state.free.entry(pages.len()).or_default().push(pages);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn pop(&mut self, size: usize) -> Option<Pages> {
        let pages = self.free.get_mut(&size)?.pop()?;
        self.idle -= size;
        Some(pages)
    }

    /// Gives idle pages of other sizes back to the system until `size` more bytes fit under the cap.
    fn shrink(&mut self, size: usize) {
        while (self.used + self.idle).saturating_add(size) > self.cap {
            let Some(mut entry) = self.free.last_entry() else { return };
            if let Some(pages) = entry.get_mut().pop() {
                self.idle -= pages.len();
            }
            if entry.get().is_empty() {
                entry.remove();
            }
        }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.usage().fmt(f)
    }
}

/// Bytes of a pool, owned by one.
pub struct Buffer {
    // Always there until the drop.
    pages: Option<Pages>,
    len: usize,
    pool: Pool,
}

impl Buffer {
    /// Its bytes as elements.
    ///
    /// # Panics
    /// When its length is no multiple of the element's size.
    pub fn elements<T: bytemuck::Pod>(&self) -> &[T] {
        bytemuck::cast_slice(self)
    }

    /// Its bytes as elements, to be changed.
    ///
    /// # Panics
    /// When its length is no multiple of the element's size.
    pub fn elements_mut<T: bytemuck::Pod>(&mut self) -> &mut [T] {
        bytemuck::cast_slice_mut(self)
    }

    /// Shares it, from now on unchanged.
    pub fn freeze(self) -> Payload {
        Payload(Arc::new(self))
    }

    fn pages(&self) -> &Pages {
        self.pages.as_ref().expect("the pages are there until the drop")
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.pages().bytes()[..self.len]
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        let len = self.len;
        &mut self.pages.as_mut().expect("the pages are there until the drop").bytes_mut()[..len]
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if let Some(pages) = self.pages.take() {
            self.pool.give_back(pages);
        }
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Buffer({} bytes)", self.len)
    }
}

/// Bytes of a pool, shared and unchanging: what travels with a message without being copied.
///
/// ```
/// use hama_core::{BoxError, Bsp, LocalRunner, Peer, Pool};
/// use serde::{Deserialize, Serialize};
///
/// /// Every peer sends a row of numbers to the next one.
/// #[derive(Serialize, Deserialize)]
/// struct Pass;
///
/// impl Bsp for Pass {
///     const NAME: &'static str = "pass";
///     type Message = u64;
///     type Output = f64;
///
///     fn bsp(&self, peer: &mut Peer<u64>) -> Result<f64, BoxError> {
///         let mut row = peer.pool().take(1000 * size_of::<f64>())?;
///         row.elements_mut::<f64>().fill(peer.index() as f64);
///         let next = peer.peer((peer.index() + 1) % peer.count())?;
///         peer.send_with(next, &7, row.freeze())?;
///         let received = peer.sync()?.into_iter().next().ok_or("no row came")?;
///         let row = received.payload.ok_or("it came without numbers")?;
///         Ok(row.elements::<f64>().iter().sum())
///     }
/// }
///
/// let outcome = LocalRunner::new(Pool::new(1 << 20)).run(&Pass).peers(3)?;
/// assert_eq!(outcome.outputs, [2000.0, 0.0, 1000.0]);
/// # Ok::<(), hama_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Payload(Arc<Buffer>);

impl Deref for Payload {
    type Target = Buffer;

    fn deref(&self) -> &Buffer {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HUGE: usize = 2 << 20;

    #[test]
    fn buffers_are_used_again() {
        let pool = Pool::new(4 * HUGE);
        for _ in 0..10 {
            let mut buffer = pool.take(HUGE - 5).unwrap();
            buffer[HUGE - 6] = 1;
            assert_eq!(buffer.as_ptr() as usize % 4096, 0);
        }
        let usage = pool.usage();
        assert_eq!((usage.fresh_count, usage.used_bytes, usage.used_bytes_peak), (1, 0, HUGE));
    }

    #[test]
    fn large_buffers_lie_on_huge_pages() {
        let pool = Pool::new(64 * HUGE);
        let buffers: Vec<_> = (0..8).map(|i| pool.take(HUGE * (i % 3 + 1) + i).unwrap()).collect();
        assert!(buffers.iter().all(|b| (b.as_ptr() as usize).is_multiple_of(HUGE)));
    }

    #[test]
    fn the_cap_holds_with_idle_buffers_of_other_sizes() {
        let pool = Pool::new(4 * HUGE);
        drop([pool.take(HUGE).unwrap(), pool.take(HUGE).unwrap(), pool.take(HUGE).unwrap()]);
        let large = pool.take(4 * HUGE).unwrap();
        let refused = pool.take(1).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::OutOfMemory);
        drop(large);
        assert!(pool.take(1).is_ok());
        assert_eq!(pool.take(usize::MAX).unwrap_err().kind(), ErrorKind::OutOfMemory);
    }

    #[test]
    fn what_the_system_refuses_is_not_counted() {
        let pool = Pool::new(usize::MAX);
        drop(pool.take(1).unwrap());
        for len in [usize::MAX, usize::MAX / 2] {
            assert_eq!(pool.take(len).unwrap_err().kind(), ErrorKind::OutOfMemory);
        }
        assert_eq!((pool.usage().fresh_count, pool.usage().used_bytes), (1, 0));
    }

    #[test]
    fn a_payload_is_given_back_by_its_last_holder() {
        let pool = Pool::new(1 << 20);
        let payload = pool.take(8).unwrap().freeze();
        let other = payload.clone();
        drop(payload);
        assert_eq!((other.elements::<f64>().len(), pool.usage().used_bytes), (1, 4096));
        drop(other);
        assert_eq!(pool.usage().used_bytes, 0);
    }

    #[test]
    fn an_empty_buffer_is_one() {
        let pool = Pool::new(1 << 20);
        assert!(pool.take(0).unwrap().is_empty());
    }
}
