//! Messages on their way: how they are encoded, bundled and delivered.

pub(crate) mod bundle;
pub(crate) mod bundler;
pub(crate) mod codec;
pub(crate) mod compress;
pub(crate) mod inbox;
