//! Verbs typed in the wrong place, such as `hama list` for `hama matrix list`.

use clap::Subcommand;
use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, Error};

use super::job::Job;
use super::{Bench, Command, Config, Matrix, groom, master};

/// The same error, with the line that was meant where the verb is one elsewhere.
pub(crate) fn hinted(mut error: Error) -> Error {
    let Some(ContextValue::String(verb)) = error.get(ContextKind::InvalidSubcommand) else { return error };
    let line = if Matrix::has_subcommand(verb) {
        format!("hama matrix {verb}")
    } else if Bench::has_subcommand(verb) {
        format!("hama bench {verb}")
    } else if Job::has_subcommand(verb) {
        format!("hama job {verb}")
    } else if groom::Verb::has_subcommand(verb) {
        format!("hama groom {verb}")
    } else if master::Verb::has_subcommand(verb) {
        format!("hama master {verb}")
    } else if Config::has_subcommand(verb) {
        format!("hama config {verb}")
    } else if Command::has_subcommand(verb) {
        format!("hama {verb}")
    } else {
        return error;
    };
    error.remove(ContextKind::SuggestedSubcommand);
    let tip = StyledStr::from(format!("try `{line}`"));
    error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip]));
    error
}
