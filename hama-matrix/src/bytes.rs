//! Byte counts as people write them: `2GiB`, `512MiB`, `1.3GiB`.

use hama_core::{Error, Result};

const UNITS: [(&str, u64); 5] =
    [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

/// A byte count in the largest unit that it fills, with one decimal, rounded up, so that what is printed
/// suffices when it is typed again.
pub fn format_bytes(bytes: u64) -> String {
    let (unit, size) = UNITS.into_iter().find(|(_, size)| bytes >= *size).unwrap_or(("B", 1));
    let tenths = (u128::from(bytes) * 10).div_ceil(u128::from(size));
    if tenths % 10 == 0 {
        format!("{}{unit}", tenths / 10)
    } else {
        format!("{}.{}{unit}", tenths / 10, tenths % 10)
    }
}

/// Reads a byte count: a number, perhaps with a fraction, and `B`, `KiB`, `MiB`, `GiB`, `TiB` or nothing.
///
/// # Errors
/// `Invalid` where it is none, or more than 2^63 bytes.
pub fn parse_bytes(text: &str) -> Result<u64> {
    let wrong = || {
        Error::invalid(format!(
            "cannot read {text:?} as a size: a number with B, KiB, MiB, GiB or TiB is wanted, such as 512MiB"
        ))
    };
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let number: f64 = text[..digits].parse().map_err(|_| wrong())?;
    let unit = match text[digits..].trim_start() {
        "" | "B" => 1.0,
        "KiB" => 1024.0,
        "MiB" => 1024f64.powi(2),
        "GiB" => 1024f64.powi(3),
        "TiB" => 1024f64.powi(4),
        _ => return Err(wrong()),
    };
    let bytes = (number * unit).ceil();
    if bytes.is_finite() && bytes < (1u64 << 63) as f64 { Ok(bytes as u64) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_can_be_typed_and_suffices() {
        for bytes in [0, 1, 1023, 1024, 1500, 1 << 20, (1 << 30) - 1, 1_395_864_371, 1 << 40, u64::MAX >> 2] {
            let text = format_bytes(bytes);
            let back = parse_bytes(&text).unwrap();
            assert!(back >= bytes && back as f64 <= bytes as f64 * 1.1 + 1.0, "{bytes} {text} {back}");
        }
        assert_eq!(format_bytes(1_395_864_372), "1.4GiB");
        assert_eq!(format_bytes(2 << 30), "2GiB");
    }

    #[test]
    fn sizes_are_read() {
        assert_eq!(parse_bytes("2GiB").unwrap(), 2 << 30);
        assert_eq!(parse_bytes("1.5 MiB").unwrap(), 3 << 19);
        assert_eq!(parse_bytes("700").unwrap(), 700);
        for wrong in ["", "GiB", "-1", "1.2.3", "2GB?", "1e9", "99999999TiB", "NaN", "2 Gi B"] {
            assert!(parse_bytes(wrong).is_err(), "{wrong}");
        }
    }
}
