//! Lines whose parts stand below each other.

use std::fmt;

/// Writes lines of the same parts, each as wide as its widest, two spaces between; the last one ends where it ends.
pub(crate) fn write(f: &mut fmt::Formatter<'_>, lines: &[Vec<String>]) -> fmt::Result {
    let parts = lines.iter().map(Vec::len).max().unwrap_or_default();
    let width = |part: usize| {
        lines
            .iter()
            .filter_map(|line| line.get(part))
            .map(|text| text.chars().count())
            .max()
            .unwrap_or_default()
    };
    let widths: Vec<usize> = (0..parts).map(width).collect();
    for line in lines {
        let mut text = String::new();
        for (part, &width) in line.iter().zip(&widths) {
            text.push_str(&format!("{part:width$}  "));
        }
        writeln!(f, "{}", text.trim_end())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Lines(Vec<Vec<String>>);

    impl fmt::Display for Lines {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write(f, &self.0)
        }
    }

    #[test]
    fn parts_stand_below_each_other() {
        let line = |parts: &[&str]| parts.iter().map(|part| (*part).to_owned()).collect();
        let lines = Lines(vec![line(&["a", "long", "x"]), line(&["\u{e4}bc", "", ""]), line(&["b"])]);
        assert_eq!(lines.to_string(), "a    long  x\n\u{e4}bc\nb\n");
        assert_eq!(Lines(Vec::new()).to_string(), "");
    }
}
