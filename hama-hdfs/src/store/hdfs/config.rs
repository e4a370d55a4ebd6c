//! How a NameNode is reached: from the URL, the files of HADOOP_CONF_DIR, and what the command was told.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, PoisonError, RwLock};
use std::time::Duration;

use hama_core::{Error, Result};
use hdfs_native::{Client, ClientBuilder};
use tokio::runtime::Handle;

use super::call::runtime;
use super::error::reason;
use super::travel::first_options;
use crate::url::HdfsPlace;

/// HDFS takes no smaller blocks unless it is told to, and only multiples of its checksums' unit.
const BLOCK_BYTES_MIN: u64 = 1 << 20;
const BLOCK_UNIT: u64 = 512;
/// The port of a NameNode's RPC where the URL names none.
const PORT: u16 = 8020;
/// The largest file of a configuration, in bytes.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// What holds for all stores in HDFS that this process opens from then on.
#[derive(Clone, Debug, PartialEq)]
pub struct HdfsOptions {
    /// How long a call to HDFS may take, all of its tries together; at least 100 ms.
    pub timeout: Duration,
    /// How many DataNodes hold each file that is written; `None` leaves it to the NameNode.
    pub replication: Option<u16>,
    /// The `HOST:PORT` of the NameNode's web server, where the configuration does not name it.
    pub web: Option<String>,
    /// Where the bytes of files wait until they are in HDFS; `None` is the system's folder for large temporary files.
    pub spill_dir: Option<PathBuf>,
}

impl HdfsOptions {
    /// What holds where nothing is said: 30 s, the NameNode's replication, no web server but the configuration's.
    pub const DEFAULT: HdfsOptions =
        HdfsOptions { timeout: Duration::from_secs(30), replication: None, web: None, spill_dir: None };
}

impl Default for HdfsOptions {
    fn default() -> HdfsOptions {
        HdfsOptions::DEFAULT
    }
}

static OPTIONS: LazyLock<RwLock<HdfsOptions>> = LazyLock::new(|| RwLock::new(first_options()));

