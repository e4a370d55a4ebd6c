//! `hama completions`: a script that completes the words of the command in a shell.

use std::fmt;

use clap::CommandFactory;
use clap_complete::Shell;
use hama::Error;
use serde::Serialize;

use super::failure::Failure;
use super::output::Output;
use super::{Cli, Global};

const EXAMPLES: &str = "\
Examples:
  hama completions bash > ~/.local/share/bash-completion/completions/hama
  hama completions zsh > \"${fpath[1]}/_hama\"
  hama completions fish > ~/.config/fish/completions/hama.fish";

/// Print a script that completes the words of this command in a shell
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Completions {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

#[derive(Serialize)]
struct CompletionsReport {
    shell: String,
    script: String,
}

impl Completions {
    pub(crate) fn run(self, _: &Global, output: &mut Output) -> Result<(), Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "hama", &mut script);
        let script = String::from_utf8(script)
            .map_err(|error| Error::internal("the script is no text").with_source(error))?;
        output.report(&CompletionsReport { shell: self.shell.to_string(), script })
    }
}

impl fmt::Display for CompletionsReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.script)
    }
}
