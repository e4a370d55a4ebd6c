//! The rates that plans go by: those that `hama bench probe` has stored, where they are of this machine, or of the cluster.

pub(crate) mod cluster;

use std::fmt;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use hama::measure::Machine;
use hama::plan::Rates;
use hama::{Cluster, ConnectOptions, Error, Result};
use serde::{Deserialize, Serialize};

use super::date::date;
use super::settings::Settings;

/// The version of the file. It rises when a field goes or changes its meaning.
pub(crate) const SCHEMA: u32 = 1;
/// No probe is as long.
const BYTES_MAX: u64 = 1 << 20;

/// What plans need of the file; the rest is for people.
#[derive(Serialize, Deserialize)]
pub(crate) struct Probed {
    pub(crate) schema: u32,
    pub(crate) measured_unix: u64,
    pub(crate) machine: Machine,
    pub(crate) rates: Rates,
}

/// The rates that plans go by, and where they are from.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Known {
    source: Source,
    measured_unix: Option<u64>,
    path: Option<String>,
    #[serde(flatten)]
    pub(crate) rates: Rates,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Source {
    Measured,
    Defaults,
    // Those of a cluster: nobody has measured it.
    Cluster,
}

impl Known {
    /// The stored rates where there are some of this machine, else the defaults. A file that cannot be used is
    /// warned of.
    pub(crate) fn load(settings: &Settings) -> Known {
        if let Some(master) = &settings.master.value {
            return Known::of_cluster(settings, master);
        }
        let defaults =
            Known { source: Source::Defaults, measured_unix: None, path: None, rates: Rates::default() };
        let Some(path) = &settings.probe.value else { return defaults };
        match read(path) {
            Ok(None) => defaults,
            Ok(Some(probed)) => Known::measured(path, probed.measured_unix, probed.rates),
            Err(reason) => {
                tracing::warn!(
                    "{} is not used, plans go by defaults: {reason}; `hama bench probe` writes it anew",
                    path.display()
                );
                defaults
            }
        }
    }

    /// Those of the cluster of this master, else what is assumed of clusters. What was measured of this host is not asked.
    fn of_cluster(settings: &Settings, master: &str) -> Known {
        let (measured_unix, path, rates) = (None, None, Rates::of_cluster());
        let assumed = Known { source: Source::Cluster, measured_unix, path, rates };
        let Some(probe) = &settings.probe.value else { return assumed };
        let path = cluster::path(probe, master);
        let token_file = settings.token_file.value.clone();
        let options = ConnectOptions { master: master.to_owned(), token_file };
        let now = || cluster::Identity::of(&Cluster::connect(&options)?);
        match cluster::read(&path, now) {
            Ok(None) => assumed,
            Ok(Some(probed)) => Known::measured(&path, probed.measured_unix, probed.rates),
            Err(reason) => {
                tracing::warn!(
                    "{} is not used, plans go by what is assumed of clusters: {reason}; `hama bench probe --master {master}` \
                     writes it anew",
                    path.display()
                );
                assumed
            }
        }
    }

    fn measured(path: &Path, measured_unix: u64, rates: Rates) -> Known {
        let (measured_unix, path) = (Some(measured_unix), Some(path.display().to_string()));
        Known { source: Source::Measured, measured_unix, path, rates }
    }
}

impl fmt::Display for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.measured_unix, &self.path) {
            (Some(unix), Some(path)) => write!(f, "measured on {}, {path}", date(unix)),
            _ if matches!(self.source, Source::Cluster) => {
                f.write_str("assumed of a cluster; `hama bench probe --master HOST:PORT` measures this one")
            }
            _ => f.write_str("defaults; `hama bench probe` measures this machine"),
        }
    }
}

/// What a file says, where there is one; else why it cannot be used.
fn read(path: &Path) -> std::result::Result<Option<Probed>, String> {
    let Some(bytes) = content(path)? else { return Ok(None) };
    parse(&bytes, &Machine::this()).map(Some)
}

/// The bytes of a file, where there is one.
fn content(path: &Path) -> std::result::Result<Option<Vec<u8>>, String> {
    match fs::metadata(path) {
        // Asked before it is opened: opening a pipe waits for somebody to write into it.
        Ok(meta) if !meta.is_file() => return Err("it is no file".into()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        other => other.map_err(|error| error.to_string())?,
    };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| error.to_string())?;
    file.take(BYTES_MAX).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    Ok(Some(bytes))
}

/// Read first: the rest may look different in another one.
fn check_schema(bytes: &[u8], known: u32) -> std::result::Result<(), String> {
    #[derive(Deserialize)]
    struct Version {
        schema: u32,
    }
    let Version { schema } =
        serde_json::from_slice(bytes).map_err(|error| format!("it is damaged: {error}"))?;
    if schema == known { Ok(()) } else { Err(format!("its schema is {schema}, and this hama reads {known}")) }
}

