//! Times in seconds, as options take them and as answers print them.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use hama::{Error, Result};
use serde::Deserialize;

/// The longest that anybody waits.
const SECONDS_MAX: f64 = 86400.0;

/// A time in seconds, 0.1 to a day.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(try_from = "f64")]
pub(crate) struct Seconds(f64);

impl Seconds {
    pub(crate) fn of(duration: Duration) -> Seconds {
        Seconds(duration.as_secs_f64())
    }

    pub(crate) fn value(self) -> f64 {
        self.0
    }

    pub(crate) fn duration(self) -> Duration {
        Duration::from_secs_f64(self.0)
    }
}

impl TryFrom<f64> for Seconds {
    type Error = Error;

    fn try_from(seconds: f64) -> Result<Seconds> {
        if (0.1..=SECONDS_MAX).contains(&seconds) {
            return Ok(Seconds(seconds));
        }
        Err(Error::invalid(format!(
            "cannot wait {seconds} s: from 0.1 s to a day ({SECONDS_MAX} s) is possible"
        )))
    }
}

impl FromStr for Seconds {
    type Err = Error;

    fn from_str(text: &str) -> Result<Seconds> {
        let number = text.strip_suffix('s').unwrap_or(text);
        let plain = number.starts_with(|first: char| first.is_ascii_digit());
        let seconds = number.parse::<f64>().ok().filter(|_| plain);
        let wrong = || {
            Error::invalid(format!("cannot read {text:?} as seconds: a number such as 30 or 0.5 is wanted"))
        };
        Seconds::try_from(seconds.ok_or_else(wrong)?)
    }
}

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} s", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_read() {
        for (text, seconds) in [("30", 30.0), ("30s", 30.0), ("0.5", 0.5), ("86400", 86400.0)] {
            assert_eq!(text.parse::<Seconds>().unwrap().value(), seconds);
        }
        for bad in ["", "s", "0", "0.01", "-1", "+1", "1m", "inf", "nan", "1e9", " 1", "86401"] {
            assert!(bad.parse::<Seconds>().is_err(), "{bad:?}");
        }
    }
}
