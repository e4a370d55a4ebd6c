//! Tables of tiles on a store.
