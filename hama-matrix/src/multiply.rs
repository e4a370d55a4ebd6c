//! A product as supersteps: superstep s multiplies panel s out of its inbox, sends its share of panel s + 1,
//! and reads its share of panel s + 2 meanwhile.

mod factors;
mod panels;
mod program;
mod reader;
mod reduce;
mod sum;

pub(crate) use program::Multiply;
pub(crate) use reader::PART_BYTES;
