//! Which tables the demo has made itself and may replace: what can be made again loses nobody anything.

use hama::{AnyMatrix, DenseMatrix, Error, ErrorKind, Hama, Result, Seed};

use super::{SEED_A, SEED_B};
use crate::cli::failure::Failure;
use crate::cli::session::Session;

/// Enough for a row and a column of any size that fits a disk.
const MEMORY_BYTES: u64 = 64 << 20;

/// The matrix `name`, where there is one. `made` tells whether the demo made it.
///
/// # Errors
/// `Exists` where somebody else did, and what opening it says.
pub(super) fn own(
    session: &Session,
    name: &str,
    made: impl FnOnce(&DenseMatrix<f64>) -> bool,
) -> Result<Option<DenseMatrix<f64>>, Failure> {
    match hama::open_any(&session.hama, name) {
        Ok(AnyMatrix::F64(matrix)) if made(&matrix) => Ok(Some(matrix)),
        Ok(_) => {
            let message =
                format!("cannot make {name}: a matrix of that name is there, and the demo did not make it");
            Err(Failure::from(Error::new(ErrorKind::Exists, message)).or_try(hint(name)))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::from(error).or_try(hint(name))),
    }
}

fn hint(name: &str) -> String {
    format!("another --store, or `hama matrix remove {name}` if nobody needs it")
}

/// Whether a matrix is an operand of a demo of any size: its table names the seed that it was drawn from.
pub(super) fn is_operand(matrix: &DenseMatrix<f64>, seed: Seed) -> bool {
    let (rows, cols) = matrix.shape();
    let Ok(table) = matrix.table() else { return false };
    let attributes = &table.spec().attributes;
    let drawn = attributes.get("seed").and_then(|seed| seed.as_u64());
    rows == cols && drawn == Some(seed.0) && attributes.get("distribution").is_none_or(|how| how == "uniform")
}

/// Whether a matrix is the product of a demo of any size, by its first element.
///
/// The operands may be of another size by now, or gone; their first row and first column follow from the seeds.
pub(super) fn is_product(matrix: &DenseMatrix<f64>) -> bool {
    let (rows, cols) = matrix.shape();
    rows == cols && matches!(agrees(matrix, rows), Ok(true))
}

fn agrees(matrix: &DenseMatrix<f64>, n: u64) -> Result<bool> {
    let scratch = Hama::builder().store("memory:demo").memory(MEMORY_BYTES).peers(1).build()?;
    let row = DenseMatrix::<f64>::random(&scratch, hama::replace("row"), (1, n), SEED_A)?.to_ndarray()?;
    let col = DenseMatrix::<f64>::random(&scratch, hama::replace("col"), (n, 1), SEED_B)?.to_ndarray()?;
    let expected = row.dot(&col)[[0, 0]];
    let first = matrix.read(0..1, 0..1)?[[0, 0]];
    // Each of the two sums of n positive terms is within about n roundings of what is exact.
    Ok((first - expected).abs() <= 4.0 * n as f64 * f64::EPSILON * expected)
}
