//! Hama.
