//! `hama matrix show --picture`: a matrix in a terminal, in colours where it has them, else in characters.

use std::fmt::{self, Write};
use std::io::IsTerminal;

use hama::{AnyMatrix, Magnitudes};
use serde::Serialize;
use terminal_size::{Height, Width, terminal_size};

use super::colour::{self, Rgb};
use super::failure::Failure;
use super::fitted::{cell_of, fitted, short};
use super::progress::{Task, Unit};
use super::session::Session;
use super::show::Number;

/// Where it is no terminal that says its size.
const WIDTH: u64 = 80;
const LINES: u64 = 40;
/// What stands around the picture.
const LINES_AROUND: u64 = 7;
/// Small matrices are drawn larger, by so much.
const ZOOM: u64 = 4;
/// From nothing to the largest; nothing is for 0 alone.
const CHARACTERS: &[u8; 10] = b" .:-=+*#%@";
/// Characters of the scale.
const SCALE: usize = 41;

#[derive(Serialize)]
pub(crate) struct PictureReport {
    name: String,
    rows: u64,
    cols: u64,
    dtype: &'static str,
    /// Of the largest |x|.
    cells: Vec<Vec<Number>>,
    largest: f64,
    nans: u64,
    infinities: u64,
    #[serde(skip)]
    drawn: (u64, u64),
    #[serde(skip)]
    colours: bool,
}

impl PictureReport {
    /// Reads the matrix and shrinks it to what the terminal has room for.
    pub(crate) fn of(session: &Session, matrix: &AnyMatrix) -> Result<PictureReport, Failure> {
        let colours = std::io::stdout().is_terminal() && has_colours(|name| std::env::var(name).ok());
        let (width, lines) = room();
        // A character is about twice as high as wide. In colours it shows two cells, one above the other.
        let (rows, cols) = matrix.shape();
        let drawn = match colours {
            true => fitted((rows, cols), (2 * lines, width), ZOOM),
            false => {
                let (high, wide) = fitted((rows, cols), (2 * lines, width), ZOOM);
                (high.div_ceil(2), wide)
            }
        };
        let total = matrix.stored_bytes();
        let label = format!("reading {}", matrix.name());
        let shown = session.show(Task { label, total, unit: Unit::Bytes });
        let found = match matrix {
            AnyMatrix::F64(matrix) => Magnitudes::of(matrix, drawn),
            AnyMatrix::F32(matrix) => Magnitudes::of(matrix, drawn),
        }?;
        drop(shown);
        let (high, wide) = found.shape();
        let cells = (0..high).map(|row| (0..wide).map(|col| found.cell(row, col).into()).collect()).collect();
        Ok(PictureReport {
            name: matrix.name().to_owned(),
            rows,
            cols,
            dtype: matrix.element().name(),
            cells,
            largest: found.largest,
            nans: found.nans,
            infinities: found.infinities,
            drawn,
            colours,
        })
    }

    fn shape(&self) -> (u64, u64) {
        (self.cells.len() as u64, self.cells.first().map_or(0, Vec::len) as u64)
    }

    /// What is drawn at a place.
    fn at(&self, row: u64, col: u64) -> f64 {
        let (rows, cols) = self.shape();
        let (row, col) = (row * rows / self.drawn.0, col * cols / self.drawn.1);
        self.cells[row as usize][col as usize].value()
    }

    fn colour(&self, magnitude: f64) -> u8 {
        colour::of_256(colour_of(magnitude, self.largest))
    }

    fn character(&self, magnitude: f64) -> char {
        match magnitude {
            x if x.is_nan() => 'N',
            x if x.is_infinite() => 'I',
            x => character(colour::share(x, self.largest)),
        }
    }

    /// The scale: what a share of the largest looks like.
    fn mark(&self, share: f64) -> String {
        if self.colours {
            format!("\x1b[48;5;{}m ", colour::of_256(colour::of_share(share)))
        } else {
            character(share).to_string()
        }
    }
}

fn colour_of(magnitude: f64, largest: f64) -> Rgb {
    match magnitude {
        x if x.is_nan() => colour::NAN,
        x if x.is_infinite() => colour::INFINITE,
        x => colour::of_share(colour::share(x, largest)),
    }
}

fn character(share: f64) -> char {
    let steps = CHARACTERS.len() - 1;
    let index = if share > 0.0 { 1 + ((share * steps as f64) as usize).min(steps - 1) } else { 0 };
    char::from(CHARACTERS[index])
}

/// Whether the terminal of these variables has 256 colours, and they are wanted (no-color.org).
fn has_colours(variable: impl Fn(&str) -> Option<String>) -> bool {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty());
    let term = set("TERM").unwrap_or_default();
    set("NO_COLOR").is_none() && (set("COLORTERM").is_some() || term.contains("256color"))
}

