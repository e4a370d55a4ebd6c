//! Paths inside a store: relative, of plain segments, so that none leads out of it.

use std::fmt;

use hama_core::{Error, Result};

const SEGMENT_LEN_MAX: usize = 255;
const SEGMENTS_MAX: usize = 16;

/// A path inside a store; the empty path is the store itself.
///
/// Its segments hold `A-Z a-z 0-9 . _ -`, are neither `.` nor `..`, and are 1 to 255 characters long: what the
/// local file system and HDFS both take.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StorePath(String);

impl StorePath {
    /// The store itself.
    pub fn root() -> StorePath {
        StorePath::default()
    }

    /// The path `text`, segments separated by `/`.
    ///
    /// # Errors
    /// `Invalid` where a segment is none, or there are more than 16.
    pub fn new(text: &str) -> Result<StorePath> {
        if text.is_empty() {
            return Ok(StorePath::root());
        }
        if text.split('/').count() > SEGMENTS_MAX {
            return Err(Error::invalid(format!(
                "cannot use a path of more than {SEGMENTS_MAX} segments in a store"
            )));
        }
        text.split('/').try_fold(StorePath::root(), |path, segment| path.child(segment))
    }

    /// The path of `segment` in this directory.
    ///
    /// # Errors
    /// `Invalid` where it is no segment.
    pub fn child(&self, segment: &str) -> Result<StorePath> {
        if !is_segment(segment) {
            let shown: String = segment.chars().take(40).collect();
            return Err(Error::invalid(format!(
                "cannot use {shown:?} in a path of a store: a segment is 1 to {SEGMENT_LEN_MAX} of A-Z a-z 0-9 . _ -, \
                 not . or .."
            )));
        }
        Ok(if self.0.is_empty() {
            StorePath(segment.to_owned())
        } else {
            StorePath(format!("{}/{segment}", self.0))
        })
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The directory that it is in; the store itself is in none.
    pub fn parent(&self) -> Option<StorePath> {
        match self.0.rsplit_once('/') {
            Some((parent, _)) => Some(StorePath(parent.to_owned())),
            None if self.0.is_empty() => None,
            None => Some(StorePath::root()),
        }
    }

    /// Its last segment; the store itself has none.
    pub fn name(&self) -> Option<&str> {
        let last = self.0.rsplit('/').next();
        last.filter(|name| !name.is_empty())
    }
}

fn is_segment(text: &str) -> bool {
    (1..=SEGMENT_LEN_MAX).contains(&text.len())
        && text != "."
        && text != ".."
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}

impl fmt::Display for StorePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "." } else { &self.0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_have_parents_and_names() {
        let path = StorePath::new("a/values/c.0.0").unwrap();
        assert_eq!(path.name(), Some("c.0.0"));
        assert_eq!(path.parent().unwrap().as_str(), "a/values");
        assert_eq!(StorePath::new("a").unwrap().parent(), Some(StorePath::root()));
        assert_eq!((StorePath::root().parent(), StorePath::root().name()), (None, None));
    }

    #[test]
    fn nothing_leads_out() {
        let many = ["a"; 17].join("/");
        let long = "a".repeat(256);
        for bad in
            ["..", "a/../b", "/a", "a/", "a//b", ".", "a/./b", "a b", "a\0", "a\\b", "c:d", "ü", &many, &long]
        {
            assert!(StorePath::new(bad).is_err(), "{bad:?}");
        }
        assert!(StorePath::root().child("a/b").is_err());
        assert!(StorePath::root().child("").is_err());
    }
}
