//! `hama job`: the jobs of a cluster.

mod kill;
mod line;
mod list;
mod logs;
mod name;
mod show;
mod submit;
mod wait;

use super::Global;
use super::failure::Failure;
use super::output::Output;
pub(crate) use line::ended;

pub(crate) const EXAMPLES: &str = "\
Examples:
  hama job submit --master localhost:7070 ./pi 1000000   run a program of your own there
  hama job list --master localhost:7070                  what runs, what waits, what has ended
  hama job show 67e5                                     one of them, by the beginning of its id
  hama job logs 67e5 --peer 0                            the last that its peers printed
  hama job wait 67e5 && echo done                        ends when it does, as it does
  hama job kill 67e5

`hama job VERB --help` has more of each.";

#[derive(clap::Subcommand)]
pub(crate) enum Job {
    Submit(submit::Submit),
    List(list::List),
    Show(show::Show),
    Logs(logs::Logs),
    Wait(wait::Wait),
    Kill(kill::Kill),
}

impl Job {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Job::Submit(_) => "job submit",
            Job::List(_) => "job list",
            Job::Show(_) => "job show",
            Job::Logs(_) => "job logs",
            Job::Wait(_) => "job wait",
            Job::Kill(_) => "job kill",
        }
    }

    pub(crate) fn run(self, global: &Global, output: &mut Output) -> Result<(), Failure> {
        match self {
            Job::Submit(verb) => verb.run(global, output),
            Job::List(verb) => verb.run(global, output),
            Job::Show(verb) => verb.run(global, output),
            Job::Logs(verb) => verb.run(global, output),
            Job::Wait(verb) => verb.run(global, output),
            Job::Kill(verb) => verb.run(global, output),
        }
    }
}
