//! Euclidean norms that neither overflow nor underflow where their result does not.

use crate::scalar::Scalar;

/// A sum of squares of finite numbers, as `largest`^2 * `sum`; NaN where one of them is not finite.
///
/// J. L. Blue, "A portable Fortran program to find the Euclidean norm of a vector", ACM TOMS 4, 1978.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Norm {
    pub(super) largest: f64,
    pub(super) sum: f64,
}

impl Norm {
    pub(super) fn of<T: Scalar>(elements: &[T]) -> Norm {
        let largest = elements.iter().fold(0.0f64, |largest, element| largest.max(element.to_f64().abs()));
        if largest == 0.0 && elements.iter().all(|element| element.to_f64() == 0.0) {
            return Norm::default();
        }
        // The maximum passes over NaN, so the sum has to find it.
        let scaled = elements.iter().map(|element| element.to_f64() / largest);
        Norm { largest, sum: scaled.map(|x| x * x).sum() }
    }

    /// The norm of both.
    pub(super) fn and(self, other: Norm) -> Norm {
        let (large, small) = if self.largest >= other.largest { (self, other) } else { (other, self) };
        if small.largest == 0.0 && !small.sum.is_nan() {
            return large;
        }
        let ratio = small.largest / large.largest;
        Norm { largest: large.largest, sum: large.sum + small.sum * ratio * ratio }
    }

    pub(super) fn value(self) -> f64 {
        self.largest * self.sum.sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn norms_of_numbers_whose_squares_do_not_exist() {
        for scale in [1e-300, 1.0, 1e300] {
            let norm = Norm::of(&[3.0 * scale, -4.0 * scale]).and(Norm::of(&[12.0 * scale]));
            assert!((norm.value() / scale - 13.0).abs() < 1e-12, "{scale}: {norm:?}");
        }
        let mixed = Norm::of(&[1e-300f64]).and(Norm::of(&[1e300]));
        assert_eq!(mixed.value(), 1e300);
    }

    #[test]
    fn nothing_is_nothing_and_what_is_not_finite_shows() {
        assert_eq!(Norm::of::<f64>(&[]).value(), 0.0);
        assert_eq!(Norm::of(&[0.0, -0.0]).and(Norm::of(&[0.0])).value(), 0.0);
        for odd in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            for with in [Norm::default(), Norm::of(&[1.0]), Norm::of(&[1e300])] {
                assert!(Norm::of(&[odd]).and(with).value().is_nan());
                assert!(with.and(Norm::of(&[0.0, odd, 2.0])).value().is_nan());
            }
        }
    }
}
