//! The tiles that a peer holds: of the panel at hand, of the next one, and of the strip that stays.

use std::collections::BTreeMap;

use hama_core::{Error, Payload, Result};
use hama_hdfs::TileIndex;

use crate::problem::Operand;

/// What a tile is known by: its operand and its place in op(X).
pub(super) type Key = (Operand, u64, u64);

pub(super) fn key(operand: Operand, tile: TileIndex) -> Key {
    (operand, tile.row, tile.col)
}

/// Tiles by what they are known by.
#[derive(Default)]
pub(super) struct Held(BTreeMap<Key, Payload>);

impl Held {
    /// Adds a tile.
    ///
    /// # Errors
    /// `Internal` where it is there already: each is read and sent once.
    pub(super) fn insert(&mut self, key: Key, payload: Payload) -> Result<()> {
        match self.0.insert(key, payload) {
            None => Ok(()),
            Some(_) => Err(Error::internal(format!("tile {key:?} arrived twice"))),
        }
    }

    /// A tile that the plan says is here.
    pub(super) fn get(&self, operand: Operand, row: u64, col: u64) -> Result<&Payload> {
        let key = (operand, row, col);
        self.0.get(&key).ok_or_else(|| Error::internal(format!("tile {key:?} has not arrived")))
    }

    /// Removes tiles that are not needed any more.
    pub(super) fn retain(&mut self, keep: impl Fn(&Key) -> bool) {
        self.0.retain(|key, _| keep(key));
    }
}
