//! The element types that matrices are computed in.

use std::ops::AddAssign;

use hama_hdfs::Element;

use crate::kernel::Micros;
use crate::random::Drawn;

/// An element type with its arithmetic: f64 or f32.
pub trait Scalar: Element + Drawn + Micros + AddAssign {
    /// 0.
    const ZERO: Self;
    /// 1.
    const ONE: Self;
    /// What stands outside of the matrix in the tiles at its edge: the fill value of the table.
    const FILL: Self;
    /// The unit roundoff: half the distance from 1 to the next larger number.
    const ROUNDOFF: f64;
    /// The largest finite number.
    const LARGEST: f64;
    /// The smallest positive normal number.
    const SMALLEST: f64;

    /// The same number as f64, exactly.
    fn to_f64(self) -> f64;

    /// The nearest number.
    fn from_f64(value: f64) -> Self;

    /// The same number, every bit of it where the type is f32.
    fn from_f32(value: f32) -> Self;
}

impl Scalar for f64 {
    const ZERO: f64 = 0.0;
    const ONE: f64 = 1.0;
    const FILL: f64 = f64::NAN;
    const ROUNDOFF: f64 = f64::EPSILON / 2.0;
    const LARGEST: f64 = f64::MAX;
    const SMALLEST: f64 = f64::MIN_POSITIVE;

    fn to_f64(self) -> f64 {
        self
    }

    fn from_f64(value: f64) -> f64 {
        value
    }

    fn from_f32(value: f32) -> f64 {
        f64::from(value)
    }
}

impl Scalar for f32 {
    const ZERO: f32 = 0.0;
    const ONE: f32 = 1.0;
    const FILL: f32 = f32::NAN;
    const ROUNDOFF: f64 = f32::EPSILON as f64 / 2.0;
    const LARGEST: f64 = f32::MAX as f64;
    const SMALLEST: f64 = f32::MIN_POSITIVE as f64;

    fn to_f64(self) -> f64 {
        f64::from(self)
    }

    fn from_f64(value: f64) -> f32 {
        value as f32
    }

    fn from_f32(value: f32) -> f32 {
        value
    }
}
