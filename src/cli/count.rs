//! Counts, as options take them and as answers say them.

use std::fmt::Display;
use std::str::FromStr;

use hama::{Error, Result};

/// Reads a whole number.
///
/// # Errors
/// `Invalid` where it is none, or too large.
pub(crate) fn count<T: FromStr>(text: &str) -> Result<T> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let wrong =
        || Error::invalid(format!("cannot read {text:?} as a count: a whole number such as 4000 is wanted"));
    if !digits {
        return Err(wrong());
    }
    text.parse().map_err(|_| Error::invalid(format!("cannot read {text:?} as a count: it is too large")))
}

/// A number of things by their name: `1 tile`, `2 tiles`.
pub(crate) fn counted<T: Display + PartialEq + From<u8>>(count: T, thing: &str) -> String {
    let plural = if count == T::from(1) { "" } else { "s" };
    format!("{count} {thing}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_read() {
        assert_eq!(count::<u64>("0").unwrap(), 0);
        assert_eq!(count::<u64>("18446744073709551615").unwrap(), u64::MAX);
    }

    #[test]
    fn what_is_no_whole_number_is_refused() {
        for text in ["", "-1", "+1", "1e3", "1.5", "ten", " 1", "0x10", "1_000", "\u{0661}"] {
            let message = count::<u64>(text).unwrap_err().to_string();
            assert!(message.ends_with("a whole number such as 4000 is wanted"), "{message}");
        }
        assert!(count::<u64>("18446744073709551616").unwrap_err().message().contains("too large"));
    }

    #[test]
    fn one_is_singular() {
        assert_eq!([0, 1, 2].map(|n: u64| counted(n, "tile")), ["0 tiles", "1 tile", "2 tiles"]);
    }
}
