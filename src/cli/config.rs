//! `hama config`: the settings, and where each is from.

use std::fmt::{self, Display};
use std::path::PathBuf;

use serde::Serialize;
use serde_json::Value;

use super::Global;
use super::failure::Failure;
use super::output::Output;
use super::settings::{ConfigFile, Origin, Setting, variable_of};

const EXAMPLES: &str = "\
Examples:
  hama config show
  HAMA_MEMORY=2GiB hama config show --json
  echo 'memory = \"2GiB\"' >> hama.toml && hama config show

A setting is what its option says, else its variable, else ./hama.toml, else hama/hama.toml in
$XDG_CONFIG_HOME (or in ~/.config), else a default. The names are the same everywhere:
--memory 2GiB, HAMA_MEMORY=2GiB, memory = \"2GiB\". Paths are relative to the current folder.";

/// Print the settings, and where each is from
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Show {}

#[derive(Serialize)]
struct ConfigReport {
    settings: Vec<Line>,
    files: Vec<ConfigFile>,
}

/// A setting as it is printed.
#[derive(Serialize)]
struct Line {
    name: &'static str,
    value: Value,
    #[serde(skip)]
    text: String,
    source: &'static str,
    /// The option, the variable or the file.
    r#where: Option<String>,
    variable: String,
}

impl Line {
    fn of<T>(name: &'static str, setting: &Setting<T>, said: impl FnOnce(&T) -> (Value, String)) -> Line {
        let source = match setting.origin {
            Origin::Option(_) => "option",
            Origin::Variable(_) => "variable",
            Origin::File(_) => "file",
            Origin::Default => "default",
        };
        let place = (setting.origin != Origin::Default).then(|| setting.origin.to_string());
        let (value, text) = said(&setting.value);
        Line { name, value, text, source, r#where: place, variable: variable_of(name) }
    }
}

impl Show {
    pub(crate) fn run(self, global: &Global, output: &mut Output) -> Result<(), Failure> {
        let settings = &global.settings;
        let text = |text: &dyn Display| (text.to_string().into(), text.to_string());
        let perhaps = |said: &Option<String>| match said {
            Some(said) => text(said),
            None => (Value::Null, "-".into()),
        };
        let file = |path: &Option<PathBuf>| match path {
            Some(path) => text(&path.display()),
            None => (Value::Null, "-".into()),
        };
        let lines = vec![
            Line::of("store", &settings.store, |url| text(url)),
            Line::of("memory", &settings.memory, |size| (size.0.into(), size.to_string())),
            Line::of("peers", &settings.peers, |count| (Value::from(*count), count.to_string())),
            Line::of("progress", &settings.progress, |kind| text(kind)),
            Line::of("durability", &settings.durability, |survives| text(survives)),
            Line::of("spill-dir", &settings.spill_dir, file),
            Line::of("timeout", &settings.timeout, |time| (time.value().into(), time.to_string())),
            Line::of("replication", &settings.replication, |count| {
                count.map_or((Value::Null, "-".into()), |count| (count.into(), count.to_string()))
            }),
            Line::of("webhdfs", &settings.webhdfs, perhaps),
            Line::of("host", &settings.host, |host| text(host)),
            Line::of("master", &settings.master, perhaps),
            Line::of("token-file", &settings.token_file, file),
            Line::of("insecure-network", &settings.insecure_network, |is| ((*is).into(), is.to_string())),
            Line::of("zookeeper", &settings.zookeeper, perhaps),
            Line::of("zookeeper-root", &settings.zookeeper_root, perhaps),
            Line::of("zookeeper-auth-file", &settings.zookeeper_auth_file, file),
            Line::of("probe", &settings.probe, file),
        ];
        output.report(&ConfigReport { settings: lines, files: settings.files.clone() })
    }
}

impl Display for ConfigReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.settings.iter().map(|line| line.text.len()).max().unwrap_or_default();
        for line in &self.settings {
            let place = line.r#where.as_deref().unwrap_or(line.source);
            writeln!(f, "{:19} {:width$}  {place}", line.name, line.text)?;
        }
        Ok(())
    }
}
