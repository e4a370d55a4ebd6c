//! The names of tables: one grammar for all stores.

use std::fmt;
use std::str::FromStr;

use hama_core::{Error, Result};
use serde::{Deserialize, Serialize};

const LEN_MAX: usize = 128;

/// The name of a table: `[A-Za-z0-9][A-Za-z0-9_-]{0,127}`.
///
/// It is a directory's name on every store and a word on every command line, hence so few characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TableName(String);

impl TableName {
    /// The name `text`.
    ///
    /// # Errors
    /// `Invalid` where the grammar does not hold; the message tells it.
    pub fn new(text: &str) -> Result<TableName> {
        if is_name(text) {
            return Ok(TableName(text.to_owned()));
        }
        let shown: String = text.chars().take(40).collect();
        let dots = if shown.len() < text.len() { ".." } else { "" };
        Err(Error::invalid(format!(
            "cannot name a table {shown:?}{dots}: a name is 1 to {LEN_MAX} of A-Z a-z 0-9 _ -, the first a letter \
             or a digit"
        )))
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A table, or an older version of it, as it is typed: `NAME` or `NAME@VERSION`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionName {
    /// The table.
    pub name: TableName,
    /// The number of the version, where it is not the latest.
    pub version: Option<u64>,
}

impl FromStr for VersionName {
    type Err = Error;

    fn from_str(text: &str) -> Result<VersionName> {
        let Some((name, version)) = text.split_once('@') else {
            return Ok(VersionName { name: text.parse()?, version: None });
        };
        let number = version.parse().ok().filter(|number: &u64| *number > 0 && number.to_string() == version);
        let number = number.ok_or_else(|| {
            Error::invalid(format!(
                "cannot open {name}@{version:.40}: a version is a number, such as {name}@1"
            ))
        })?;
        Ok(VersionName { name: name.parse()?, version: Some(number) })
    }
}

impl fmt::Display for VersionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.version {
            Some(version) => write!(f, "{}@{version}", self.name),
            None => self.name.fmt(f),
        }
    }
}

/// Whether `text` is a name.
pub(crate) fn is_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    text.len() <= LEN_MAX
        && bytes.next().is_some_and(|b| b.is_ascii_alphanumeric())
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

impl FromStr for TableName {
    type Err = Error;

    fn from_str(text: &str) -> Result<TableName> {
        TableName::new(text)
    }
}

impl TryFrom<String> for TableName {
    type Error = Error;

    fn try_from(text: String) -> Result<TableName> {
        TableName::new(&text)
    }
}

impl From<TableName> for String {
    fn from(name: TableName) -> String {
        name.0
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use hama_core::ErrorKind;

    use super::*;

    #[test]
    fn names_are_names() {
        for good in ["a", "A1", "0", "demo-a", "a_b-c", &"x".repeat(128)] {
            assert_eq!(TableName::new(good).unwrap().as_str(), good);
        }
    }

    #[test]
    fn what_is_no_name_is_refused_with_the_grammar() {
        let long = "x".repeat(300);
        for bad in [
            "",
            "a/b",
            "..",
            ".",
            "a@3",
            "a\0",
            "a b",
            " a",
            "größe",
            "-a",
            "_a",
            "a.npy",
            "a:b",
            "a\n",
            &long,
            &long[..129],
        ] {
            let error = TableName::new(bad).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid, "{bad:?}");
            assert!(error.message().contains("1 to 128 of A-Z a-z 0-9 _ -"), "{error}");
            assert!(error.message().len() < 250, "{error}");
            assert!(serde_json::from_value::<TableName>(bad.into()).is_err());
        }
    }

    #[test]
    fn versions_are_numbers_behind_an_at() {
        let parse = |text: &str| text.parse::<VersionName>();
        assert_eq!(parse("a").unwrap().version, None);
        let older = parse("a@12").unwrap();
        assert_eq!((older.version, older.to_string().as_str()), (Some(12), "a@12"));
        for bad in ["a@", "@1", "a@0", "a@-1", "a@+1", "a@01", "a@1@2", "a@x", "a@99999999999999999999"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
