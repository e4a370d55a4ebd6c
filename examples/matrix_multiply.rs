//! Two random matrices, their product as a plan, the plan run, and a corner of the result.
//!
//!     cargo run --release --example matrix_multiply

use std::io::Write;

use hama::{DenseMatrix, Hama, Result, Seed, replace};

fn main() -> Result<()> {
    let hama = Hama::builder().store("file:./hama-data").memory(1 << 30).build()?;
    let a = DenseMatrix::<f64>::random(&hama, replace("a"), (4000, 2000), Seed(1))?.blocking(4)?;
    let b = DenseMatrix::<f64>::random(&hama, replace("b"), (2000, 3000), Seed(2))?.blocking(4)?;

    let product = a.mult(&b)?;
    print(&product.plan()?.to_string())?;

    let c = product.save(replace("c"))?;
    print(&hama::verify(&a, &b, &c)?.to_string())?;

    let (rows, cols) = c.shape();
    print(&format!("{} is {rows} x {cols}; its corner:\n{:.3}", c.name(), c.read(0..2, 0..2)?))
}

fn print(text: &str) -> Result<()> {
    writeln!(std::io::stdout(), "{text}")
        .map_err(|error| hama::Error::io("cannot write to standard output", error))
}