/// What holds for the stores in HDFS that this process opens.
pub fn hdfs_options() -> HdfsOptions {
    OPTIONS.read().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Lets other options hold for the stores in HDFS that this process opens from now on.
///
/// # Errors
/// `Invalid` for a timeout below 100 ms or above a day, and for a replication of 0 or above 512.
pub fn set_hdfs_options(options: HdfsOptions) -> Result<()> {
    check(&options)?;
    *OPTIONS.write().unwrap_or_else(PoisonError::into_inner) = options;
    Ok(())
}

/// Fails where options cannot hold.
pub(super) fn check(options: &HdfsOptions) -> Result<()> {
    let (least, most) = (Duration::from_millis(100), Duration::from_secs(24 * 60 * 60));
    if !(least..=most).contains(&options.timeout) {
        let seconds = options.timeout.as_secs_f64();
        return Err(Error::invalid(format!(
            "cannot wait {seconds} s for HDFS: from 0.1 s to a day is possible"
        )));
    }
    if options.replication.is_some_and(|count| !(1..=512).contains(&count)) {
        let count = options.replication.unwrap_or_default();
        return Err(Error::invalid(format!("cannot keep {count} replicas: from 1 to 512 are possible")));
    }
    Ok(())
}

/// How one NameNode is reached.
#[derive(Clone, Debug)]
pub(super) struct Configuration {
    pub(super) place: HdfsPlace,
    pub(super) timeout: Duration,
    pub(super) options: HdfsOptions,
    /// What core-site.xml and hdfs-site.xml say.
    pub(super) keys: HashMap<String, String>,
}

impl Configuration {
    /// The one of a URL, with the options that hold now and the files that there are.
    pub(super) fn load(place: &HdfsPlace) -> Result<Configuration> {
        let options = hdfs_options();
        let keys = folder().map_or_else(|| Ok(HashMap::new()), |folder| read_keys(&folder))?;
        Ok(Configuration { place: place.clone(), timeout: options.timeout, options, keys })
    }

    /// Whether the URL names a service of several NameNodes, which the files know.
    pub(super) fn is_service(&self) -> bool {
        self.place.port.is_none() && self.keys.contains_key(&format!("dfs.ha.namenodes.{}", self.place.host))
    }

    /// The only address that the URL leads to, where it is one.
    pub(super) fn single_address(&self) -> Option<String> {
        (!self.is_service()).then(|| format!("{}:{}", self.place.host, self.place.port.unwrap_or(PORT)))
    }

    /// The address as errors name it.
    pub(super) fn shown_address(&self) -> String {
        self.single_address().unwrap_or_else(|| self.place.address())
    }

    /// The user in whose name everything is asked, where the URL or the environment says.
    pub(super) fn user(&self) -> Option<String> {
        self.place.user.clone()
    }

    /// A client with connections of its own.
    pub(super) fn client(&self) -> Result<Client> {
        self.client_on(runtime()?.handle())
    }

    /// The same, on other threads.
    pub(super) fn client_on(&self, threads: &Handle) -> Result<Client> {
        let url = match self.single_address() {
            Some(address) => format!("hdfs://{address}"),
            None => format!("hdfs://{}", self.place.host),
        };
        let mut keys = self.keys.clone();
        // Without these somebody who typed a wrong port waits three minutes.
        for (key, value) in [
            ("dfs.client.failover.max.attempts", "3".to_owned()),
            ("dfs.client.failover.sleep.base.millis", "50".to_owned()),
            ("dfs.client.failover.sleep.max.millis", "200".to_owned()),
            ("dfs.client.socket-timeout", self.stall().as_millis().to_string()),
        ] {
            keys.insert(key.into(), value);
        }
        // All keys are there already: what the client would look for in folders is nowhere.
        let mut builder = ClientBuilder::new()
            .with_url(url)
            .with_config_dir("/dev/null")
            .with_config(keys)
            .with_io_runtime(threads.clone());
        if let Some(user) = self.user() {
            builder = builder.with_user(user);
        }
        builder.build().map_err(|e| {
            let (kind, why) = reason(&e);
            Error::new(kind, format!("cannot open the store {}: {why}", self.place))
        })
    }

    /// The size of the block that a file of about `len` bytes fills, as far as the configuration permits one.
    pub(super) fn block_bytes(&self, len: u64) -> u64 {
        let key = |key: &str, usual| self.keys.get(key).and_then(|value| value.parse().ok()).unwrap_or(usual);
        let unit = key("dfs.bytes-per-checksum", BLOCK_UNIT).clamp(1, 1 << 20);
        let least = key("dfs.namenode.fs-limits.min-block-size", BLOCK_BYTES_MIN).clamp(unit, 1 << 30);
        len.max(least).next_multiple_of(unit)
    }

    /// How long a DataNode may give or take nothing before another one is tried.
    pub(super) fn stall(&self) -> Duration {
        (self.timeout / 6).max(Duration::from_millis(50))
    }
}

/// The folder of Hadoop's configuration, where the environment names one.
pub(super) fn folder() -> Option<PathBuf> {
    let folder = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    folder("HADOOP_CONF_DIR").or_else(|| Some(folder("HADOOP_HOME")?.join("etc/hadoop")))
}

fn read_keys(folder: &Path) -> Result<HashMap<String, String>> {
    let mut keys = HashMap::new();
    for name in ["core-site.xml", "hdfs-site.xml"] {
        let path = folder.join(name);
        let len = match std::fs::metadata(&path) {
            Ok(meta) => meta.len(),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => continue,
            Err(e) => return Err(Error::io(format!("cannot read {}", path.display()), e)),
        };
        if len > FILE_BYTES_MAX {
            let shown = path.display();
            return Err(Error::invalid(format!(
                "cannot read {shown}: it has {len} bytes, {FILE_BYTES_MAX} are the most"
            )));
        }
        let text = std::fs::read_to_string(&path)
            .map_err(|e| Error::invalid(format!("cannot read {}", path.display())).with_source(e))?;
        keys.extend(parse_keys(&text).map_err(|e| {
            Error::invalid(format!("cannot read {}: it is no configuration of Hadoop", path.display()))
                .with_source(e)
        })?);
    }
    Ok(keys)
}

/// The keys and values of `<configuration><property><name/><value/></property></configuration>`.
pub(super) fn parse_keys(text: &str) -> Result<Vec<(String, String)>, roxmltree::Error> {
    let options = roxmltree::ParsingOptions { allow_dtd: true, ..Default::default() };
    let tree = roxmltree::Document::parse_with_options(text, options)?;
    let properties = tree.root_element().children().filter(|node| node.has_tag_name("property"));
    let text_of = |node: roxmltree::Node<'_, '_>, tag: &str| {
        let child = node.children().find(|child| child.has_tag_name(tag))?;
        Some(child.text().unwrap_or_default().trim().to_owned())
    };
    Ok(properties.filter_map(|node| Some((text_of(node, "name")?, text_of(node, "value")?))).collect())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::store::hdfs) fn configuration(url: &str, keys: &[(&str, &str)]) -> Configuration {
        let place = HdfsPlace::parse(url, url.strip_prefix("hdfs:").unwrap()).unwrap();
        let keys = keys.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Configuration { place, timeout: Duration::from_secs(30), options: HdfsOptions::DEFAULT, keys }
    }

    #[test]
    fn a_host_has_a_port_and_a_name_service_none() {
        assert_eq!(configuration("hdfs://nn/x", &[]).shown_address(), "nn:8020");
        assert_eq!(configuration("hdfs://nn:9000/x", &[]).shown_address(), "nn:9000");
        let keys =
            [("dfs.ha.namenodes.mycluster", "a,b"), ("dfs.namenode.rpc-address.mycluster.a", "one:8020")];
        let service = configuration("hdfs://mycluster/x", &keys);
        assert_eq!((service.shown_address().as_str(), service.single_address()), ("mycluster", None));
        assert!(service.client().is_ok());
        let nobody = configuration("hdfs://mycluster/x", &keys[..1]).client().unwrap_err();
        assert!(nobody.message().contains("No NameNode"), "{nobody}");
    }

    #[test]
    fn a_file_is_one_block() {
        let usual = configuration("hdfs://nn/x", &[]);
        for (len, block) in [
            (0, 1 << 20),
            (1, 1 << 20),
            (1 << 20, 1 << 20),
            ((1 << 20) + 1, (1 << 20) + 512),
            (8_003_652, 8_004_096),
        ] {
            assert_eq!(usual.block_bytes(len), block);
        }
        let keys = [("dfs.namenode.fs-limits.min-block-size", "4000000"), ("dfs.bytes-per-checksum", "4096")];
        let large = configuration("hdfs://nn/x", &keys);
        assert_eq!((large.block_bytes(7), large.block_bytes(4_001_793)), (4_001_792, 4_005_888));
        let odd = [("dfs.namenode.fs-limits.min-block-size", "1m"), ("dfs.bytes-per-checksum", "0")];
        assert_eq!(configuration("hdfs://nn/x", &odd).block_bytes(7), 1 << 20);
    }

    #[test]
    fn the_files_of_hadoop_are_read_and_others_refused() {
        let text = "<?xml version=\"1.0\"?><!-- c --><configuration>\n<property><name>a.b</name><value> c </value>\
                    <final>true</final></property><property><name>x</name></property></configuration>";
        assert_eq!(parse_keys(text).unwrap(), [("a.b".to_owned(), "c".to_owned())]);
        for bad in ["", "no xml", "<configuration>", "<a></b>"] {
            assert!(parse_keys(bad).is_err(), "{bad}");
        }
        // Entities that blow up are refused by the parser's own limits.
        let bomb = "<!DOCTYPE c [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;\">\
                    <!ENTITY d \"&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;\">]><c>&d;&d;&d;&d;&d;&d;&d;&d;&d;&d;&d;&d;&d;&d;&d;&d;\
                    &d;&d;&d;&d;&d;&d;&d;&d;&d;&d;&d;&d;&d;&d;</c>";
        let _ = parse_keys(bomb);
    }

    #[test]
    fn options_that_cannot_be_are_refused() {
        let with = |timeout: u64, replication| HdfsOptions {
            timeout: Duration::from_millis(timeout),
            replication,
            ..HdfsOptions::DEFAULT
        };
        for bad in
            [with(0, None), with(99, None), with(u64::MAX, None), with(1000, Some(0)), with(1000, Some(513))]
        {
            assert!(set_hdfs_options(bad).is_err());
        }
        assert!(set_hdfs_options(HdfsOptions::DEFAULT).is_ok());
    }
}
