//! How large a matrix is drawn.

/// Rows and columns of the box that a matrix of `shape` is drawn in, within `within`: shaped as the matrix, but neither
/// side is thinner than a twelfth of the shorter side there is, and no element is larger than `zoom` either way.
pub(crate) fn fitted(shape: (u64, u64), within: (u64, u64), zoom: u64) -> (u64, u64) {
    let (rows, cols) = (shape.0 as f64, shape.1 as f64);
    let scale = (within.0 as f64 / rows).min(within.1 as f64 / cols).min(zoom as f64);
    let thinnest = (within.0.min(within.1) / 12).max(1);
    let side = |count: u64, within: u64| {
        let wanted = ((count as f64 * scale).round() as u64).max(thinnest);
        wanted.min(count.saturating_mul(zoom)).clamp(1, within.max(1))
    };
    (side(shape.0, within.0), side(shape.1, within.1))
}

/// A magnitude beside a scale, short.
pub(crate) fn short(value: f64) -> String {
    if value == 0.0 {
        return "0".into();
    }
    if !(1e-3..1e5).contains(&value) {
        return format!("{value:.2e}");
    }
    let digits = 3 - (value.log10().floor() as i32).clamp(-3, 3);
    let fixed = format!("{value:.*}", digits as usize);
    if fixed.contains('.') { fixed.trim_end_matches('0').trim_end_matches('.').to_owned() } else { fixed }
}

/// Of what a cell says the largest magnitude.
pub(crate) fn cell_of(shape: (u64, u64), cells: (u64, u64)) -> String {
    match (shape.0.div_ceil(cells.0), shape.1.div_ceil(cells.1)) {
        (1, 1) => "|x| of each element".into(),
        (rows, cols) => format!("largest |x| of each {rows} x {cols} elements"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_has_the_shape_of_its_matrix() {
        let square = (600, 800);
        assert_eq!(fitted((1000, 1000), square, u64::MAX), (600, 600));
        assert_eq!(fitted((300, 400), square, u64::MAX), (600, 800));
        assert_eq!(fitted((1, 1), square, u64::MAX), (600, 600));
        assert_eq!(fitted((2, 3), square, 10), (20, 30));
        assert_eq!(fitted((4000, 4000), square, 4), (600, 600));
    }

    #[test]
    fn thin_ones_can_be_seen() {
        assert_eq!(fitted((1, 1 << 39), (600, 800), u64::MAX), (50, 800));
        assert_eq!(fitted((1 << 39, 1), (600, 800), u64::MAX), (600, 50));
        assert_eq!(fitted((1 << 39, 1), (40, 80), 4), (40, 3));
        assert_eq!(fitted((1 << 39, 1), (1, 1), 4), (1, 1));
    }

    #[test]
    fn numbers_are_short() {
        for (value, expected) in [
            (0.0, "0"),
            (1.0, "1"),
            (0.25, "0.25"),
            (0.99987, "0.9999"),
            (1500.5, "1500"),
            (99999.0, "99999"),
            (123456.0, "1.23e5"),
            (0.0012345, "0.001234"),
            (5e-324, "4.94e-324"),
            (f64::MAX, "1.80e308"),
        ] {
            assert_eq!(short(value), expected);
        }
    }

    #[test]
    fn a_caption_says_what_a_cell_is() {
        assert_eq!(cell_of((10, 10), (10, 10)), "|x| of each element");
        assert_eq!(cell_of((1000, 7), (300, 7)), "largest |x| of each 4 x 1 elements");
    }
}
