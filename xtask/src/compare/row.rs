//! What a comparison finds: rows of a table and bars of a plot.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::rounds::Spread;

/// One figure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) what: String,
    /// Of which sizes, types and so on. Figures of the same thing share a line of the table.
    pub(crate) case: String,
    pub(crate) measured: Spread,
    /// What stands behind the number, with its space: nothing behind a ratio.
    pub(crate) unit: String,
    pub(crate) aim: Option<Aim>,
}

/// What a figure should be.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) enum Aim {
    AtMost(f64),
    AtLeast(f64),
}

/// A bar of the plot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Bar {
    pub(crate) panel: Panel,
    pub(crate) group: String,
    pub(crate) name: String,
    pub(crate) length: Spread,
}

/// The parts of the plot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Panel {
    /// Times from file to file, Hama's being 1.
    Files,
    /// Shares of the peak in memory, in per cent.
    Kernel,
}

/// What one comparison found.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Found {
    pub(crate) rows: Vec<Row>,
    pub(crate) bars: Vec<Bar>,
}

impl Found {
    /// A figure, where its candidates got through.
    pub(crate) fn figure(
        &mut self,
        (what, case): (&str, &str),
        measured: Option<Spread>,
        unit: &str,
        aim: Option<Aim>,
    ) {
        if let Some(measured) = measured {
            let [what, case, unit] = [what, case, unit].map(str::to_owned);
            self.rows.push(Row { what, case, measured, unit, aim });
        }
    }

    /// A bar, where its candidate got through.
    pub(crate) fn bar(&mut self, panel: Panel, group: &str, name: &str, length: Option<Spread>) {
        if let Some(length) = length {
            self.bars.push(Bar { panel, group: group.to_owned(), name: name.to_owned(), length });
        }
    }
}

impl Row {
    /// The figure with its unit, and the least and the most where these differ as printed.
    pub(crate) fn figure(&self) -> String {
        let Spread { median, min, max } = self.measured;
        let (middle, low, high) = (number(median), number(min), number(max));
        if low == high {
            return format!("{middle}{}", self.unit);
        }
        format!("{middle}{} ({low} to {high})", self.unit)
    }

    /// Whether it is what it should be.
    pub(crate) fn verdict(&self) -> &'static str {
        let met = match self.aim {
            None => return "",
            Some(Aim::AtMost(limit)) => self.measured.median <= limit,
            Some(Aim::AtLeast(limit)) => self.measured.median >= limit,
        };
        if met { ", met" } else { ", missed" }
    }

    /// What it should be, with its unit.
    pub(crate) fn aim(&self) -> Option<String> {
        self.aim.map(|aim| format!("{aim}{}", self.unit))
    }
}

impl fmt::Display for Aim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Aim::AtMost(limit) => write!(f, "at most {limit}"),
            Aim::AtLeast(limit) => write!(f, "at least {limit}"),
        }
    }
}

/// Three digits or so.
pub(crate) fn number(number: f64) -> String {
    let digits = match number.abs() {
        100.0.. => 0,
        10.0.. => 1,
        _ => 2,
    };
    // Near 1 a ratio needs one more.
    let digits = if (0.5..2.0).contains(&number) { 3 } else { digits };
    format!("{number:.digits$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(median: f64, aim: Aim) -> Row {
        let measured = Spread { median, min: 0.9, max: 12.34 };
        Row { what: "it".into(), case: "".into(), measured, unit: " ms".into(), aim: Some(aim) }
    }

    #[test]
    fn figures_are_short() {
        assert_eq!(row(1.0579, Aim::AtMost(1.0)).figure(), "1.058 ms (0.900 to 12.3)");
        let once = Row { measured: Spread::single(345.6), ..row(0.0, Aim::AtMost(1.0)) };
        assert_eq!(once.figure(), "346 ms");
        assert_eq!(number(5.271), "5.27");
        assert_eq!(number(-3.0), "-3.00");
    }

    #[test]
    fn an_aim_is_met_or_missed() {
        assert_eq!(row(1.08, Aim::AtMost(1.08)).aim().unwrap(), "at most 1.08 ms");
        assert_eq!(row(1.08, Aim::AtMost(1.08)).verdict(), ", met");
        assert_eq!(row(1.09, Aim::AtMost(1.08)).verdict(), ", missed");
        assert_eq!(row(5.0, Aim::AtLeast(5.0)).verdict(), ", met");
        assert_eq!(row(4.9, Aim::AtLeast(5.0)).verdict(), ", missed");
        assert_eq!(row(f64::NAN, Aim::AtMost(1.0)).verdict(), ", missed");
        assert_eq!(Row { aim: None, ..row(1.0, Aim::AtMost(1.0)) }.verdict(), "");
    }
}
