//! Dates and how long something takes, as answers say them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

const DAY_S: u64 = 24 * 60 * 60;

/// Seconds since 1970, by the clock of this host.
pub(crate) fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// A time in seconds since 1970 as a date, such as `2026-11-21 15:04 UTC`. The years after 9999 are one.
pub(crate) fn date(unix: u64) -> String {
    let (mut days, minutes) = (unix / DAY_S, unix % DAY_S / 60);
    let mut year = 1970;
    while year < 9999 && days >= days_of(year) {
        days -= days_of(year);
        year += 1;
    }
    let february = days_of(year) - 337;
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    format!("{year}-{month:02}-{:02} {:02}:{:02} UTC", days.min(30) + 1, minutes / 60, minutes % 60)
}

/// How long something took: `0.25 s`, `59.1 s`, `2 min 5 s`, `3 h 20 min`, `2 d 1 h`.
pub(crate) fn long(time: Duration) -> String {
    let whole = time.as_secs();
    match whole {
        0..10 => format!("{:.2} s", time.as_secs_f64()),
        10..60 => format!("{:.1} s", time.as_secs_f64()),
        60..3600 => format!("{} min {} s", whole / 60, whole % 60),
        3600..DAY_S => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
        _ => format!("{} d {} h", whole / DAY_S, whole % DAY_S / 3600),
    }
}

fn days_of(year: u64) -> u64 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    if leap { 366 } else { 365 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (unix, expected) in [
            (0, "1970-01-01 00:00 UTC"),
            (951_782_400, "2000-02-29 00:00 UTC"),
            (951_868_800, "2000-03-01 00:00 UTC"),
            (1_798_761_599, "2026-12-31 23:59 UTC"),
            (1_798_761_600, "2027-01-01 00:00 UTC"),
            (1_795_273_440, "2026-11-21 15:04 UTC"),
            (4_107_542_399, "2100-02-28 23:59 UTC"),
            (4_107_542_400, "2100-03-01 00:00 UTC"),
        ] {
            assert_eq!(date(unix), expected);
        }
        assert!(date(u64::MAX).starts_with("9999-12-31"));
    }

    #[test]
    fn times_are_as_long_as_they_are() {
        let said = [(0, "0.00 s"), (9_999, "10.00 s"), (59_100, "59.1 s"), (125_000, "2 min 5 s")];
        for (millis, expected) in said {
            assert_eq!(long(Duration::from_millis(millis)), expected);
        }
        assert_eq!(long(Duration::from_secs(12_000)), "3 h 20 min");
        assert_eq!(long(Duration::from_secs(2 * DAY_S + 3700)), "2 d 1 h");
    }
}
