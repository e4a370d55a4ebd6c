//! What was found, kept from run to run and written into the README.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::row::{Bar, Found, Row};

const BEGIN: &str = "<!-- cargo xtask compare: begin -->";
const END: &str = "<!-- cargo xtask compare: end -->";

/// The last findings of each comparison, on one machine.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Findings {
    pub(crate) machine: String,
    comparisons: BTreeMap<String, Finding>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Finding {
    date: String,
    /// The file of the raw output.
    raw: String,
    found: Found,
}

impl Findings {
    /// What the file holds of this machine; nothing where it is of another one or cannot be read.
    pub(crate) fn load(path: &Path, machine: &str) -> Findings {
        let text = fs::read_to_string(path).unwrap_or_default();
        let kept = serde_json::from_str(&text).ok().filter(|kept: &Findings| kept.machine == machine);
        kept.unwrap_or_else(|| Findings { machine: machine.to_owned(), ..Findings::default() })
    }

    pub(crate) fn save(&self, path: &Path) -> Result<(), String> {
        let text = serde_json::to_string_pretty(self).map_err(|error| error.to_string())?;
        fs::write(path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))
    }

    /// Replaces what was known of a comparison.
    pub(crate) fn put(&mut self, comparison: &str, date: &str, raw: &str, found: Found) {
        let finding = Finding { date: date.to_owned(), raw: raw.to_owned(), found };
        self.comparisons.insert(comparison.to_owned(), finding);
    }

    /// All bars, the comparisons in `order`.
    pub(crate) fn bars(&self, order: &[&str]) -> Vec<Bar> {
        self.in_order(order).flat_map(|finding| finding.found.bars.iter().cloned()).collect()
    }

    /// Everything as Markdown.
    pub(crate) fn table(&self, order: &[&str]) -> String {
        let mut raw: Vec<&str> = self.in_order(order).map(|finding| finding.raw.as_str()).collect();
        raw.sort_unstable();
        raw.dedup();
        let raw: Vec<String> = raw.iter().map(|raw| format!("[{raw}](benches/runs/{raw})")).collect();
        let mut dates: Vec<&str> = self.in_order(order).map(|finding| finding.date.as_str()).collect();
        dates.sort_unstable();
        dates.dedup();
        let mut table = format!(
            "{}, {}: median (least to most). Every ratio is of rounds in turns within one run; raw: {}.\n\n\
             | | measured | aim |\n|---|---|---|\n",
            self.machine,
            dates.join(", "),
            raw.join(", ")
        );
        for finding in self.in_order(order) {
            let mut things: Vec<&str> = Vec::new();
            for row in &finding.found.rows {
                if !things.contains(&row.what.as_str()) {
                    things.push(&row.what);
                }
            }
            for what in things {
                let rows = finding.found.rows.iter().filter(|row| row.what == what);
                table += &line(what, &rows.collect::<Vec<_>>());
            }
        }
        table
    }

    fn in_order<'a>(&'a self, order: &'a [&str]) -> impl Iterator<Item = &'a Finding> {
        order.iter().filter_map(|name| self.comparisons.get(*name))
    }
}

/// A line of the table: everything about one thing.
fn line(what: &str, rows: &[&Row]) -> String {
    let figures: Vec<String> =
        rows.iter().map(|row| format!("{}: {}{}", row.case, row.figure(), row.verdict())).collect();
    let mut aims: Vec<String> = rows.iter().filter_map(|row| row.aim()).collect();
    aims.dedup();
    format!("| {what} | {} | {} |\n", figures.join("<br>"), aims.join(", "))
}

/// `page` with `text` between the two marks.
pub(crate) fn between_marks(page: &str, text: &str) -> Result<String, String> {
    let lacks = || format!("the README lacks the lines {BEGIN} and {END}, between which the table belongs");
    let (before, rest) = page.split_once(BEGIN).ok_or_else(lacks)?;
    let (_, after) = rest.split_once(END).ok_or_else(lacks)?;
    Ok(format!("{before}{BEGIN}\n{}\n{END}{after}", text.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::super::rounds::Spread;
    use super::super::row::Aim;
    use super::*;

    fn found(what: &str) -> Found {
        let mut found = Found::default();
        let spread = Some(Spread { median: 0.8, min: 0.7, max: 0.9 });
        found.figure((what, "small"), spread, "", Some(Aim::AtMost(1.0)));
        found.figure(("other", "small"), spread, " s", None);
        found.figure((what, "large"), spread, "", Some(Aim::AtLeast(1.0)));
        found
    }

    #[test]
    fn a_table_can_be_written_again_and_again() {
        let page = format!("# Page\n\n{BEGIN}\nold\n{END}\n\nrest\n");
        let once = between_marks(&page, "new\n").unwrap();
        assert_eq!(once, format!("# Page\n\n{BEGIN}\nnew\n{END}\n\nrest\n"));
        assert_eq!(between_marks(&once, "new\n").unwrap(), once);
    }

    #[test]
    fn a_page_without_both_marks_is_an_error() {
        for page in ["nothing", BEGIN, END, &format!("{END}{BEGIN}")] {
            assert!(between_marks(page, "new").unwrap_err().contains("README"), "{page}");
        }
    }

    #[test]
    fn rows_stand_in_the_order_asked_for_and_the_last_run_of_each_counts() {
        let mut findings = Findings::load(Path::new("/nowhere/at/all"), "a machine");
        findings.put("files", "2026-11-20", "one.txt", found("old"));
        findings.put("files", "2026-11-21", "two.txt", found("second"));
        findings.put("kernel", "2026-11-21", "two.txt", found("first"));
        let table = findings.table(&["kernel", "files"]);
        let rows: Vec<&str> = table.lines().skip(4).collect();
        assert_eq!(
            rows,
            [
                "| first | small: 0.800 (0.700 to 0.900), met<br>large: 0.800 (0.700 to 0.900), missed \
                 | at most 1, at least 1 |",
                "| other | small: 0.800 s (0.700 to 0.900) |  |",
                "| second | small: 0.800 (0.700 to 0.900), met<br>large: 0.800 (0.700 to 0.900), missed \
                 | at most 1, at least 1 |",
                "| other | small: 0.800 s (0.700 to 0.900) |  |",
            ]
        );
        assert!(table.starts_with("a machine, 2026-11-21: median"));
        assert!(table.contains("[two.txt](benches/runs/two.txt)."));
    }

    #[test]
    fn findings_are_kept_for_the_same_machine() {
        let folder = std::env::temp_dir().join(format!("hama-findings-{}", std::process::id()));
        let mut findings = Findings::load(&folder, "a machine");
        findings.put("files", "2026-11-21", "one.txt", found("row"));
        findings.save(&folder).unwrap();
        assert_eq!(Findings::load(&folder, "a machine"), findings);
        assert_eq!(Findings::load(&folder, "another").comparisons.len(), 0);
        fs::write(&folder, "{").unwrap();
        assert_eq!(Findings::load(&folder, "a machine").comparisons.len(), 0);
        fs::remove_file(&folder).unwrap();
    }
}
