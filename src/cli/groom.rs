//! `hama groom`: the GroomServers of a cluster, one on each host.

mod drain;
mod list;
mod run;

use super::Global;
use super::failure::Failure;
use super::master::before_a_verb;
use super::output::Output;

const EXAMPLES: &str = "\
Examples:
  hama groom --master localhost:7070 --zookeeper localhost:2181 --dir /var/lib/hama/groom   run one, here
  hama groom list --master localhost:7070                                                   which there are
  hama groom drain dn1 --stop --master localhost:7070                                       end one

`hama groom` alone is `hama groom run`, whose help has more. It runs until Ctrl-C or SIGTERM; its peers end with it.";

/// Run a groom, which runs the peers on its host, or look at those that there are
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Groom {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    run: run::Run,
}

#[derive(clap::Subcommand)]
pub(crate) enum Verb {
    Run(run::Run),
    List(list::List),
    Drain(drain::Drain),
}

impl Groom {
    pub(crate) fn name(&self) -> &'static str {
        match self.verb {
            None | Some(Verb::Run(_)) => "groom run",
            Some(Verb::List(_)) => "groom list",
            Some(Verb::Drain(_)) => "groom drain",
        }
    }

    pub(crate) fn run(self, global: &Global, output: &mut Output) -> Result<(), Failure> {
        match self.verb {
            None => self.run.run(global, output),
            Some(_) if !self.run.is_empty() => Err(before_a_verb("groom")),
            Some(Verb::Run(verb)) => verb.run(global, output),
            Some(Verb::List(verb)) => verb.run(global, output),
            Some(Verb::Drain(verb)) => verb.run(global, output),
        }
    }
}
