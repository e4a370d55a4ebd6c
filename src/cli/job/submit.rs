//! `hama job submit`: a program of the user's own, as the client of a job.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use hama::table::store::peer_environment;
use hama::{ClusterRunner, Error};
use serde::Serialize;

use crate::cli::Global;
use crate::cli::cluster::{away, connect, options};
use crate::cli::failure::Failure;
use crate::cli::output::Output;

const EXAMPLES: &str = "\
Examples:
  hama job submit --master localhost:7070 ./target/release/examples/pi 1000000
  HAMA_MASTER=localhost:7070 hama job submit ./mine --its-own-option
  hama job submit --detach hama matrix multiply a b --output c     goes on when you log out

BINARY runs here, as the client, with HAMA_MASTER and HAMA_TOKEN_FILE set, which `ConnectOptions::from_env()` reads;
the peers run it too, on the cluster: its `main` begins with `hama::peer_main(..)`. What it prints, and its exit
status, are its own, and so are all options after it: those of `hama` stand before it.

With --detach it runs on a host of the cluster as a job of its own, whose id is printed: in a folder that goes with it,
with the variables HAMA_* of this shell but no other and no hama.toml, so paths and the store have to be what the
cluster's hosts know. That job takes no slot, and ends as BINARY ends; `hama job logs` has the last that it printed.";

/// Run a program of your own as the client of a job
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Submit {
    /// Run BINARY on the cluster too, print the id of its job, and end
    #[arg(long)]
    detach: bool,
    /// The program, a path or a name in $PATH, and what it is told
    #[arg(
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "BINARY [ARGS]"
    )]
    command: Vec<OsString>,
}

impl Submit {
    pub(super) fn run(self, global: &Global, output: &mut Output) -> Result<(), Failure> {
        let mut words = self.command.into_iter();
        let binary = PathBuf::from(words.next().unwrap_or_default());
        if binary.as_os_str().as_bytes().starts_with(b"-") {
            let why =
                format!("cannot run {}: it is no option that stands before a program", binary.display());
            return Err(Failure::from(Error::invalid(why)).or_try("hama job submit --help"));
        }
        let options = options(global)?;
        if self.detach {
            let runner = ClusterRunner::connect(&options).map_err(away)?;
            let job = runner.submit_client(&found(&binary), words, &passed_on(variables()))?;
            return output.report(&SubmitReport { job: job.to_string() });
        }
        // Of a master that is away it is told here, whatever the program would make of it.
        drop(connect(global)?);
        let mut command = Command::new(&binary);
        command.args(words).env("HAMA_MASTER", options.master);
        match options.token_file {
            Some(file) => command.env("HAMA_TOKEN_FILE", file),
            None => command.env_remove("HAMA_TOKEN_FILE"),
        };
        // This process becomes that one: its signals and its exit status need nobody who passes them on.
        let error = command.exec();
        let failure = Failure::from(Error::io(format!("cannot run {}", binary.display()), error));
        if !binary.as_os_str().as_bytes().contains(&b'/') && binary.is_file() {
            return Err(failure.or_try(format!("./{}", binary.display())));
        }
        Err(failure)
    }
}

#[derive(Serialize)]
struct SubmitReport {
    job: String,
}

impl fmt::Display for SubmitReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.job)
    }
}

/// The file of a program that is named as shells name it.
fn found(binary: &Path) -> PathBuf {
    if binary.as_os_str().as_bytes().contains(&b'/') {
        return binary.to_owned();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut files = std::env::split_paths(&path).map(|folder| folder.join(binary));
    files.find(|file| file.is_file()).unwrap_or_else(|| binary.to_owned())
}

/// The variables that are text.
fn variables() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

/// What of the environment goes with it: what is said to hama, but for what is another there.
fn passed_on(environment: impl IntoIterator<Item = (String, String)>) -> BTreeMap<String, String> {
    let is_said = |name: &str| {
        name.starts_with("HAMA_") && !["HAMA_MASTER", "HAMA_TOKEN_FILE", "HAMA_HOST"].contains(&name)
    };
    let said = environment.into_iter().filter(|(name, _)| is_said(name));
    said.chain(peer_environment()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_to_hama_goes_with_it() {
        let of = |name: &str| (name.to_owned(), "x".to_owned());
        let passed = passed_on(["HAMA_STORE", "HAMA_MASTER", "HAMA_TOKEN_FILE", "SECRET"].map(of));
        assert_eq!(passed["HAMA_STORE"], "x");
        for kept in ["HAMA_MASTER", "HAMA_TOKEN_FILE", "SECRET"] {
            assert!(!passed.contains_key(kept), "{kept}");
        }
    }

    #[test]
    fn programs_are_found_as_shells_find_them() {
        assert!(found(Path::new("sh")).is_absolute());
        for as_it_is in ["./mine", "there is no such program"] {
            assert_eq!(found(Path::new(as_it_is)), Path::new(as_it_is));
        }
    }
}
