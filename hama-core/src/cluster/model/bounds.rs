//! How large the words of the cluster may be, and the checks that say so.

use crate::error::{Error, Result};

/// The most bytes of a program, encoded.
pub(crate) const PROGRAM_BYTES_MAX: usize = 16 << 20;
/// The most bytes that a peer may leave: its output, counters and records.
pub(crate) const OUTPUT_BYTES_MAX: usize = 16 << 20;
/// The most bytes that all peers of a job may leave together.
pub(crate) const JOB_OUTPUT_BYTES_MAX: usize = 256 << 20;
/// The longest name of a groom, a program, a rack, a version.
pub(crate) const NAME_BYTES_MAX: usize = 255;
/// The most variables of a job's environment, and the most bytes of all.
pub(crate) const VARIABLES_MAX: usize = 256;
pub(crate) const ENVIRONMENT_BYTES_MAX: usize = 64 << 10;
/// The most labels of a groom.
pub(crate) const LABELS_MAX: usize = 16;
/// The most slots of a groom.
pub(crate) const SLOTS_MAX: u32 = 1024;
/// The most memory that a groom offers or a peer wants: 1 PiB, so that sums cannot overflow.
pub(crate) const MEMORY_BYTES_MAX: u64 = 1 << 50;
/// The most tasks that a groom holds, those that have ended included.
pub(crate) const TASKS_MAX: usize = 1 << 16;
/// The most addresses of a peer, and the longest of them.
pub(crate) const ADDRESSES_MAX: usize = 4;
pub(crate) const ADDRESS_BYTES_MAX: usize = 255;
/// The most counters of a peer, and the longest name of one.
pub(crate) const COUNTERS_MAX: usize = 256;
pub(crate) const COUNTER_BYTES_MAX: usize = 128;
/// How much of what a task printed its groom tells the master.
pub(crate) const LOG_BYTES_MAX: usize = 8 << 10;
/// The longest message of an error.
pub(crate) const MESSAGE_BYTES_MAX: usize = 8 << 10;
/// A report or an answer carries no more bytes of outputs or programs than this, or a single one.
pub(crate) const PART_BYTES_MAX: usize = 16 << 20;
/// An answer carries no more actions.
pub(crate) const ACTIONS_MAX: usize = 1024;

/// At most so many of something.
pub(crate) fn at_most(what: &str, found: usize, most: usize) -> Result<()> {
    if found <= most {
        return Ok(());
    }
    Err(Error::invalid(format!("{what} has {found} where {most} is the most")))
}

/// A number between two others, both included.
pub(crate) fn between(what: &str, found: u64, least: u64, most: u64) -> Result<()> {
    if (least..=most).contains(&found) {
        return Ok(());
    }
    Err(Error::invalid(format!("{what} is {found} where {least} to {most} are possible")))
}

/// A text for people: something that can be printed, and not too long.
pub(crate) fn text(what: &str, text: &str, bytes_max: usize) -> Result<()> {
    if (1..=bytes_max).contains(&text.len()) && !text.chars().any(char::is_control) {
        return Ok(());
    }
    let text = start_of(text);
    Err(Error::invalid(format!(
        "{what} is {text:?}: it has to be 1 to {bytes_max} bytes that can be printed"
    )))
}

/// As much of a text as a message may hold of it.
pub(crate) fn start_of(text: &str) -> String {
    text.chars().take(100).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_large_is_named_with_both_numbers() {
        assert!(at_most("a list", 3, 3).is_ok());
        assert_eq!(at_most("a list", 4, 3).unwrap_err().message(), "a list has 4 where 3 is the most");
        assert!(between("slots", 1, 1, 9).is_ok() && between("slots", 9, 1, 9).is_ok());
        assert_eq!(between("slots", 0, 1, 9).unwrap_err().message(), "slots is 0 where 1 to 9 are possible");
    }

    #[test]
    fn texts_can_be_printed() {
        assert!(text("rack", "/a/b c", 6).is_ok());
        for wrong in ["", "seven77", "a\nb", "\u{1b}[2J"] {
            assert!(text("rack", wrong, 6).is_err(), "{wrong:?}");
        }
        let long = "x".repeat(1 << 20);
        assert!(text("rack", &long, 6).unwrap_err().message().len() < 500);
    }
}
