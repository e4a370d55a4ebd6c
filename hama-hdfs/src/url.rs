//! The URL of a store: `file:./hama-data`, a bare path, `hdfs://HOST:PORT/PATH`, `memory:NAME` or `strict:NAME`.

mod hdfs;

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use hama_core::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::name::is_name;
pub(crate) use hdfs::HdfsPlace;

/// Where a store is.
///
/// Equal URLs mean the same store; a relative path means nothing beyond this process, so what travels is
/// [`absolute`](StoreUrl::absolute).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StoreUrl(Place);

/// The kinds of stores, with what each needs to be found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Place {
    Directory(PathBuf),
    Memory(String),
    Strict(String),
    Hdfs(HdfsPlace),
}

impl StoreUrl {
    /// The store in a local directory.
    ///
    /// # Errors
    /// `Invalid` where the path is empty, is no UTF-8 or holds a NUL.
    pub fn directory(path: &Path) -> Result<StoreUrl> {
        let text = path.to_str().ok_or_else(|| {
            Error::invalid(format!("cannot use the path {path:?} as a store: it is no UTF-8"))
        })?;
        checked_path(text, text)
    }

    /// The same store by a path that means the same in every process of this host.
    ///
    /// # Errors
    /// `Invalid` where this process has no current directory.
    pub fn absolute(&self) -> Result<StoreUrl> {
        match &self.0 {
            Place::Directory(path) => {
                let absolute = std::path::absolute(path).map_err(|e| {
                    Error::io(format!("cannot tell the absolute path of {}", path.display()), e)
                })?;
                StoreUrl::directory(&absolute)
            }
            Place::Memory(_) | Place::Strict(_) | Place::Hdfs(_) => Ok(self.clone()),
        }
    }

    /// The local directory that it names, where it names one.
    pub fn local_directory(&self) -> Option<&Path> {
        match &self.0 {
            Place::Directory(path) => Some(path),
            Place::Memory(_) | Place::Strict(_) | Place::Hdfs(_) => None,
        }
    }

    /// Whether its files are in the memory of one process, where no other finds them.
    pub fn is_in_memory(&self) -> bool {
        matches!(self.0, Place::Memory(_) | Place::Strict(_))
    }

    pub(crate) fn place(&self) -> &Place {
        &self.0
    }
}

impl FromStr for StoreUrl {
    type Err = Error;

    fn from_str(text: &str) -> Result<StoreUrl> {
        let Some((scheme, rest)) = split_scheme(text) else { return checked_path(text, text) };
        match scheme {
            "file" => checked_path(text, file_path(text, rest)?),
            "memory" => Ok(StoreUrl(Place::Memory(checked_name(text, rest)?))),
            "strict" => Ok(StoreUrl(Place::Strict(checked_name(text, rest)?))),
            "hdfs" if cfg!(feature = "hdfs") => Ok(StoreUrl(Place::Hdfs(HdfsPlace::parse(text, rest)?))),
            "hdfs" => {
                Err(Error::invalid(format!("cannot use the store {text}: this build of hama has no hdfs")))
            }
            _ => Err(Error::invalid(format!(
                "cannot use the store {text:?}: {scheme}: is none of file:, hdfs:, memory:, strict: (a path with a \
                 colon is written file:{text})"
            ))),
        }
    }
}

/// The scheme and the rest, where there is a scheme: a letter, then letters, digits, `+`, `-`, `.`, then a colon.
fn split_scheme(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once(':')?;
    let mut bytes = scheme.bytes();
    let first = bytes.next()?;
    let valid =
        first.is_ascii_alphabetic() && bytes.all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    valid.then_some((scheme, rest))
}

/// The path of `file:PATH` or `file:///PATH`; a host is refused, since nothing would be asked of it.
fn file_path<'a>(text: &str, rest: &'a str) -> Result<&'a str> {
    match rest.strip_prefix("//") {
        Some(path) if path.starts_with('/') => Ok(path),
        Some(_) => Err(Error::invalid(format!(
            "cannot use the store {text}: file: URLs name no host, write file:/absolute/path or file:relative/path"
        ))),
        None => Ok(rest),
    }
}

fn checked_path(text: &str, path: &str) -> Result<StoreUrl> {
    if path.is_empty() {
        return Err(Error::invalid(format!("cannot use the store {text:?}: the path is empty")));
    }
    if path.contains('\0') {
        return Err(Error::invalid(format!("cannot use the store {text:?}: the path holds a NUL")));
    }
    // Two slashes at the start mean no more than one, but would read back as the start of a host.
    let rest = path.trim_start_matches('/');
    let path = if rest.len() < path.len() { format!("/{rest}") } else { rest.to_owned() };
    Ok(StoreUrl(Place::Directory(PathBuf::from(path))))
}

fn checked_name(text: &str, name: &str) -> Result<String> {
    if is_name(name) {
        return Ok(name.to_owned());
    }
    Err(Error::invalid(format!(
        "cannot use the store {text:?}: its name is 1 to 128 of A-Z a-z 0-9 _ -, the first a letter or a digit"
    )))
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Place::Directory(path) => write!(f, "file:{}", path.display()),
            Place::Memory(name) => write!(f, "memory:{name}"),
            Place::Strict(name) => write!(f, "strict:{name}"),
            Place::Hdfs(place) => fmt::Display::fmt(place, f),
        }
    }
}

impl From<StoreUrl> for String {
    fn from(url: StoreUrl) -> String {
        url.to_string()
    }
}

impl TryFrom<String> for StoreUrl {
    type Error = Error;

    fn try_from(text: String) -> Result<StoreUrl> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use hama_core::ErrorKind;

    use super::*;

    #[test]
    fn every_form_reads_back_from_what_it_prints() {
        for (text, printed) in [
            ("./hama-data", "file:./hama-data"),
            ("file:./hama-data", "file:./hama-data"),
            ("file:///data/x", "file:/data/x"),
            ("/data/with:colon", "file:/data/with:colon"),
            ("//data", "file:/data"),
            ("file:////data//x", "file:/data//x"),
            ("///", "file:/"),
            ("memory:a", "memory:a"),
            ("strict:s-1", "strict:s-1"),
        ] {
            let url: StoreUrl = text.parse().unwrap();
            assert_eq!(url.to_string(), printed);
            let directory = url.local_directory().map(|path| format!("file:{}", path.display()));
            assert_eq!(directory.as_deref(), Some(printed).filter(|printed| printed.starts_with("file:")));
            assert_eq!(printed.parse::<StoreUrl>().unwrap(), url);
            let json = serde_json::to_string(&url).unwrap();
            assert_eq!(serde_json::from_str::<StoreUrl>(&json).unwrap(), url);
        }
    }

    #[test]
    fn what_means_no_store_is_refused() {
        for bad in
            ["", "file:", "a\0b", "file:a\0b", "file://host/x", "memory:", "memory:a/b", "strict:..", "s3:x"]
        {
            let error = bad.parse::<StoreUrl>().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid, "{bad:?}");
        }
        assert!(serde_json::from_str::<StoreUrl>("\"x:y\"").is_err());
    }

    #[test]
    fn absolute_paths_travel() {
        let url: StoreUrl = "x/../y".parse().unwrap();
        let absolute = url.absolute().unwrap().to_string();
        assert!(absolute.starts_with("file:/"), "{absolute}");
    }
}
