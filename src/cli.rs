//! The command line: what may be typed, and which verb answers.

mod analysis;
mod annotate;
mod bench;
mod blocking;
mod check;
mod cluster;
mod colour;
mod columns;
mod completions;
mod config;
mod copy;
mod count;
mod daemon;
mod date;
mod demo;
mod diff;
mod doctor;
mod export;
mod failure;
mod fitted;
mod full;
mod gc;
mod global;
mod groom;
mod history;
mod import;
mod info;
mod interrupt;
mod job;
mod limits;
mod list;
mod locations;
mod log;
mod made;
mod man;
mod master;
mod misplaced;
mod multiply;
mod names;
mod output;
mod path;
mod picture;
mod plot;
mod progress;
mod random;
mod rates;
mod remove;
mod resident;
mod saved_plan;
mod seconds;
mod session;
mod settings;
mod show;
mod size;
mod span;
mod spill;
mod update;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use hama::table::store::set_hdfs_options;

use failure::Failure;
pub(crate) use global::{Global, Survives};
use output::Output;
use settings::Settings;

const EXAMPLES: &str = "\
Examples:
  hama demo                                              see all of it work, in ./hama-data
  hama matrix random a --rows 4000 --cols 2000           make a matrix
  hama matrix multiply a b --output c --verify           multiply two
  hama matrix --help                                     everything that can be done with a matrix
  hama bench probe                                       measure this machine, for better plans
  hama config show                                       what is set, and where
  hama groom list --master HOST:PORT                     the grooms of a cluster (and `hama job list`)

Exit status: 0 done, 1 failed, 2 wrong use, 3 exists or conflict, 4 unreachable,
5 damaged, different or not verified, 130 interrupted.";

const MATRIX_EXAMPLES: &str = "\
Examples:
  hama matrix random a --rows 4000 --cols 2000           make one
  hama matrix import mine.npy mine                       or bring one
  hama matrix multiply ./a.npy ./b.npy --output ./c.npy  or use files as they are
  hama matrix multiply a mine --transpose-a --output c   multiply
  hama matrix show c --rows 0..5 --cols 0..5             look at a corner
  hama matrix export c c.npy                             take it elsewhere

`hama matrix VERB --help` has more of each.";

const CONFIG_EXAMPLES: &str = "\
Example:
  hama config show";

const BENCH_EXAMPLES: &str = "\
Examples:
  hama bench probe                                       measure this machine; plans go by it from then on
  hama bench multiply --sizes 1000,2000,4000             how fast products are, and what of that is the kernel

Both compute on all cores for a while: let nothing else run. What they write lies in a folder of its own in
that of the store (--store) and goes when they end; they need no store. `hama bench VERB --help` has more of
each.";

/// Columns of help, however wide a terminal is.
const WIDTH_MAX: usize = 110;

/// Multiplies matrices that are larger than memory, in tables that others can open.
#[derive(Parser)]
#[command(name = "hama", version, max_term_width = WIDTH_MAX, after_help = EXAMPLES)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make, multiply, look at and exchange matrices
    #[command(subcommand, after_help = MATRIX_EXAMPLES)]
    Matrix(Matrix),
    Demo(demo::Demo),
    /// Measure this machine, and how fast products are on it
    #[command(subcommand, after_help = BENCH_EXAMPLES)]
    Bench(Bench),
    /// What holds for every command, and where it is set
    #[command(subcommand, after_help = CONFIG_EXAMPLES)]
    Config(Config),
    /// Submit, list, look at, wait for and end the jobs of a cluster
    #[command(subcommand, after_help = job::EXAMPLES)]
    Job(job::Job),
    Groom(groom::Groom),
    Master(master::Master),
    Doctor(doctor::Doctor),
    Completions(completions::Completions),
    Man(man::Man),
}

#[derive(Subcommand)]
enum Config {
    Show(config::Show),
}

#[derive(Subcommand)]
enum Bench {
    Probe(bench::probe::Probe),
    Multiply(bench::multiply::Multiply),
}

#[derive(Subcommand)]
enum Matrix {
    Random(random::Random),
    Full(full::Full),
    Ones(full::Ones),
    Multiply(Box<multiply::Multiply>),
    Blocking(blocking::Blocking),
    List(list::List),
    Info(info::Info),
    Show(show::Show),
    Plot(plot::Plot),
    Path(path::Path),
    Import(import::Import),
    Export(export::Export),
    Update(update::Update),
    History(history::History),
    Restore(history::Restore),
    Annotate(annotate::Annotate),
    Label(annotate::Label),
    Check(check::Check),
    Diff(diff::Diff),
    Copy(copy::Copy),
    Rename(copy::Rename),
    Remove(remove::Remove),
    Gc(gc::Gc),
}

/// Reads the command line, runs what it says, and ends with its exit status.
pub(crate) fn main() -> ExitCode {
    limits::are_told();
    let arguments: Vec<OsString> = std::env::args_os().collect();
    // A command line that cannot be read is answered in the form that it asks for, as far as one can tell.
    let json = arguments
        .iter()
        .skip(1)
        .take_while(|argument| *argument != "--")
        .any(|argument| argument == "--json");
    match Cli::try_parse_from(&arguments).map_err(misplaced::hinted) {
        Ok(Cli { mut global, command }) => {
            log::start(&global);
            let mut output = Output::new(command.name(), global.json);
            if command.has_settings() {
                match Settings::load(&global) {
                    Ok(settings) => global.settings = settings,
                    Err(error) => return output.end(Err(error.into())),
                }
                if let Err(error) = set_hdfs_options(global.settings.hdfs()) {
                    return output.end(Err(error.into()));
                }
            }
            let outcome = command.run(&global, &mut output);
            output.end(outcome)
        }
        Err(error) if json && error.use_stderr() => {
            Output::of_no_command().end(Err(Failure::of_usage(&error)))
        }
        Err(error) => output::usage(&error),
    }
}

