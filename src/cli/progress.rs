//! Progress on standard error: a bar on a terminal, a line every few seconds elsewhere.

use std::fmt;
use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hama::Progress;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::Global;
use super::output::warn;
use super::size::Size;

const BAR_EVERY: Duration = Duration::from_millis(100);
const LINE_EVERY: Duration = Duration::from_secs(5);

/// How progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    // A bar on a terminal, lines elsewhere. (Documentation here would make the pages of help twice as long.)
    Auto,
    // A line every five seconds.
    Plain,
    // Nothing.
    None,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Auto => "auto",
            Kind::Plain => "plain",
            Kind::None => "none",
        })
    }
}

/// What a meter counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Floating-point operations.
    Flop,
    /// Bytes.
    Bytes,
}

/// What is being done, and how much of it there is.
#[derive(Clone, Debug)]
pub(crate) struct Task {
    pub(crate) label: String,
    pub(crate) total: u64,
    pub(crate) unit: Unit,
}

/// Shows how far a task is, until it is dropped.
pub(crate) struct Shown {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Shows how far `task` is by what `meter` counts from now on; with `-q`, `--json` and `--progress none` nothing is
/// shown.
pub(crate) fn show(global: &Global, task: Task, meter: Arc<Progress>) -> Shown {
    let Some(style) = style(global, std::io::stderr().is_terminal()) else {
        return Shown { stop: None, thread: None };
    };
    let (stop, stopped) = channel();
    let bar = if style == Style::Bar { bar(&task) } else { None };
    let thread = std::thread::Builder::new().name("progress".into()).spawn(move || {
        let (start, before) = (Instant::now(), meter.done());
        let every = if bar.is_some() { BAR_EVERY } else { LINE_EVERY };
        while stopped.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
            let done = meter.done().saturating_sub(before);
            let text = rate(&task, done, start.elapsed());
            match &bar {
                Some(bar) => {
                    bar.set_position(done.min(task.total));
                    bar.set_message(text);
                }
                None => warn(&format!("{} {}\n", task.label, text)),
            }
        }
        if let Some(bar) = bar {
            bar.finish_and_clear();
        }
    });
    Shown { stop: Some(stop), thread: thread.ok() }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    Bar,
    Lines,
}

fn style(global: &Global, terminal: bool) -> Option<Style> {
    match global.settings.progress.value {
        _ if global.quiet || global.json => None,
        Kind::None => None,
        // Log lines and a bar would write over each other.
        Kind::Auto if terminal && global.verbose == 0 => Some(Style::Bar),
        Kind::Auto | Kind::Plain => Some(Style::Lines),
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // Showing is all that it did.
            drop(thread.join());
        }
    }
}

fn bar(task: &Task) -> Option<ProgressBar> {
    let bar = ProgressBar::with_draw_target(Some(task.total), ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("{prefix} [{bar:30}] {msg}").ok()?.progress_chars("=> ");
    bar.set_style(style);
    bar.set_prefix(task.label.clone());
    if bar.is_hidden() { None } else { Some(bar) }
}

/// How much of a task is done, how fast, and how long it still takes at that rate.
fn rate(task: &Task, done: u64, elapsed: Duration) -> String {
    let seconds = elapsed.as_secs_f64().max(1e-9);
    let per_second = done as f64 / seconds;
    let share = 100.0 * done as f64 / task.total.max(1) as f64;
    let speed = match task.unit {
        Unit::Flop => format!("{:.1} GFLOP/s", per_second / 1e9),
        Unit::Bytes => format!("{}/s", Size(per_second as u64)),
    };
    let left = match done {
        0 => String::new(),
        _ => format!(", {} left", time(task.total.saturating_sub(done) as f64 / per_second)),
    };
    format!("{:3.0} %, {speed}{left}", share.min(100.0))
}

/// A time as people say it, such as `12 s` or `3 min 20 s`.
fn time(seconds: f64) -> String {
    let whole = seconds.ceil() as u64;
    match whole {
        0..60 => format!("{whole} s"),
        60..3600 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(unit: Unit) -> Task {
        Task { label: "multiplying".into(), total: 4_000_000_000, unit }
    }

    #[test]
    fn what_is_asked_for_is_what_is_shown() {
        let mut global = Global::default();
        let mut on_a_terminal = |kind| {
            global.settings.progress.value = kind;
            let elsewhere = style(&global, false);
            global.verbose = 1;
            let verbose = style(&global, true);
            global.verbose = 0;
            global.quiet = true;
            assert_eq!(style(&global, true), None);
            global.quiet = false;
            (style(&global, true), elsewhere, verbose)
        };
        let (bar, lines) = (Some(Style::Bar), Some(Style::Lines));
        assert_eq!(on_a_terminal(Kind::Auto), (bar, lines, lines));
        assert_eq!(on_a_terminal(Kind::Plain), (lines, lines, lines));
        assert_eq!(on_a_terminal(Kind::None), (None, None, None));
    }

    #[test]
    fn a_line_says_share_speed_and_time_left() {
        let second = Duration::from_secs(1);
        assert_eq!(rate(&task(Unit::Flop), 1_000_000_000, second), " 25 %, 1.0 GFLOP/s, 3 s left");
        assert_eq!(rate(&task(Unit::Bytes), 1 << 30, second), " 27 %, 1GiB/s, 3 s left");
        assert_eq!(rate(&task(Unit::Flop), 0, Duration::ZERO), "  0 %, 0.0 GFLOP/s");
        assert_eq!(rate(&task(Unit::Flop), u64::MAX, second), "100 %, 18446744073.7 GFLOP/s, 0 s left");
    }

    #[test]
    fn nothing_to_do_is_no_division_by_zero() {
        let nothing = Task { label: String::new(), total: 0, unit: Unit::Bytes };
        assert_eq!(rate(&nothing, 0, Duration::ZERO), "  0 %, 0B/s");
    }

    #[test]
    fn times_are_said_as_people_do() {
        assert_eq!(time(0.2), "1 s");
        assert_eq!(time(200.0), "3 min 20 s");
        assert_eq!(time(7260.0), "2 h 1 min");
    }
}
