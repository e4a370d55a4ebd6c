//! Runs of rows or columns, as people type them: `0..5`, `10..`, `..5`, `7`.

use std::ops::Range;
use std::str::FromStr;

use hama::{Error, Result};

/// A run of rows or columns whose ends may be left open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    start: u64,
    end: Option<u64>,
}

impl FromStr for Span {
    type Err = Error;

    fn from_str(text: &str) -> Result<Span> {
        let wrong = || {
            Error::invalid(format!(
                "cannot read the range {text:?}: one such as 0..5, 10.., ..5 or 7 is wanted"
            ))
        };
        let number = |text: &str| {
            let digits = text.bytes().all(|byte| byte.is_ascii_digit());
            if digits { text.parse::<u64>().map_err(|_| wrong()) } else { Err(wrong()) }
        };
        let Some((start, end)) = text.split_once("..") else {
            let only = number(text)?;
            return Ok(Span { start: only, end: Some(only.checked_add(1).ok_or_else(wrong)?) });
        };
        let start = if start.is_empty() { 0 } else { number(start)? };
        let end = if end.is_empty() { None } else { Some(number(end)?) };
        if end.is_some_and(|end| end <= start) {
            return Err(Error::invalid(format!("cannot take the range {text:?}: it is empty")));
        }
        Ok(Span { start, end })
    }
}

impl Span {
    /// What it means of `extent` rows or columns; `of` says which, of what.
    ///
    /// # Errors
    /// `Invalid` where it reaches past the last one.
    pub(crate) fn within(self, extent: u64, of: &str) -> Result<Range<u64>> {
        let end = self.end.unwrap_or(extent);
        if self.start < extent && end <= extent {
            return Ok(self.start..end);
        }
        let end = self.end.map_or(String::new(), |end| end.to_string());
        let range = format!("{}..{end}", self.start);
        Err(Error::invalid(format!("cannot take {range} of the {extent} {of}: it reaches past them")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read() {
        let expected =
            [("0..5", 0..5), ("..5", 0..5), ("2..", 2..10), ("..", 0..10), ("7", 7..8), ("9..10", 9..10)];
        for (text, range) in expected {
            assert_eq!(text.parse::<Span>().unwrap().within(10, "rows").unwrap(), range, "{text}");
        }
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for text in ["", "a", "-1..2", "1..2..3", "5..5", "5..2", "1...2", "+1..2", "0..99999999999999999999"]
        {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
        assert!(u64::MAX.to_string().parse::<Span>().is_err());
    }

    #[test]
    fn ranges_past_the_end_are_refused() {
        for text in ["10..11", "0..11", "10..", "10"] {
            let error = text.parse::<Span>().unwrap().within(10, "rows of a").unwrap_err();
            assert!(error.message().contains("10 rows of a"), "{error}");
        }
    }
}