fn parse(bytes: &[u8], this: &Machine) -> std::result::Result<Probed, String> {
    check_schema(bytes, SCHEMA)?;
    let probed: Probed = serde_json::from_slice(bytes).map_err(|error| format!("it is damaged: {error}"))?;
    if probed.machine != *this {
        return Err(format!("it is of another machine ({}), and this is {this}", probed.machine));
    }
    probed.rates.check().map_err(|error| format!("it is damaged: {error}"))?;
    Ok(probed)
}

/// The file of the figures, about to be written.
pub(crate) struct Writing {
    path: PathBuf,
    partial: Partial,
}

/// What the file is called until it is whole. Dropping removes it.
struct Partial(PathBuf);

impl Writing {
    /// Makes the folder, and sees that a file can be made there. None stays: whoever is killed while measuring leaves
    /// nothing.
    ///
    /// # Errors
    /// `Invalid` where nothing says where it goes, or that is something else than a file or may not be written; those
    /// of the file system.
    pub(crate) fn begin(settings: &Settings) -> Result<Writing> {
        let probe = settings.probe.value.as_ref().ok_or_else(|| {
            Error::invalid("cannot tell where to store the figures: HAMA_PROBE may name a file")
        })?;
        let path = match &settings.master.value {
            Some(master) => cluster::path(probe, master),
            None => probe.clone(),
        };
        check_replaceable(&path)?;
        let failed = |error| Error::io(format!("cannot store the figures in {}", path.display()), error);
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::create_dir_all(folder).map_err(failed)?;
        }
        let mut partial = path.clone().into_os_string();
        partial.push(format!(".{}.part", std::process::id()));
        let partial = Partial(partial.into());
        partial.make().and_then(|_| fs::remove_file(&partial.0)).map_err(failed)?;
        Ok(Writing { path, partial })
    }

    /// Where it will be.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes it, in the place of what was there.
    ///
    /// # Errors
    /// Those of the file system.
    pub(crate) fn finish(self, content: &impl Serialize) -> Result<()> {
        let failed = |error| Error::io(format!("cannot store the figures in {}", self.path.display()), error);
        let json = serde_json::to_vec_pretty(content)
            .map_err(|error| Error::internal("cannot write the figures as JSON").with_source(error))?;
        let write = |mut file: File| file.write_all(&json).and_then(|()| file.sync_all());
        self.partial.make().and_then(write).map_err(failed)?;
        fs::rename(&self.partial.0, &self.path).map_err(failed)
    }
}

/// Checks that nothing but a file is there: renaming would put one in the place of a device or a pipe.
fn check_replaceable(path: &Path) -> Result<()> {
    let what = match fs::metadata(path) {
        Ok(meta) if meta.is_dir() => "it is a folder",
        Ok(meta) if !meta.is_file() => "it is no regular file",
        _ => return Ok(()),
    };
    Err(Error::invalid(format!("cannot store the figures in {}: {what}", path.display())))
}

impl Partial {
    fn make(&self) -> std::io::Result<File> {
        File::create(&self.0)
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // Most often there is none.
        let _ = fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn good() -> Value {
        json!({"schema": SCHEMA, "measured_unix": 7, "machine": Machine::this(), "rates": Rates::default(), "more": []})
    }

    fn reason(change: impl FnOnce(&mut Value)) -> String {
        let mut value = good();
        change(&mut value);
        parse(value.to_string().as_bytes(), &Machine::this()).map(drop).unwrap_err()
    }

    #[test]
    fn what_was_measured_here_is_used() {
        let probed = parse(good().to_string().as_bytes(), &Machine::this()).unwrap();
        assert_eq!((probed.rates, probed.measured_unix), (Rates::default(), 7));
    }

    #[test]
    fn what_is_damaged_or_of_another_machine_is_not() {
        assert!(reason(|v| v["machine"]["cores"] = json!(1000)).contains("another machine"));
        assert!(reason(|v| v["machine"]["processor"] = json!("abacus")).contains("abacus"));
        assert!(reason(|v| v["machine"]["kernel"] = json!("gemm-none")).contains("another machine"));
        assert!(reason(|v| *v = json!({"schema": 2})).contains("schema is 2"));
        assert!(reason(|v| v["rates"]["flop_per_s"] = json!(-1)).contains("flop_per_s"));
        assert!(reason(|v| v["rates"]["flop_per_s"] = json!("fast")).contains("damaged"));
        assert!(reason(|v| v["rates"] = json!(null)).contains("damaged"));
        assert!(reason(|v| *v = json!([])).contains("damaged"));
        for bytes in [&b""[..], b"{", b"\xff\0", b"null"] {
            assert!(parse(bytes, &Machine::this()).map(drop).unwrap_err().contains("damaged"));
        }
    }
}
