//! Hama in a program that is asynchronous elsewhere.
//!
//!     cargo run --release --example in_tokio
//!
//! Calls of Hama compute and wait, so they belong on the threads that tokio keeps for that: `spawn_blocking`.

use std::io::Write;

use hama::{DenseMatrix, Error, Hama, Result, Seed};

#[tokio::main]
async fn main() -> Result<()> {
    let hama = Hama::builder().store("memory:in-tokio").memory(256 << 20).build()?;

    let in_background = hama.clone();
    let gram = tokio::task::spawn_blocking(move || gram(&in_background, "a", Seed(1)));
    // A call from the asynchronous side works too. It keeps its thread, and every task that waits there, until it is done.
    let here = gram_here(&hama).await?;
    let gram = gram.await.map_err(|error| Error::internal("the task was lost").with_source(error))??;

    for gram in [gram, here] {
        let (rows, cols) = gram.shape();
        writeln!(std::io::stdout(), "{} is {rows} x {cols}", gram.name())
            .map_err(|error| Error::io("cannot write to standard output", error))?;
    }
    Ok(())
}

async fn gram_here(hama: &Hama) -> Result<DenseMatrix<f64>> {
    gram(hama, "b", Seed(2))
}

/// A random matrix times itself, transposed.
fn gram(hama: &Hama, name: &str, seed: Seed) -> Result<DenseMatrix<f64>> {
    let a = DenseMatrix::random(hama, name, (2000, 300), seed)?;
    a.t().mult(&a)?.save(format!("gram-of-{name}"))
}
