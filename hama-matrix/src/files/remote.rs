//! Paths that are URLs: a Zarr array in HDFS is read where it lies, everything else is a file of this machine.

use std::path::Path;

use hama_core::{Error, Result};
use hama_hdfs::StoreUrl;

use super::{Format, by_suffix, without_array};

const SCHEME: &str = "hdfs://";

fn text(path: &Path) -> Option<&str> {
    path.to_str().filter(|text| text.starts_with(SCHEME))
}

/// Where the Zarr array lies that `path` names, where that is a URL; `format` is what somebody says that it is.
///
/// # Errors
/// `Invalid` where it names a file of another format, or is no URL.
pub(crate) fn array(path: &Path, format: Option<Format>) -> Result<Option<StoreUrl>> {
    url(path, format)?.map(str::parse).transpose()
}

fn url(path: &Path, format: Option<Format>) -> Result<Option<&str>> {
    let Some(url) = text(path) else { return Ok(None) };
    let (file, _) = without_array(url);
    match format.or_else(|| by_suffix(file)).unwrap_or(Format::Zarr) {
        Format::Zarr => Ok(Some(url)),
        _ => Err(Error::invalid(format!(
            "cannot read {url}: of what lies in HDFS only Zarr arrays are read in place; copy it here first: \
             hdfs dfs -get {file}"
        ))),
    }
}

/// Fails where a file is to be written at a URL.
///
/// # Errors
/// `Invalid`, which says what to do.
pub(super) fn check_target(path: &Path, doing: &str) -> Result<()> {
    let Some(url) = text(path) else { return Ok(()) };
    Err(Error::invalid(format!(
        "{doing} {url}: files are written on this machine only; with --store {SCHEME}.. a matrix is kept in HDFS as a \
         Zarr array, and `hdfs dfs -put` takes a file there"
    )))
}

#[cfg(test)]
mod tests {
    use hama_core::ErrorKind;

    use super::*;

    #[test]
    fn a_url_names_a_zarr_array_or_is_refused() {
        let of = |text: &'static str, format| url(Path::new(text), format);
        for local in ["./hdfs://nn/a.zarr", "/hdfs/a.zarr", "hdfs:/nn/a", "a.zarr", "hdfs.zarr"] {
            assert_eq!(of(local, None).unwrap(), None, "{local}");
        }
        for there in ["hdfs://nn:8020/x/a.zarr", "hdfs://nn/x/a.ZARR/", "hdfs://nn/m/b/generations/1/values"]
        {
            assert_eq!(of(there, None).unwrap(), Some(there));
        }
        assert!(of("hdfs://nn/x/a.npy", Some(Format::Zarr)).unwrap().is_some());
        for (file, said) in [
            ("hdfs://nn/x/a.npy", "hdfs dfs -get hdfs://nn/x/a.npy"),
            ("hdfs://nn/x/a.npz#w", "-get hdfs://nn/x/a.npz"),
            ("hdfs://nn/x/a.mtx.gz", "Zarr"),
            ("hdfs://nn/x/a.csv", "Zarr"),
        ] {
            let error = of(file, None).unwrap_err();
            assert!(error.kind() == ErrorKind::Invalid && error.message().contains(said), "{file}: {error}");
        }
        assert!(of("hdfs://nn/x/a", Some(Format::Npy)).is_err());
    }

    #[test]
    fn nothing_is_written_at_a_url() {
        let error = check_target(Path::new("hdfs://nn/c.npy"), "cannot export to").unwrap_err();
        assert!(
            error.message().starts_with("cannot export to hdfs://nn/c.npy: ")
                && error.message().contains("--store")
        );
        check_target(Path::new("./c.npy"), "cannot write").unwrap();
    }
}
