//! `hama master`: the BSPMaster of a cluster.

mod run;
mod status;

use hama::Error;

use super::Global;
use super::failure::Failure;
use super::output::Output;

const EXAMPLES: &str = "\
Examples:
  hama master --zookeeper localhost:2181 --dir /var/lib/hama/master      run one, for this machine alone
  hama master --listen 0.0.0.0:7070 --insecure-network --token-file token --zookeeper z1,z2,z3 --dir d
  hama master status --master localhost:7070                             how it is

`hama master` alone is `hama master run`, whose help has more. It runs until Ctrl-C or SIGTERM; after a restart it
knows all jobs again. Grooms join with `hama groom`, in any order.";

/// Run the master of a cluster, or look at it
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Master {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    run: run::Run,
}

#[derive(clap::Subcommand)]
pub(crate) enum Verb {
    Run(run::Run),
    Status(status::Status),
}

impl Master {
    pub(crate) fn name(&self) -> &'static str {
        match self.verb {
            None | Some(Verb::Run(_)) => "master run",
            Some(Verb::Status(_)) => "master status",
        }
    }

    pub(crate) fn run(self, global: &Global, output: &mut Output) -> Result<(), Failure> {
        match self.verb {
            None => self.run.run(global, output),
            Some(_) if !self.run.is_empty() => Err(before_a_verb("master")),
            Some(Verb::Run(verb)) => verb.run(global, output),
            Some(Verb::Status(verb)) => verb.run(global, output),
        }
    }
}

/// The failure of `hama master --dir d status`, whose options nobody would heed.
pub(crate) fn before_a_verb(daemon: &str) -> Failure {
    let why = format!("the options of `hama {daemon} run` stand after `run`, and no other verb has them");
    Failure::from(Error::invalid(why)).or_try(format!("hama {daemon} --help"))
}
