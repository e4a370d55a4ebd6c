//! Small files, read and written whole, and calls whose replies may be ambiguous.

use hama_core::{Error, ErrorKind, Host, Result};

use crate::path::StorePath;
use crate::store::{CreateHint, Store};

/// How often a call that may be repeated is made.
pub(super) const TRIES: usize = 5;

/// The bytes of a file of at most `len_max` bytes.
pub(super) fn read_whole(store: &dyn Store, path: &StorePath, len_max: u64) -> Result<Vec<u8>> {
    let reader = store.open(path)?;
    let len = reader.len();
    if len > len_max {
        return Err(Error::data(format!("cannot read {path}: it has {len} bytes, {len_max} are the most")));
    }
    let mut bytes = Vec::new();
    let len = usize::try_from(len).unwrap_or(usize::MAX);
    bytes.try_reserve_exact(len).map_err(|e| {
        Error::new(ErrorKind::OutOfMemory, format!("cannot read {path} of {len} bytes")).with_source(e)
    })?;
    bytes.resize(len, 0);
    reader.read_at(0, &mut bytes)?;
    Ok(bytes)
}

/// Writes a file whole. An ambiguous reply is settled by reading it back.
pub(super) fn write_whole(store: &dyn Store, path: &StorePath, bytes: &[u8]) -> Result<()> {
    let write = || {
        let mut writer = store.create(path, CreateHint { len: bytes.len() as u64, host: &Host::local() })?;
        writer.write(bytes)?;
        writer.close()
    };
    match write() {
        Err(e) if e.kind() == ErrorKind::Unavailable => match read_whole(store, path, bytes.len() as u64) {
            Ok(found) if found == bytes => Ok(()),
            _ => Err(e),
        },
        other => other,
    }
}

/// Makes a call that may be repeated, until it says something else than `Unavailable`.
pub(super) fn repeated(call: impl Fn() -> Result<()>) -> Result<()> {
    for _ in 1..TRIES {
        match call() {
            Err(e) if e.kind() == ErrorKind::Unavailable => {}
            other => return other,
        }
    }
    call()
}