/// Columns and lines that there are for a picture.
fn room() -> (u64, u64) {
    match terminal_size() {
        Some((Width(width), Height(lines))) if std::io::stdout().is_terminal() => {
            (u64::from(width).max(1), u64::from(lines).saturating_sub(LINES_AROUND).max(4))
        }
        _ => (WIDTH, LINES),
    }
}

impl fmt::Display for PictureReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {} x {} {}\n", self.name, self.rows, self.cols, self.dtype)?;
        let (high, wide) = self.drawn;
        if self.colours {
            for row in (0..high).step_by(2) {
                for col in 0..wide {
                    write!(f, "\x1b[38;5;{}m", self.colour(self.at(row, col)))?;
                    if row + 1 < high {
                        write!(f, "\x1b[48;5;{}m", self.colour(self.at(row + 1, col)))?;
                    }
                    f.write_char('\u{2580}')?;
                }
                f.write_str("\x1b[0m\n")?;
            }
        } else {
            for row in 0..high {
                let line: String = (0..wide).map(|col| self.character(self.at(row, col))).collect();
                writeln!(f, "{}", line.trim_end())?;
            }
        }
        writeln!(f)?;
        for place in 0..SCALE {
            f.write_str(&self.mark(place as f64 / (SCALE - 1) as f64))?;
        }
        f.write_str(if self.colours { "\x1b[0m\n" } else { "\n" })?;
        let (middle, end) = (short(self.largest / 2.0), short(self.largest));
        writeln!(f, "0{middle:^width$}{end}", width = SCALE - 1 - end.len())?;
        write!(f, "{}", cell_of((self.rows, self.cols), self.shape()))?;
        for (count, what, mark, colour) in
            [(self.nans, "NaN", 'N', colour::NAN), (self.infinities, "infinite", 'I', colour::INFINITE)]
        {
            if count > 0 && self.colours {
                write!(f, "; \x1b[48;5;{}m \x1b[0m {count} {what}", colour::of_256(colour))?;
            } else if count > 0 {
                write!(f, "; {mark}: {count} {what}")?;
            }
        }
        writeln!(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(cells: Vec<Vec<f64>>, drawn: (u64, u64), colours: bool) -> PictureReport {
        let all = || cells.iter().flatten().copied();
        PictureReport {
            name: "a".into(),
            rows: 40,
            cols: 40,
            dtype: "f64",
            largest: all().filter(|x| x.is_finite()).fold(0.0, f64::max),
            nans: all().filter(|x| x.is_nan()).count() as u64,
            infinities: all().filter(|x| x.is_infinite()).count() as u64,
            cells: cells.into_iter().map(|row| row.into_iter().map(Number::from).collect()).collect(),
            drawn,
            colours,
        }
    }

    #[test]
    fn characters_where_there_are_no_colours() {
        let nan = f64::NAN;
        let text =
            picture(vec![vec![0.0, 2.0, 1e-9], vec![1.0, nan, f64::INFINITY]], (2, 6), false).to_string();
        let expected = "\
a: 40 x 40 f64

  @@..
++NNII

 ....::::-----====+++++****#####%%%%@@@@@
0                   1                   2
largest |x| of each 20 x 14 elements; N: 1 NaN; I: 1 infinite
";
        assert_eq!(text, expected);
    }

    #[test]
    fn half_blocks_where_there_are() {
        let text = picture(vec![vec![0.0], vec![1.0], vec![f64::NAN]], (3, 1), true).to_string();
        let zero = colour::of_256(colour::of_share(0.0));
        let one = colour::of_256(colour::of_share(1.0));
        let nan = colour::of_256(colour::NAN);
        assert!(text.contains(&format!("\x1b[38;5;{zero}m\x1b[48;5;{one}m\u{2580}\x1b[0m\n")), "{text:?}");
        assert!(text.contains(&format!("\n\x1b[38;5;{nan}m\u{2580}\x1b[0m\n")), "{text:?}");
    }

    #[test]
    fn nothing_but_zeros_and_nothing_finite() {
        assert!(picture(vec![vec![0.0]], (2, 2), false).to_string().contains("\n0                   0  "));
        let text = picture(vec![vec![f64::NAN]], (1, 2), false).to_string();
        assert!(text.contains("\nNN\n") && text.contains("N: 1 NaN"), "{text}");
    }

    #[test]
    fn colours_are_for_terminals_that_have_them() {
        let has = |variables: &[(&str, &str)]| {
            let variables: Vec<(String, String)> =
                variables.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
            has_colours(|wanted| {
                variables.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.clone())
            })
        };
        assert!(has(&[("TERM", "xterm-256color")]) && has(&[("TERM", "xterm"), ("COLORTERM", "truecolor")]));
        assert!(has(&[("TERM", "screen-256color"), ("NO_COLOR", "")]));
        assert!(!has(&[("TERM", "xterm")]) && !has(&[]));
        assert!(!has(&[("TERM", "xterm-256color"), ("NO_COLOR", "1")]));
    }
}
