//! What holds for every command unless it is told otherwise: each setting from its option, else its variable, else
//! `hama.toml`, else a default.
//!
//! One rule names them: the option `--spill-dir` is `HAMA_SPILL_DIR` and `spill-dir = ".."`.

mod file;

use std::ffi::OsString;
use std::fmt::Display;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use hama::table::store::HdfsOptions;
use hama::{Error, Host, Result};

use super::count::count;
use super::progress::Kind;
use super::seconds::Seconds;
use super::size::Size;
use super::{Global, Survives};
pub(crate) use file::ConfigFile;

/// Where the tables lie when nothing else is said.
const STORE: &str = "./hama-data";

/// A value, and where it is from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Setting<T> {
    pub(crate) value: T,
    pub(crate) origin: Origin,
}

/// Where a value is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// An option of the command line.
    Option(&'static str),
    /// A variable of the environment.
    Variable(String),
    /// A file `hama.toml`.
    File(PathBuf),
    /// Nothing was said.
    Default,
}

/// All settings.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Settings {
    /// The URL of the store, or its path.
    pub(crate) store: Setting<String>,
    /// The most memory to use.
    pub(crate) memory: Setting<Size>,
    /// Peers to compute with, where the verb is not told.
    pub(crate) peers: Setting<usize>,
    /// How progress is shown.
    pub(crate) progress: Setting<Kind>,
    /// What of a result survives a power loss.
    pub(crate) durability: Setting<Survives>,
    /// Where files are converted in; none is where the system has large temporary files.
    pub(crate) spill_dir: Setting<Option<PathBuf>>,
    /// How long HDFS may take to answer.
    pub(crate) timeout: Setting<Seconds>,
    /// How many DataNodes hold each file that is written to HDFS; none leaves it to the NameNode.
    pub(crate) replication: Setting<Option<u16>>,
    /// The address of the NameNode's web server; none is what Hadoop's configuration says.
    pub(crate) webhdfs: Setting<Option<String>>,
    /// The host that this is.
    pub(crate) host: Setting<Host>,
    /// HOST:PORT of the cluster's master; none where there is no cluster.
    pub(crate) master: Setting<Option<String>>,
    /// The file with the cluster's token.
    pub(crate) token_file: Setting<Option<PathBuf>>,
    /// Whether a daemon may listen beyond this machine, without TLS.
    pub(crate) insecure_network: Setting<bool>,
    /// HOST:PORT of ZooKeeper's servers, with commas between.
    pub(crate) zookeeper: Setting<Option<String>>,
    /// The node of ZooKeeper below which the cluster lies; none is the default.
    pub(crate) zookeeper_root: Setting<Option<String>>,
    /// The file with USER:PASSWORD for ZooKeeper.
    pub(crate) zookeeper_auth_file: Setting<Option<PathBuf>>,
    /// The file of what `hama bench probe` has measured; none where nothing says where the user's files are.
    pub(crate) probe: Setting<Option<PathBuf>>,
    /// The files that there are.
    pub(crate) files: Vec<ConfigFile>,
}

/// Where settings are looked for, beside the command line.
struct Sources<'a> {
    variable: &'a dyn Fn(&str) -> Option<OsString>,
    files: &'a [ConfigFile],
}

impl Default for Settings {
    /// What holds where nothing is said.
    fn default() -> Settings {
        Settings {
            store: Setting { value: STORE.into(), origin: Origin::Default },
            memory: Setting { value: Size(hama::default_memory()), origin: Origin::Default },
            peers: default_of(std::thread::available_parallelism().map_or(1, |count| count.get())),
            progress: Setting { value: Kind::Auto, origin: Origin::Default },
            durability: Setting { value: Survives::Full, origin: Origin::Default },
            spill_dir: Setting { value: None, origin: Origin::Default },
            timeout: default_of(Seconds::of(HdfsOptions::DEFAULT.timeout)),
            replication: default_of(None),
            webhdfs: default_of(None),
            host: default_of(Host::local()),
            master: default_of(None),
            token_file: default_of(None),
            insecure_network: default_of(false),
            zookeeper: default_of(None),
            zookeeper_root: default_of(None),
            zookeeper_auth_file: default_of(None),
            probe: default_of(None),
            files: Vec::new(),
        }
    }
}

impl Settings {
    /// Reads the variables and files of this process.
    ///
    /// # Errors
    /// `Invalid` for a value that cannot be and a file that cannot be used; which, and where in it.
    pub(crate) fn load(global: &Global) -> Result<Settings> {
        Settings::of(global, &|name| std::env::var_os(name))
    }

