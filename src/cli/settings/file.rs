//! The file `hama.toml`.

use std::fmt;
use std::fs::{self, File};
use std::io::ErrorKind::PermissionDenied;
use std::io::Read;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use hama::{Error, Host, Result};
use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize};

use crate::cli::Survives;
use crate::cli::progress::Kind;
use crate::cli::seconds::Seconds;
use crate::cli::size::Size;

/// Nobody writes as much by hand.
const BYTES_MAX: u64 = 64 << 10;

/// A file that is there.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ConfigFile {
    pub(crate) path: PathBuf,
    pub(super) values: Values,
}

/// What it may say. The names are those of the options.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Values {
    pub(super) store: Option<String>,
    #[serde(default, deserialize_with = "size")]
    pub(super) memory: Option<Size>,
    pub(super) peers: Option<NonZeroUsize>,
    pub(super) progress: Option<Kind>,
    pub(super) durability: Option<Survives>,
    pub(super) spill_dir: Option<PathBuf>,
    pub(super) timeout: Option<Seconds>,
    pub(super) replication: Option<u16>,
    pub(super) webhdfs: Option<String>,
    #[serde(default, deserialize_with = "host")]
    pub(super) host: Option<Host>,
    pub(super) master: Option<String>,
    pub(super) token_file: Option<PathBuf>,
    pub(super) insecure_network: Option<bool>,
    pub(super) zookeeper: Option<String>,
    pub(super) zookeeper_root: Option<String>,
    pub(super) zookeeper_auth_file: Option<PathBuf>,
    pub(super) probe: Option<PathBuf>,
}

impl ConfigFile {
    /// Reads the file, where there is one.
    ///
    /// # Errors
    /// `Invalid` where it is no regular file, longer than 64 KiB, or says what it cannot; those of the file system.
    pub(super) fn read(path: &Path) -> Result<Option<ConfigFile>> {
        let failed = |error| Error::io(format!("cannot read {}", path.display()), error);
        let refused = |why: &str| Err(Error::invalid(format!("cannot read {}: {why}", path.display())));
        match fs::metadata(path) {
            // Asked before it is opened: opening a pipe waits for somebody to write into it.
            Ok(found) if !found.is_file() => return refused("it is no regular file"),
            Err(error) if absent(&error) => return Ok(None),
            // That of the user whose folders a service was started with.
            Err(error) if error.kind() == PermissionDenied && path.is_absolute() => {
                tracing::warn!(file = %path.display(), "not permitted to be read, and left out");
                return Ok(None);
            }
            found => found.map_err(failed)?,
        };
        let mut bytes = Vec::new();
        File::open(path).map_err(failed)?.take(BYTES_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() as u64 > BYTES_MAX {
            return refused("it is longer than 64 KiB");
        }
        let Ok(content) = String::from_utf8(bytes) else { return refused("it is no text in UTF-8") };
        Ok(Some(ConfigFile { path: path.into(), values: parse(path, &content)? }))
    }
}

/// Whether there is no such file, or nothing that could hold one.
fn absent(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory)
}

pub(super) fn parse(path: &Path, content: &str) -> Result<Values> {
    toml::from_str(content).map_err(|error| {
        let place = match error.span() {
            Some(span) => {
                let before = content.get(..span.start).unwrap_or(content);
                format!(", line {}", before.matches('\n').count() + 1)
            }
            None => String::new(),
        };
        Error::invalid(format!(
            "cannot read {}{place}: {}",
            path.display(),
            error.message().replace('\n', ", ")
        ))
    })
}

/// A size as it is typed, or a number of bytes.
fn size<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Option<Size>, D::Error> {
    struct Either;
    impl Visitor<'_> for Either {
        type Value = Size;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a size such as \"2GiB\", or a number of bytes")
        }

        fn visit_str<E: de::Error>(self, text: &str) -> std::result::Result<Size, E> {
            text.parse().map_err(|error: Error| E::custom(error.message()))
        }

        fn visit_i64<E: de::Error>(self, bytes: i64) -> std::result::Result<Size, E> {
            let refused = |_| E::invalid_value(de::Unexpected::Signed(bytes), &self);
            u64::try_from(bytes).map(Size).map_err(refused)
        }
    }
    deserializer.deserialize_any(Either).map(Some)
}

