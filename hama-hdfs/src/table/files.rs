//! Small files, read and written whole, and calls whose replies may be ambiguous.

use hama_core::{Error, ErrorKind, Host, Result};

use crate::path::StorePath;
use crate::store::{CreateHint, Durability, Store, StoreWriter};

/// How often a call that may be repeated is made.
pub(super) const TRIES: usize = 5;

/// The bytes of a file of at most `len_max` bytes.
pub(crate) fn read_whole(store: &dyn Store, path: &StorePath, len_max: u64) -> Result<Vec<u8>> {
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

/// Writes a file whole. An ambiguous reply is settled by reading it back; where it is not there, it is written again.
pub(crate) fn write_whole(
    store: &dyn Store,
    path: &StorePath,
    bytes: &[u8],
    durability: Durability,
) -> Result<()> {
    let write = || {
        let hint = CreateHint { len: bytes.len() as u64, host: &Host::local(), durability };
        let mut writer = create(store, path, hint)?;
        writer.write(bytes)?;
        writer.close()
    };
    let mut ambiguous = None;
    for _ in 0..TRIES {
        match write() {
            Err(e) if e.kind() == ErrorKind::Unavailable => {
                if is_file(store, path, bytes)? {
                    return Ok(());
                }
                ambiguous = Some(e);
            }
            // A try before may have been done late.
            Err(e) if e.kind() == ErrorKind::Exists && ambiguous.is_some() => {
                return if is_file(store, path, bytes)? { Ok(()) } else { Err(e) };
            }
            other => return other,
        }
    }
    Err(ambiguous.expect("each try was ambiguous"))
}

/// Whether a file has these bytes.
pub(super) fn is_file(store: &dyn Store, path: &StorePath, bytes: &[u8]) -> Result<bool> {
    match read_whole(store, path, bytes.len() as u64) {
        Ok(found) => Ok(found == bytes),
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::Data) => Ok(false),
        Err(e) => Err(e),
    }
}

/// Starts a file. A writer that was not handed over leaves nothing, so an ambiguous reply is asked again.
pub(super) fn create(
    store: &dyn Store,
    path: &StorePath,
    hint: CreateHint<'_>,
) -> Result<Box<dyn StoreWriter>> {
    repeated(|| store.create(path, hint))
}

/// Makes a call that may be repeated, until it says something else than `Unavailable`.
pub(crate) fn repeated<T>(call: impl Fn() -> Result<T>) -> Result<T> {
    for _ in 1..TRIES {
        match call() {
            Err(e) if e.kind() == ErrorKind::Unavailable => {}
            other => return other,
        }
    }
    call()
}