    fn of(global: &Global, variable: &dyn Fn(&str) -> Option<OsString>) -> Result<Settings> {
        let variable = &|name: &str| variable(name).filter(|value| !value.is_empty());
        let paths =
            [Some("./hama.toml".into()), user_folder(variable, "XDG_CONFIG_HOME", ".config", "hama.toml")];
        let mut files = Vec::new();
        for path in paths.into_iter().flatten() {
            files.extend(ConfigFile::read(&path)?);
        }
        let sources = Sources { variable, files: &files };
        let default = Settings::default();
        let probe = user_folder(variable, "XDG_STATE_HOME", ".local/state", "probe.json");
        Ok(Settings {
            store: sources.find("--store", global.store.clone(), text, |f| f.store.clone(), default.store)?,
            memory: sources.find(
                "--memory",
                global.memory,
                |value| text(value)?.parse(),
                |f| f.memory,
                default.memory,
            )?,
            peers: sources.find(
                "--peers",
                None,
                peers,
                |f| f.peers.map(|peers| peers.get()),
                default.peers,
            )?,
            progress: sources.find(
                "--progress",
                global.progress,
                choice,
                |f| f.progress,
                default.progress,
            )?,
            durability: sources.find(
                "--durability",
                global.durability,
                choice,
                |f| f.durability,
                default.durability,
            )?,
            spill_dir: sources.path("--spill-dir", &global.spill_dir, |f| f.spill_dir.clone())?,
            timeout: sources.find(
                "--timeout",
                global.timeout,
                |value| text(value)?.parse(),
                |f| f.timeout,
                default.timeout,
            )?,
            replication: sources.find(
                "--replication",
                global.replication.map(Some),
                |value| count(&text(value)?).map(Some),
                |f| f.replication.map(Some),
                default.replication,
            )?,
            webhdfs: sources.text("--webhdfs", &global.webhdfs, |f| f.webhdfs.clone())?,
            host: sources.find(
                "--host",
                global.host.clone(),
                |value| text(value)?.parse(),
                |f| f.host.clone(),
                default.host,
            )?,
            master: sources.text("--master", &global.master, |f| f.master.clone())?,
            token_file: sources.path("--token-file", &global.token_file, |f| f.token_file.clone())?,
            insecure_network: sources.find(
                "--insecure-network",
                None,
                yes_or_no,
                |f| f.insecure_network,
                default.insecure_network,
            )?,
            zookeeper: sources.text("--zookeeper", &None, |f| f.zookeeper.clone())?,
            zookeeper_root: sources.text("--zookeeper-root", &None, |f| f.zookeeper_root.clone())?,
            zookeeper_auth_file: sources
                .path("--zookeeper-auth-file", &None, |f| f.zookeeper_auth_file.clone())?,
            probe: sources.find(
                "--probe",
                None,
                |value| Ok(Some(value.into())),
                |f| f.probe.clone().map(Some),
                Setting { value: probe, origin: Origin::Default },
            )?,
            files,
        })
    }
}

impl Settings {
    /// What they say about stores in HDFS.
    pub(crate) fn hdfs(&self) -> HdfsOptions {
        HdfsOptions {
            timeout: self.timeout.value.duration(),
            replication: self.replication.value,
            web: self.webhdfs.value.clone(),
            spill_dir: self.spill_dir.value.clone(),
        }
    }
}

/// A value that holds where nothing is said.
fn default_of<T>(value: T) -> Setting<T> {
    Setting { value, origin: Origin::Default }
}

impl Sources<'_> {
    /// The setting of an option: what was typed, else what the variable or the first file that has it says.
    fn find<T>(
        &self,
        option: &'static str,
        typed: Option<T>,
        read: impl FnOnce(OsString) -> Result<T>,
        in_file: impl Fn(&file::Values) -> Option<T>,
        default: Setting<T>,
    ) -> Result<Setting<T>> {
        if let Some(value) = typed {
            return Ok(Setting { value, origin: Origin::Option(option) });
        }
        let variable = variable_of(option);
        if let Some(value) = (self.variable)(&variable) {
            let value = read(value).map_err(|error| {
                Error::invalid(format!("in the variable {variable}: {}", error.message()))
            })?;
            return Ok(Setting { value, origin: Origin::Variable(variable) });
        }
        let found = self.files.iter().find_map(|file| Some((in_file(&file.values)?, &file.path)));
        Ok(found.map_or(default, |(value, path)| Setting { value, origin: Origin::File(path.clone()) }))
    }

    /// A text that need not be said.
    fn text(
        &self,
        option: &'static str,
        typed: &Option<String>,
        in_file: impl Fn(&file::Values) -> Option<String>,
    ) -> Result<Setting<Option<String>>> {
        let read = |value| text(value).map(Some);
        self.find(option, typed.clone().map(Some), read, |f| in_file(f).map(Some), default_of(None))
    }

    /// A path that need not be said.
    fn path(
        &self,
        option: &'static str,
        typed: &Option<PathBuf>,
        in_file: impl Fn(&file::Values) -> Option<PathBuf>,
    ) -> Result<Setting<Option<PathBuf>>> {
        let read = |value: OsString| Ok(Some(value.into()));
        self.find(option, typed.clone().map(Some), read, |f| in_file(f).map(Some), default_of(None))
    }
}

