//! The types of elements: f64 and f32, little-endian wherever they are stored.

use std::fmt;

use serde::{Deserialize, Serialize};

#[cfg(target_endian = "big")]
compile_error!("tiles are handed between files and memory as they are, which needs a little-endian machine");

/// The type of a table's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ElementType {
    /// 64-bit floating point (IEEE 754).
    #[serde(rename = "float64")]
    F64,
    /// 32-bit floating point (IEEE 754).
    #[serde(rename = "float32")]
    F32,
}

impl ElementType {
    /// The bytes of one element.
    pub fn size_bytes(self) -> usize {
        match self {
            ElementType::F64 => 8,
            ElementType::F32 => 4,
        }
    }

    /// Its name in Rust and in Hama's output: `f64`, `f32`.
    pub fn name(self) -> &'static str {
        match self {
            ElementType::F64 => "f64",
            ElementType::F32 => "f32",
        }
    }

    /// Its name in Zarr and NumPy: `float64`, `float32`.
    pub fn zarr_name(self) -> &'static str {
        match self {
            ElementType::F64 => "float64",
            ElementType::F32 => "float32",
        }
    }
}

impl fmt::Display for ElementType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A Rust type that tables hold. It is sealed: `f64` and `f32`.
pub trait Element:
    bytemuck::Pod + PartialOrd + fmt::Display + fmt::Debug + Send + Sync + sealed::Sealed + 'static
{
    /// The same as a value.
    const TYPE: ElementType;
}

impl Element for f64 {
    const TYPE: ElementType = ElementType::F64;
}

impl Element for f32 {
    const TYPE: ElementType = ElementType::F32;
}

mod sealed {
    /// Closes [`Element`](super::Element).
    pub trait Sealed {}
    impl Sealed for f64 {}
    impl Sealed for f32 {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agrees<T: Element>() {
        assert_eq!(T::TYPE.size_bytes(), size_of::<T>());
        assert_eq!(T::TYPE.name(), std::any::type_name::<T>());
    }

    #[test]
    fn values_agree_with_types() {
        agrees::<f64>();
        agrees::<f32>();
        for element in [ElementType::F64, ElementType::F32] {
            assert_eq!(serde_json::to_value(element).unwrap(), element.zarr_name());
        }
    }
}