/// The name of a host, as it is typed.
fn host<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Option<Host>, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map(Some).map_err(|error: Error| de::Error::custom(error.message()))
}

impl Serialize for ConfigFile {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(&self.path.display())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_may_be_said() {
        let content = "# mine\nstore = 'file:/data'\nmemory = \"1.5GiB\"\npeers = 3\nprogress = 'plain'\ndurability = 'none'\nspill-dir = '/s'\ntimeout = 5\nreplication = 2\nwebhdfs = 'nn:9870'\nhost = 'dn1'\nmaster = 'm:7070'\ntoken-file = '/t'\ninsecure-network = true\nzookeeper = 'z:2181'\nzookeeper-root = '/h'\nzookeeper-auth-file = '/z'\nprobe = 'p.json'\n";
        let values = parse(Path::new("hama.toml"), content).unwrap();
        let expected = Values {
            store: Some("file:/data".into()),
            memory: Some(Size(3 << 29)),
            peers: NonZeroUsize::new(3),
            progress: Some(Kind::Plain),
            durability: Some(Survives::None),
            spill_dir: Some("/s".into()),
            timeout: "5".parse().ok(),
            replication: Some(2),
            webhdfs: Some("nn:9870".into()),
            host: Some(Host::new("dn1")),
            master: Some("m:7070".into()),
            token_file: Some("/t".into()),
            insecure_network: Some(true),
            zookeeper: Some("z:2181".into()),
            zookeeper_root: Some("/h".into()),
            zookeeper_auth_file: Some("/z".into()),
            probe: Some("p.json".into()),
        };
        assert_eq!(values, expected);
        assert_eq!(parse(Path::new("x"), "").unwrap(), Values::default());
        assert_eq!(parse(Path::new("x"), "memory = 4096").unwrap().memory, Some(Size(4096)));
    }

    #[test]
    fn what_it_cannot_say_is_told_with_its_line() {
        for (content, line, part) in [
            ("store = 'a'\nsotre = 'b'", 2, "sotre"),
            ("\n\nmemory = 'much'", 3, "much"),
            ("memory = -1", 1, "-1"),
            ("memory = 1.5", 1, "a size such as"),
            ("peers = 0", 1, "nonzero"),
            ("peers = 'two'", 1, "two"),
            ("peers = 99999999999999999999", 1, ""),
            ("progress = 'loud'", 1, "loud"),
            ("timeout = 0", 1, "cannot wait"),
            ("timeout = nan", 1, "cannot wait"),
            ("replication = -1", 1, "-1"),
            ("store = 7", 1, "string"),
            ("host = 'a,b'", 1, "a,b"),
            ("insecure-network = 'yes'", 1, "yes"),
            ("zookeeper-password = 'x'", 1, "zookeeper-password"),
            ("store = 'a'\nstore = 'b'", 2, "duplicate"),
            ("store = ", 1, ""),
            ("[store]\nurl = 'a'", 1, "string"),
            ("\u{0}", 1, ""),
        ] {
            let message = parse(Path::new("hama.toml"), content).unwrap_err().to_string();
            assert!(message.contains(&format!("hama.toml, line {line}: ")), "{content:?}: {message}");
            assert!(message.contains(part) && !message.contains('\n'), "{content:?}: {message}");
        }
    }

    #[test]
    fn no_changes_to_it_panic() {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/settings");
        let seeds: Vec<Vec<u8>> =
            fs::read_dir(corpus).unwrap().map(|entry| fs::read(entry.unwrap().path()).unwrap()).collect();
        let given = hama_core::testing::mutate(&seeds, 5, std::time::Duration::from_secs(1), |bytes| {
            if let Ok(content) = std::str::from_utf8(bytes) {
                let _ = parse(Path::new("hama.toml"), content);
            }
        });
        assert!(given > 100, "{given} inputs");
    }

    #[test]
    fn depth_is_bounded() {
        for deep in [format!("store = {}", "[".repeat(60_000)), "[a.".repeat(20_000), "a.".repeat(30_000)] {
            assert!(parse(Path::new("hama.toml"), &deep).is_err());
        }
    }
}
