//! Whether a file system has room for a file, asked before its first byte.

use std::path::Path;

use hama_core::{Error, ErrorKind, Result};

/// Fails where the file system of `folder` has no room for `needed` bytes more. One that does not say passes.
///
/// # Errors
/// `OutOfSpace`, with both numbers; it begins with `doing`, such as `cannot export to c.npy`.
pub(super) fn check_room(folder: &Path, needed: u64, doing: &str) -> Result<()> {
    let Some(free) = free_bytes(folder).filter(|free| needed > *free) else { return Ok(()) };
    // People are not told of a folder `.`.
    let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let message = format!("{doing}: it needs {needed} bytes, and {} has room for {free}", folder.display());
    Err(Error::new(ErrorKind::OutOfSpace, message))
}

fn free_bytes(folder: &Path) -> Option<u64> {
    let stat = rustix::fs::statvfs(folder).ok()?;
    // Some file systems over a network say 0 of everything.
    (stat.f_blocks > 0).then(|| stat.f_bavail.saturating_mul(stat.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_disk_holds_is_refused_with_both_numbers() {
        let place = tempfile::tempdir().unwrap();
        check_room(place.path(), 0, "cannot export to a").unwrap();
        let error = check_room(place.path(), u64::MAX, "cannot export to a").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::OutOfSpace);
        let wanted = format!(
            "cannot export to a: it needs {} bytes, and {} has room for",
            u64::MAX,
            place.path().display()
        );
        assert!(error.message().starts_with(&wanted), "{error}");
        check_room(Path::new("/nowhere/at/all"), u64::MAX, "cannot export to a").unwrap();
    }
}