/// The variable of an option: `--spill-dir` is `HAMA_SPILL_DIR`.
pub(crate) fn variable_of(option: &str) -> String {
    format!("HAMA_{}", option.trim_start_matches('-').to_uppercase().replace('-', "_"))
}

/// A file in the user's folder for such things by the XDG Base Directory Specification, which ignores paths that are
/// not absolute.
fn user_folder(
    variable: &dyn Fn(&str) -> Option<OsString>,
    name: &str,
    in_home: &str,
    file: &str,
) -> Option<PathBuf> {
    let folder = |name| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let folder = folder(name).or_else(|| Some(folder("HOME")?.join(in_home)))?;
    Some(folder.join("hama").join(file))
}

fn text(value: OsString) -> Result<String> {
    value.into_string().map_err(|value| Error::invalid(format!("{} is no text", Path::new(&value).display())))
}

fn peers(value: OsString) -> Result<usize> {
    match count(&text(value)?)? {
        0 => Err(Error::invalid("cannot compute with 0 peers: at least 1 is needed")),
        peers => Ok(peers),
    }
}

fn yes_or_no(value: OsString) -> Result<bool> {
    let value = text(value)?;
    value.parse().map_err(|_| Error::invalid(format!("cannot read {value:?}: one of true, false is wanted")))
}

fn choice<T: ValueEnum>(value: OsString) -> Result<T> {
    let value = text(value)?;
    T::from_str(&value, false).map_err(|_| {
        let possible = T::value_variants().iter().filter_map(ValueEnum::to_possible_value);
        let possible: Vec<String> = possible.map(|value| value.get_name().to_owned()).collect();
        Error::invalid(format!("cannot read {value:?}: one of {} is wanted", possible.join(", ")))
    })
}

impl Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Origin::Option(option) => f.write_str(option),
            Origin::Variable(variable) => f.write_str(variable),
            Origin::File(path) => write!(f, "{}", path.display()),
            Origin::Default => f.write_str("default"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(global: &Global, variables: &[(&str, &str)], files: &[ConfigFile]) -> Result<Settings> {
        let variable = |wanted: &str| {
            variables.iter().find(|(name, _)| *name == wanted).map(|(_, value)| OsString::from(value))
        };
        let sources = Sources { variable: &variable, files };
        let default = Settings::default();
        Ok(Settings {
            memory: sources.find(
                "--memory",
                global.memory,
                |value| text(value)?.parse(),
                |f| f.memory,
                default.memory.clone(),
            )?,
            ..default
        })
    }

    #[test]
    fn the_option_is_before_the_variable_is_before_the_files_in_order_is_before_the_default() {
        let file = |path: &str, content: &str| ConfigFile {
            path: path.into(),
            values: file::parse(Path::new(path), content).unwrap(),
        };
        let files =
            [file("first", "peers = 2"), file("second", "memory = '3MiB'"), file("third", "memory = 7")];
        let typed = Global { memory: Some(Size(1)), ..Global::default() };
        let said = [("HAMA_MEMORY", "2")];
        let memory = |global: &Global, variables: &[(&str, &str)], files: &[ConfigFile]| {
            settings(global, variables, files).unwrap().memory
        };
        let expected = |value, origin| Setting { value: Size(value), origin };
        assert_eq!(memory(&typed, &said, &files), expected(1, Origin::Option("--memory")));
        let nothing = Global::default();
        assert_eq!(memory(&nothing, &said, &files), expected(2, Origin::Variable("HAMA_MEMORY".into())));
        assert_eq!(memory(&nothing, &[], &files), expected(3 << 20, Origin::File("second".into())));
        assert_eq!(memory(&nothing, &[], &files[..1]).origin, Origin::Default);
        let error = settings(&nothing, &[("HAMA_MEMORY", "much")], &[]).unwrap_err();
        assert!(error.message().contains("HAMA_MEMORY") && error.message().contains("much"), "{error}");
    }

    #[test]
    fn one_rule_names_variables() {
        assert_eq!(variable_of("--store"), "HAMA_STORE");
        assert_eq!(variable_of("--spill-dir"), "HAMA_SPILL_DIR");
    }
}
