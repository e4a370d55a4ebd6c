//! The options that every command has.

use std::fmt;
use std::path::PathBuf;

use hama::Host;
use hama::table::store::Durability;
use serde::Deserialize;

use super::progress::Kind;
use super::seconds::Seconds;
use super::settings::Settings;
use super::size::Size;

/// The options that every verb has, before it and after it.
#[derive(clap::Args, Default)]
pub(crate) struct Global {
    /// Where the tables lie: a folder, or a URL such as hdfs://namenode:8020/hama [default: ./hama-data]
    #[arg(long, global = true, value_name = "URL", help_heading = "Options of every command")]
    pub(crate) store: Option<String>,
    /// The most memory to use, such as 2GiB or 512MiB [default: a quarter of what this machine has]
    #[arg(
        long,
        global = true,
        value_name = "SIZE",
        allow_hyphen_values = true,
        help_heading = "Options of every command"
    )]
    pub(crate) memory: Option<Size>,
    /// How progress is shown: as a bar or in lines (auto), in lines (plain), or none [default: auto]
    #[arg(
        long,
        global = true,
        value_name = "HOW",
        value_enum,
        hide_possible_values = true,
        help_heading = "Options of every command"
    )]
    pub(crate) progress: Option<Kind>,
    /// What survives a power loss: all that is written (full), or perhaps nothing (none) [default: full]
    #[arg(
        long,
        global = true,
        value_name = "WHAT",
        value_enum,
        hide_possible_values = true,
        help_heading = "Options of every command"
    )]
    pub(crate) durability: Option<Survives>,
    /// Where files are converted in that cannot be read or written in place [default: $TMPDIR, else /var/tmp]
    #[arg(long, global = true, value_name = "DIR", help_heading = "Options of every command")]
    pub(crate) spill_dir: Option<PathBuf>,
    /// How long HDFS may take to answer, in seconds [default: 30]
    #[arg(
        long,
        global = true,
        value_name = "SECONDS",
        allow_hyphen_values = true,
        help_heading = "Options of every command"
    )]
    pub(crate) timeout: Option<Seconds>,
    /// How many DataNodes hold each file that is written to HDFS [default: what the NameNode says]
    #[arg(long, global = true, value_name = "COUNT", help_heading = "Options of every command")]
    pub(crate) replication: Option<u16>,
    /// HOST:PORT of the web server of the NameNode [default: what Hadoop's configuration says]
    #[arg(long, global = true, value_name = "ADDRESS", help_heading = "Options of every command")]
    pub(crate) webhdfs: Option<String>,
    /// The host that this is, by the name that the store knows it by [default: localhost]
    #[arg(long, global = true, value_name = "NAME", help_heading = "Options of every command")]
    pub(crate) host: Option<Host>,
    /// HOST:PORT of the master of the cluster that is looked at, told what to do, or joined
    #[arg(long, global = true, value_name = "ADDRESS", help_heading = "Options of every command")]
    pub(crate) master: Option<String>,
    /// The file with the cluster's token, which nobody else may read
    #[arg(long, global = true, value_name = "FILE", help_heading = "Options of every command")]
    pub(crate) token_file: Option<PathBuf>,
    /// Answer with one JSON document on standard output, errors too
    #[arg(long, global = true, help_heading = "Options of every command")]
    pub(crate) json: bool,
    /// No progress, and no warnings
    #[arg(short, long, global = true, conflicts_with = "verbose", help_heading = "Options of every command")]
    pub(crate) quiet: bool,
    /// Say on standard error what is done; twice for every superstep
    #[arg(short, long, global = true, action = clap::ArgAction::Count, help_heading = "Options of every command")]
    pub(crate) verbose: u8,
    /// What these options, the environment and `hama.toml` come to. Verbs go by this, and by no variable themselves.
    #[arg(skip)]
    pub(crate) settings: Settings,
}

/// What of a result survives a power loss, as it is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Survives {
    // All of it, once the command has ended.
    Full,
    // Perhaps nothing: for results that can be made again.
    None,
}

impl fmt::Display for Survives {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Survives::Full => "full",
            Survives::None => "none",
        })
    }
}

impl From<Survives> for Durability {
    fn from(survives: Survives) -> Durability {
        match survives {
            Survives::Full => Durability::Full,
            Survives::None => Durability::None,
        }
    }
}
