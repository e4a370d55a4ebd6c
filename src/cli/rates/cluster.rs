//! The rates of a cluster, which `hama bench probe --master` has stored: one file a master, beside that of this machine.

use std::path::{Path, PathBuf};

use hama::plan::Rates;
use hama::{Cluster, GroomStatus, Result};
use serde::{Deserialize, Serialize};

use super::{SCHEMA, check_schema, content};

/// What plans need of the file; the rest is for people.
#[derive(Serialize, Deserialize)]
pub(crate) struct ProbedCluster {
    pub(crate) schema: u32,
    pub(crate) measured_unix: u64,
    pub(crate) cluster: Identity,
    pub(crate) rates: Rates,
}

/// Which cluster it is. Figures of one are not those of another, nor of other hosts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    /// The address of its master, as it is named.
    pub(crate) master: String,
    /// The servers of ZooKeeper.
    pub(crate) zookeeper: String,
    /// The hosts whose grooms are alive, by name, with their slots.
    pub(crate) hosts: Vec<(String, u32)>,
}

impl Identity {
    /// The cluster as it is now.
    ///
    /// # Errors
    /// `Unavailable` where its master is away.
    pub(crate) fn of(cluster: &Cluster) -> Result<Identity> {
        let zookeeper = cluster.status()?.zookeeper;
        Ok(Identity { master: cluster.master().to_owned(), zookeeper, hosts: hosts(&cluster.grooms()?) })
    }

    /// The names of the hosts.
    pub(crate) fn names(&self) -> String {
        let names: Vec<&str> = self.hosts.iter().map(|(name, _)| name.as_str()).collect();
        if names.is_empty() { "no hosts".to_owned() } else { names.join(", ") }
    }
}

fn hosts(grooms: &[GroomStatus]) -> Vec<(String, u32)> {
    let alive = grooms.iter().filter(|groom| groom.health == "alive" && !groom.draining);
    let mut hosts: Vec<(String, u32)> =
        alive.filter_map(|groom| Some((groom.host.as_ref()?.to_string(), groom.slots))).collect();
    hosts.sort();
    hosts
}

/// The file of a cluster, beside that of this machine: `probe.json` is `probe-localhost_7070.json`.
pub(crate) fn path(probe: &Path, master: &str) -> PathBuf {
    let safe = |c: char| if c.is_ascii_alphanumeric() || "-.".contains(c) { c } else { '_' };
    let name: String = master.chars().map(safe).take(128).collect();
    let stem = probe.file_stem().unwrap_or_default().to_string_lossy();
    let end = probe.extension().map(|end| format!(".{}", end.to_string_lossy())).unwrap_or_default();
    probe.with_file_name(format!("{stem}-{name}{end}"))
}

/// What a file says of the cluster that `now` asks, which it does where there is a file; else why it cannot be used.
pub(super) fn read(
    path: &Path,
    now: impl FnOnce() -> Result<Identity>,
) -> std::result::Result<Option<ProbedCluster>, String> {
    match content(path)? {
        None => Ok(None),
        Some(bytes) => {
            let now =
                now().map_err(|error| format!("whether it is of this cluster cannot be told: {error}"))?;
            parse(&bytes, &now).map(Some)
        }
    }
}

fn parse(bytes: &[u8], now: &Identity) -> std::result::Result<ProbedCluster, String> {
    check_schema(bytes, SCHEMA)?;
    let probed: ProbedCluster =
        serde_json::from_slice(bytes).map_err(|error| format!("it is damaged: {error}"))?;
    let then = &probed.cluster;
    if (&then.master, &then.zookeeper) != (&now.master, &now.zookeeper) {
        return Err(format!("it is of the cluster of {} at {}", then.master, then.zookeeper));
    }
    if then.hosts != now.hosts {
        let slots = |hosts: &[(String, u32)]| hosts.iter().map(|(_, slots)| u64::from(*slots)).sum::<u64>();
        return Err(format!(
            "it was measured on {} with {} slots, and now there are {} with {}",
            then.names(),
            slots(&then.hosts),
            now.names(),
            slots(&now.hosts)
        ));
    }
    probed.rates.check().map_err(|error| format!("it is damaged: {error}"))?;
    Ok(probed)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn now() -> Identity {
        let hosts = vec![("dn1".to_owned(), 2), ("dn2".to_owned(), 2)];
        Identity { master: "m:7070".into(), zookeeper: "z:2181".into(), hosts }
    }

    fn reason(change: impl FnOnce(&mut Value)) -> String {
        let mut value =
            json!({"schema": SCHEMA, "measured_unix": 7, "cluster": now(), "rates": Rates::of_cluster()});
        change(&mut value);
        parse(value.to_string().as_bytes(), &now()).map(drop).err().unwrap_or_default()
    }

    #[test]
    fn figures_are_of_a_cluster_and_its_hosts() {
        assert_eq!(reason(|_| ()), "");
        assert!(reason(|v| v["cluster"]["master"] = json!("other:1")).contains("other:1"));
        assert!(reason(|v| v["cluster"]["zookeeper"] = json!("y:1")).contains("y:1"));
        let other = reason(|v| v["cluster"]["hosts"] = json!([["dn1", 2], ["dn9", 2]]));
        assert!(other.contains("dn1, dn9 with 4 slots") && other.contains("dn1, dn2 with 4"), "{other}");
        assert!(reason(|v| v["cluster"]["hosts"] = json!([["dn1", 2], ["dn2", 1]])).contains("3 slots"));
        assert!(reason(|v| v["cluster"]["hosts"] = json!([])).contains("no hosts"));
        for damaged in ["cluster", "rates"] {
            assert!(reason(|v| v[damaged] = json!(null)).contains("damaged"), "{damaged}");
        }
        assert!(reason(|v| v["rates"]["flop_per_s"] = json!(-1)).contains("flop_per_s"));
        assert!(reason(|v| *v = json!({"schema": 9})).contains("schema is 9"));
        for bytes in [&b""[..], b"{", b"\xff", b"[]"] {
            assert!(parse(bytes, &now()).map(drop).unwrap_err().contains("damaged"));
        }
    }

    #[test]
    fn each_master_has_a_file() {
        let of = |master| path(Path::new("/state/hama/probe.json"), master);
        assert_eq!(of("localhost:7070"), Path::new("/state/hama/probe-localhost_7070.json"));
        assert_eq!(of("../[::1]:7"), Path::new("/state/hama/probe-..____1__7.json"));
        assert_eq!(path(Path::new("rates"), "m:1"), Path::new("rates-m_1"));
    }

    #[test]
    fn without_a_file_nobody_is_asked() {
        let folder = tempfile::tempdir().unwrap();
        let asked = || -> Result<Identity> { panic!("nobody is asked") };
        assert!(read(&folder.path().join("none.json"), asked).unwrap().is_none());
        let file = folder.path().join("some.json");
        std::fs::write(&file, "{}").unwrap();
        let away = || Err(hama::Error::new(hama::ErrorKind::Unavailable, "the master is away"));
        assert!(read(&file, away).err().unwrap().contains("is away"));
    }
}
