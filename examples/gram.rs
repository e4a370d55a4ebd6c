//! The Gram matrix of measurements: the matrix times itself, transposed without a copy.
//!
//!     cargo run --release --example gram [FILE.npy]
//!
//! Without a file it makes 1797 measurements of 64 whole numbers. Those give whole numbers too, so the result
//! has to equal what ndarray computes in memory, to the last bit.

use std::io::Write;
use std::path::Path;

use hama::files::{self, ImportOptions};
use hama::ndarray::Array2;
use hama::{AnyMatrix, DenseMatrix, Error, Hama, Result, replace};

fn main() -> Result<()> {
    let hama = Hama::local()?;
    let measured = match std::env::args_os().nth(1) {
        Some(file) => {
            match files::import(&hama, Path::new(&file), replace("measured"), &ImportOptions::default())? {
                AnyMatrix::F64(matrix) => matrix,
                AnyMatrix::F32(_) => {
                    return Err(Error::invalid("cannot take f32: save the array as float64"));
                }
            }
        }
        None => DenseMatrix::from_array(&hama, replace("measured"), whole_numbers().view())?,
    };

    let gram = measured.t().mult(&measured)?.save(replace("gram"))?;

    let in_memory = measured.to_ndarray()?;
    let equal = gram.to_ndarray()? == in_memory.t().dot(&in_memory);
    let (rows, cols) = gram.shape();
    let verdict = if equal { "equal to" } else { "different from" };
    writeln!(
        std::io::stdout(),
        "{} is {rows} x {cols}, {verdict} what ndarray computes in memory",
        gram.name()
    )
    .map_err(|error| Error::io("cannot write to standard output", error))
}

/// Whole numbers from 0 to 16, as the pixels of scanned digits are.
fn whole_numbers() -> Array2<f64> {
    Array2::from_shape_fn((1797, 64), |(row, col)| ((row * 31 + col * 17 + row * col) % 17) as f64)
}