impl Command {
    /// Whether settings matter: what prints help does so wherever it is.
    fn has_settings(&self) -> bool {
        !matches!(self, Command::Completions(_) | Command::Man(_))
    }

    fn name(&self) -> &'static str {
        match self {
            Command::Demo(_) => "demo",
            Command::Bench(Bench::Probe(_)) => "bench probe",
            Command::Bench(Bench::Multiply(_)) => "bench multiply",
            Command::Completions(_) => "completions",
            Command::Config(Config::Show(_)) => "config show",
            Command::Doctor(_) => "doctor",
            Command::Job(verb) => verb.name(),
            Command::Groom(verb) => verb.name(),
            Command::Master(verb) => verb.name(),
            Command::Man(_) => "man",
            Command::Matrix(verb) => match verb {
                Matrix::Random(_) => "matrix random",
                Matrix::Multiply(_) => "matrix multiply",
                Matrix::Blocking(_) => "matrix blocking",
                Matrix::List(_) => "matrix list",
                Matrix::Info(_) => "matrix info",
                Matrix::Show(_) => "matrix show",
                Matrix::Plot(_) => "matrix plot",
                Matrix::Path(_) => "matrix path",
                Matrix::Import(_) => "matrix import",
                Matrix::Export(_) => "matrix export",
                Matrix::Update(_) => "matrix update",
                Matrix::History(_) => "matrix history",
                Matrix::Restore(_) => "matrix restore",
                Matrix::Annotate(_) => "matrix annotate",
                Matrix::Label(_) => "matrix label",
                Matrix::Copy(_) => "matrix copy",
                Matrix::Rename(_) => "matrix rename",
                Matrix::Gc(_) => "matrix gc",
                Matrix::Full(_) => "matrix full",
                Matrix::Ones(_) => "matrix ones",
                Matrix::Check(_) => "matrix check",
                Matrix::Diff(_) => "matrix diff",
                Matrix::Remove(_) => "matrix remove",
            },
        }
    }

    fn run(self, global: &Global, output: &mut Output) -> Result<(), Failure> {
        match self {
            Command::Demo(demo) => demo.run(global, output),
            Command::Bench(Bench::Probe(verb)) => verb.run(global, output),
            Command::Bench(Bench::Multiply(verb)) => verb.run(global, output),
            Command::Completions(verb) => verb.run(global, output),
            Command::Config(Config::Show(verb)) => verb.run(global, output),
            Command::Doctor(verb) => verb.run(global, output),
            Command::Job(verb) => verb.run(global, output),
            Command::Groom(verb) => verb.run(global, output),
            Command::Master(verb) => verb.run(global, output),
            Command::Man(verb) => verb.run(global, output),
            Command::Matrix(verb) => match verb {
                Matrix::Random(verb) => verb.run(global, output),
                Matrix::Multiply(verb) => verb.run(global, output),
                Matrix::Blocking(verb) => verb.run(global, output),
                Matrix::List(verb) => verb.run(global, output),
                Matrix::Info(verb) => verb.run(global, output),
                Matrix::Show(verb) => verb.run(global, output),
                Matrix::Plot(verb) => verb.run(global, output),
                Matrix::Path(verb) => verb.run(global, output),
                Matrix::Import(verb) => verb.run(global, output),
                Matrix::Export(verb) => verb.run(global, output),
                Matrix::Update(verb) => verb.run(global, output),
                Matrix::History(verb) => verb.run(global, output),
                Matrix::Restore(verb) => verb.run(global, output),
                Matrix::Annotate(verb) => verb.run(global, output),
                Matrix::Label(verb) => verb.run(global, output),
                Matrix::Copy(verb) => verb.run(global, output),
                Matrix::Rename(verb) => verb.run(global, output),
                Matrix::Gc(verb) => verb.run(global, output),
                Matrix::Full(verb) => verb.run(global, output),
                Matrix::Ones(verb) => verb.run(global, output),
                Matrix::Check(verb) => verb.run(global, output),
                Matrix::Diff(verb) => verb.run(global, output),
                Matrix::Remove(verb) => verb.run(global, output),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    /// The lines that `--help` says of its own, by command.
    fn after_helps(command: &clap::Command, found: &mut Vec<(String, String)>) {
        let name = command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned();
        let text = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        found.push((name, text));
        command.get_subcommands().for_each(|verb| after_helps(verb, found));
    }

    #[test]
    fn every_help_has_examples_and_they_fit() {
        let mut command = Cli::command().disable_help_subcommand(true);
        command.build();
        let mut found = Vec::new();
        after_helps(&command, &mut found);
        assert!(found.len() > 20, "{found:?}");
        for (name, text) in found {
            assert!(text.starts_with("Example"), "hama help of {name} has no examples: {text:?}");
            let words = name.replace('-', " ");
            assert!(name == "hama" || text.contains(&words) || text.contains(&name), "{name}: {text}");
            let examples = text.lines().skip(1).take_while(|line| !line.is_empty());
            let long = examples.into_iter().find(|line| line.chars().count() > WIDTH_MAX);
            assert!(long.is_none(), "{name}: {long:?}");
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
