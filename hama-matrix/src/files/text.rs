//! Numbers as text, and as elements.

use hama_core::{Error, Result};

use crate::scalar::Scalar;

/// A number of more bytes is none.
pub(super) const NUMBER_BYTES_MAX: usize = 512;

/// The number that a field holds, spaces around it aside.
pub(super) fn number(field: &[u8]) -> Option<f64> {
    std::str::from_utf8(field).ok()?.trim().parse().ok()
}

/// A field as an error shows it.
pub(super) fn shown(field: &[u8]) -> String {
    let text: String = String::from_utf8_lossy(field).chars().take(40).collect();
    format!("{text:?}")
}

/// The element nearest to a number.
///
/// # Errors
/// `Data` where the number is finite and the element would not be.
pub(super) fn narrowed<T: Scalar>(value: f64, what: &str, (row, col): (u64, u64)) -> Result<T> {
    let element = T::from_f64(value);
    if value.is_finite() && !element.to_f64().is_finite() {
        return Err(Error::data(format!(
            "cannot read {what} as {}: element ({row}, {col}) is {value:e}, which is too large for it",
            T::TYPE
        )));
    }
    Ok(element)
}
