//! The bars of a run as an SVG.

use std::fmt::Write;

use super::row::{Bar, Panel, number};

const WIDTH: f64 = 760.0;
/// Where bars begin: names stand before it.
const LEFT: f64 = 220.0;
/// The longest bar: figures stand behind it.
const LONGEST: f64 = 380.0;
const LINE: f64 = 22.0;
const MARGIN: f64 = 20.0;

/// A page of panels, groups and bars, one below the other; `title` says of which machine.
pub(crate) fn svg(title: &str, bars: &[Bar]) -> String {
    let mut page = Page { y: MARGIN, body: String::new() };
    for (panel, heading, unit) in [
        (Panel::Files, "Files to a file: time, Hama = 1 (shorter is faster)", ""),
        (Panel::Kernel, "In memory: share of the multiply-add peak (longer is faster)", " %"),
    ] {
        let bars: Vec<&Bar> = bars.iter().filter(|bar| bar.panel == panel).collect();
        page.panel(heading, unit, &bars);
    }
    page.y += LINE;
    page.text(MARGIN, "start", "note", title);
    let height = page.y + MARGIN / 2.0;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height:.0}\" width=\"{WIDTH}\" \
         height=\"{height:.0}\" font-family=\"sans-serif\" font-size=\"13\">\n\
         <style>.heading {{ font-weight: bold }} .group {{ font-style: italic }} \
         .note {{ font-size: 11px; fill: #555 }}</style>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n{}</svg>\n",
        page.body
    )
}

struct Page {
    y: f64,
    body: String,
}

impl Page {
    fn panel(&mut self, heading: &str, unit: &str, bars: &[&Bar]) {
        let longest = bars.iter().map(|bar| bar.length.median).fold(0.0, f64::max);
        // Not a number is no length either.
        if !(longest > 0.0 && longest.is_finite()) {
            return;
        }
        self.y += LINE;
        self.text(MARGIN, "start", "heading", heading);
        let mut group = "";
        for bar in bars {
            if bar.group != group {
                group = &bar.group;
                self.y += LINE * 1.2;
                self.text(MARGIN, "start", "group", group);
            }
            self.bar(bar, LONGEST / longest, unit);
        }
        self.y += LINE / 2.0;
    }

    /// A bar as long as the median, with a line from the least to the most.
    fn bar(&mut self, bar: &Bar, scale: f64, unit: &str) {
        self.y += LINE;
        self.text(LEFT - 8.0, "end", "name", &bar.name);
        let colour = if bar.name == "Hama" { "#c2571a" } else { "#9aa7b4" };
        let (middle, length) = (self.y - 4.5, bar.length.median * scale);
        // One round that was held up shall not make all bars short.
        let end = |length: f64| LEFT + (length * scale).min(LONGEST * 1.15);
        let (low, high) = (end(bar.length.min), end(bar.length.max));
        // Writing to a string cannot fail.
        let _ = writeln!(
            self.body,
            "<rect x=\"{LEFT}\" y=\"{:.1}\" width=\"{length:.1}\" height=\"14\" fill=\"{colour}\"/>\n\
             <line x1=\"{low:.1}\" x2=\"{high:.1}\" y1=\"{middle:.1}\" y2=\"{middle:.1}\" stroke=\"black\"/>",
            middle - 7.0
        );
        let figure = format!("{}{unit}", number(bar.length.median));
        self.text(high + 8.0, "start", "figure", &figure);
    }

    /// A text on the line where we are.
    fn text(&mut self, x: f64, anchor: &str, class: &str, text: &str) {
        let text = text.replace('`', "").replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let _ = writeln!(
            self.body,
            "<text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\" class=\"{class}\">{text}</text>",
            self.y
        );
    }
}

#[cfg(test)]
mod tests {
    use super::super::rounds::Spread;
    use super::*;

    fn bar(panel: Panel, name: &str, median: f64) -> Bar {
        let length = Spread { median, min: median * 0.9, max: median * 1.1 };
        Bar { panel, group: "N = 8000, f64".into(), name: name.into(), length }
    }

    #[test]
    fn bars_are_as_long_as_their_figures() {
        let mut bars = [bar(Panel::Files, "Hama", 1.0), bar(Panel::Files, "a & b", 2.0)];
        bars[1].length.max = 100.0;
        let page = svg("a machine", &bars);
        assert!(page.starts_with("<svg ") && page.ends_with("</svg>\n"));
        assert!(page.contains(&format!("width=\"{:.1}\"", LONGEST / 2.0)));
        assert!(page.contains(&format!("width=\"{LONGEST:.1}\"")));
        assert!(page.contains(&format!("x2=\"{:.1}\"", LEFT + LONGEST * 1.15)));
        assert!(page.contains("a &amp; b") && page.contains("a machine"));
        assert_eq!(page.matches("N = 8000").count(), 1);
        assert!(!page.contains("In memory"), "a panel without bars");
    }

    #[test]
    fn a_page_without_bars_is_one_too() {
        assert!(svg("a machine", &[]).contains("</svg>"));
        assert!(!svg("a machine", &[bar(Panel::Kernel, "Hama", f64::NAN)]).contains("NaN"));
    }
}
