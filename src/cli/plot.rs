//! `hama matrix plot`: a picture of a matrix in a PNG file.

mod canvas;
mod drawing;

use std::fmt;
use std::path::{Path, PathBuf};

use hama::files::NewFile;
use hama::{AnyMatrix, Error, Magnitudes};
use serde::Serialize;

use super::Global;
use super::failure::Failure;
use super::output::Output;
use super::progress::{Task, Unit};
use super::session::{Session, new_file, taken};
use super::size::Size;
use canvas::Canvas;
use drawing::{Drawing, Layout};

const EXAMPLES: &str = "\
Examples:
  hama matrix plot c -o c.png
  hama matrix plot c -o c.png --width 2000 --height 1600 --replace

Each point shows the largest |x| of the elements that it stands for, so that nothing large is lost.
The scale goes from 0 to the largest |x|; NaN (red) and infinite elements (magenta) have colours of
their own. `hama matrix show NAME --picture` does the same in a terminal.";

/// Write a picture of a matrix, as a PNG file
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Plot {
    /// The matrix
    name: String,
    /// The PNG file
    #[arg(short, long, value_name = "FILE.png")]
    output: PathBuf,
    /// How wide the picture is, in pixels
    #[arg(long, value_name = "PIXELS", allow_hyphen_values = true, value_parser = side, default_value_t = 1000)]
    width: u64,
    /// How high it is
    #[arg(long, value_name = "PIXELS", allow_hyphen_values = true, value_parser = side, default_value_t = 800)]
    height: u64,
    /// Replace the file
    #[arg(long)]
    replace: bool,
}

#[derive(Serialize)]
struct PlotReport {
    file: String,
    bytes: u64,
    width: u64,
    height: u64,
    /// Rows and columns of cells.
    cells: (u64, u64),
    largest: f64,
    nans: u64,
    infinities: u64,
}

/// Reads a number of pixels.
fn side(text: &str) -> hama::Result<u64> {
    const SIDES: std::ops::RangeInclusive<u64> = 200..=4096;
    let count = super::count::count::<u64>(text)?;
    if SIDES.contains(&count) {
        return Ok(count);
    }
    let (least, most) = (SIDES.start(), SIDES.end());
    Err(Error::invalid(format!("cannot draw {count} pixels: {least} to {most} are possible")))
}

impl Plot {
    pub(crate) fn run(self, global: &Global, output: &mut Output) -> Result<(), Failure> {
        check_name(&self.output)?;
        let session = Session::open_for(global, [self.name.as_str()], None, |builder| builder)?;
        let matrix = session.matrix(&self.name)?;
        // Before the matrix is read.
        let file = NewFile::beside(&self.output, new_file(global, self.replace)).map_err(taken)?;
        let layout = Layout::of(matrix.shape(), (self.height, self.width));
        let label = format!("reading {}", self.name);
        let shown = session.show(Task { label, total: matrix.stored_bytes(), unit: Unit::Bytes });
        let found = match &matrix {
            AnyMatrix::F64(matrix) => Magnitudes::of(matrix, layout.box_size()),
            AnyMatrix::F32(matrix) => Magnitudes::of(matrix, layout.box_size()),
        }?;
        drop(shown);
        let mut canvas = Canvas::new(session.hama.pool(), self.width as usize, self.height as usize)?;
        let title =
            format!("{}: {} x {} {}", self.name, matrix.shape().0, matrix.shape().1, matrix.element().name());
        Drawing { layout: &layout, found: &found, shape: matrix.shape(), title }.draw(&mut canvas);
        canvas
            .write_png(file.file())
            .map_err(|error| Error::io(format!("cannot write {}", self.output.display()), error))?;
        session.cancel.check()?;
        let bytes = file.publish().map_err(taken)?;
        tracing::info!(table = self.name, file = %self.output.display(), bytes, "plotted");
        output.report(&PlotReport {
            file: self.output.display().to_string(),
            bytes,
            width: self.width,
            height: self.height,
            cells: found.shape(),
            largest: found.largest,
            nans: found.nans,
            infinities: found.infinities,
        })
    }
}

/// Checks that the file's name promises no other form.
fn check_name(path: &Path) -> hama::Result<()> {
    names_a_file(path)?;
    match path.extension() {
        Some(suffix) if !suffix.eq_ignore_ascii_case("png") => Err(Error::invalid(format!(
            "cannot write {}: pictures are written as .png, not as .{}",
            path.display(),
            suffix.display()
        ))),
        _ => Ok(()),
    }
}

/// Checks that a path can be that of a file.
///
/// # Errors
/// `Invalid` for `-` and the like.
fn names_a_file(path: &Path) -> hama::Result<()> {
    if path.as_os_str() == "-" || path.file_name().is_none() {
        return Err(Error::invalid(format!(
            "cannot write {}: it names no file; standard output is none either",
            path.display()
        )));
    }
    Ok(())
}

impl fmt::Display for PlotReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PlotReport { file, width, height, bytes, nans, infinities, .. } = self;
        write!(f, "{file}: {width} x {height} pixels, {}", Size(*bytes))?;
        if nans + infinities > 0 {
            write!(f, "; elements that are NaN: {nans}, infinite: {infinities}")?;
        }
        writeln!(f)
    }
}
