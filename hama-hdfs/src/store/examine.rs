//! Looks whether a store can be used, step by step, and says what to do where it cannot.

use std::fmt;
use std::time::{Duration, Instant};

use hama_core::{Error, ErrorKind, Host, Result};
use serde::Serialize;
use uuid::Uuid;

use super::{CreateHint, Durability, Lock, Store};
use crate::path::StorePath;
use crate::url::StoreUrl;

/// How many bytes are written and read to try: more than anything holds back for itself, done in a moment.
const PROBE_BYTES: usize = 8 << 20;

/// What was found about one thing.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// What was looked at, in a word or two.
    pub about: &'static str,
    /// How it is.
    pub verdict: Verdict,
    /// What was found.
    pub found: String,
    /// What to do, where there is anything.
    pub advice: Option<String>,
}

/// How something is that was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// As it should be.
    Good,
    /// It works, perhaps slower than it could.
    Doubtful,
    /// It does not work.
    Bad,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Verdict::Good => "ok",
            Verdict::Doubtful => "hmm",
            Verdict::Bad => "BAD",
        })
    }
}

impl Finding {
    pub(super) fn good(about: &'static str, found: impl Into<String>) -> Finding {
        Finding { about, verdict: Verdict::Good, found: found.into(), advice: None }
    }

    pub(super) fn doubtful(
        about: &'static str,
        found: impl Into<String>,
        advice: impl Into<String>,
    ) -> Finding {
        Finding { about, verdict: Verdict::Doubtful, found: found.into(), advice: Some(advice.into()) }
    }

    fn bad(about: &'static str, error: &Error) -> Finding {
        Finding { about, verdict: Verdict::Bad, found: error.to_string(), advice: None }
    }
}

/// What a store was found to be.
#[derive(Debug)]
pub struct Examination {
    /// What was looked at, in that order. Where something is bad, what would need it was not looked at.
    pub findings: Vec<Finding>,
    /// The first error, where there was one.
    pub error: Option<Error>,
}

/// Looks whether the store at `url` can be used by `host`: how it is reached, whether it takes, gives back and locks a file
/// of 8 MiB, and where that lies. With `make`, the store is made where there is none.
///
/// # Cost
/// Some ten calls to the store, 8 MiB written, read and deleted. Where a server hangs, as long as calls may take.
pub fn examine(url: &StoreUrl, host: &Host, make: bool) -> Examination {
    let mut examination = Examination { findings: Vec::new(), error: None };
    examination.error = examination.run(url, host, make).err();
    examination
}

impl Examination {
    fn run(&mut self, url: &StoreUrl, host: &Host, make: bool) -> Result<()> {
        #[cfg(feature = "hdfs")]
        let reached = super::hdfs::how_it_is_reached(url);
        #[cfg(not(feature = "hdfs"))]
        let reached = Ok(Vec::new());
        let found = self.step("configuration", || reached)?;
        self.findings.extend(found);
        let started = Instant::now();
        let opened = if make { super::create(url) } else { super::open(url) };
        if let Err(error) = &opened
            && error.kind() == ErrorKind::NotFound
            && !make
        {
            let advice = "the first command that writes makes it; --make makes it now, to try the rest";
            self.findings.push(Finding::doubtful("store", "there is none there yet", advice));
            return Ok(());
        }
        let store = self.step("store", || opened)?;
        self.say("store", format!("{} answered in {}", store.url(), shown(started.elapsed())));
        let path = StorePath::root().child(&format!(".hama-doctor-{}", Uuid::new_v4().simple()))?;
        let tried = self.try_file(&*store, &path, host);
        let deleted = store.delete(&path);
        tried?;
        self.step("delete", || deleted)?;
        let free = self.step("space", || store.free_bytes())?;
        let space = free.map_or("the store does not say how much is free".into(), |free| {
            format!("{:.1} GiB are free", free as f64 / f64::from(1 << 30))
        });
        self.say("space", space);
        Ok(())
    }

    fn try_file(&mut self, store: &dyn Store, path: &StorePath, host: &Host) -> Result<()> {
        // Bytes that no compression and no sparse file makes fewer.
        let bytes: Vec<u8> =
            (0..PROBE_BYTES as u64).map(|at| (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect();
        let started = Instant::now();
        self.step("write", || {
            let hint = CreateHint { len: bytes.len() as u64, host, durability: Durability::Full };
            let mut writer = store.create(path, hint)?;
            writer.write(&bytes)?;
            writer.close()
        })?;
        self.say("write", format!("8 MiB in {}", shown(started.elapsed())));
        let started = Instant::now();
        let mut found = vec![0; PROBE_BYTES];
        self.step("read", || {
            let reader = store.open(path)?;
            reader.read_at(0, &mut found)?;
            if found == bytes { Ok(()) } else { Err(Error::data("what was read is not what was written")) }
        })?;
        self.say("read", format!("8 MiB in {}", shown(started.elapsed())));
        self.step("lock", || match store.lock(path, Lock::Exclusive)? {
            Some(_) => Ok(()),
            None => Err(Error::internal("somebody has locked a file that nobody knows")),
        })?;
        self.say("lock", "files can be locked".into());
        self.say_where(store, path, host)
    }

    /// Says where the file lies, on a store that has hosts.
    fn say_where(&mut self, store: &dyn Store, path: &StorePath, host: &Host) -> Result<()> {
        if store.local_path(path).is_some() {
            return Ok(());
        }
        let blocks = self.step("locations", || store.hosts(path))?;
        if blocks.is_empty() {
            self.findings.push(Finding::doubtful(
                "locations",
                "nobody says which hosts hold a file, so nothing is placed beside its data",
                "--webhdfs HOST:PORT names the NameNode's web server (dfs.namenode.http-address, port 9870)",
            ));
            return Ok(());
        }
        match blocks.len() {
            1 => self.say("block size", "a file of 8 MiB is one block, as every shard will be".into()),
            count => self.findings.push(Finding::doubtful(
                "block size",
                format!("a file of 8 MiB is {count} blocks"),
                "the NameNode gives smaller blocks than it was asked for: see its hdfs-site.xml",
            )),
        }
        let holders: Vec<&Host> = blocks.iter().flat_map(|block| &block.hosts).collect();
        let names: Vec<&str> = holders.iter().map(|host| host.name()).collect();
        self.say("locations", format!("it lies on {}", names.join(", ")));
        if holders.contains(&host) {
            self.say("this host", format!("a DataNode runs on {host}: what is written here lies here"));
        } else {
            self.findings.push(Finding::doubtful(
                "this host",
                format!("no DataNode took the file on {host}, so bytes go over the network"),
                "if one runs here, --host NAME says by which of those names; else run where the data is",
            ));
        }
        Ok(())
    }

    fn say(&mut self, about: &'static str, found: String) {
        self.findings.push(Finding::good(about, found));
    }

    /// Does something that everything after it needs.
    fn step<T>(&mut self, about: &'static str, run: impl FnOnce() -> Result<T>) -> Result<T> {
        run().inspect_err(|error| self.findings.push(Finding::bad(about, error)))
    }
}

fn shown(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdicts(url: &str, make: bool) -> (Vec<(&'static str, Verdict)>, Examination) {
        let found = examine(&url.parse().unwrap(), &Host::local(), make);
        (found.findings.iter().map(|finding| (finding.about, finding.verdict)).collect(), found)
    }

    #[test]
    fn a_good_store_is_found_good_and_left_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("file:{}", folder.path().join("data").display());
        let (found, examination) = verdicts(&url, false);
        assert_eq!(found, [("store", Verdict::Doubtful)]);
        assert!(examination.error.is_none() && examination.findings[0].advice.is_some());
        assert!(!folder.path().join("data").exists());
        let (found, examination) = verdicts(&url, true);
        let good = |about| (about, Verdict::Good);
        assert_eq!(found, ["store", "write", "read", "lock", "space"].map(good));
        assert!(examination.error.is_none());
        assert_eq!(std::fs::read_dir(folder.path().join("data")).unwrap().count(), 0, "nothing stays");
    }

    #[test]
    fn a_store_with_hosts_says_where_a_file_lies() {
        let url = format!("strict:{}", Uuid::new_v4().simple());
        let store: StoreUrl = url.parse().unwrap();
        // One reply in 16 is ambiguous, so not each look at it comes to its end.
        let found = (0..20).map(|_| verdicts(&url, true)).find(|(_, found)| found.error.is_none());
        let (found, _) = found.unwrap();
        assert!(found.contains(&("this host", Verdict::Good)), "{found:?}");
        let other = (0..20).map(|_| examine(&store, &Host::new("elsewhere"), true));
        assert!(
            other
                .flat_map(|found| found.findings)
                .all(|finding| finding.about != "this host" || finding.verdict == Verdict::Good),
            "who writes as elsewhere is there"
        );
        crate::store::forget(&store).unwrap();
    }

    #[test]
    fn what_cannot_be_is_told() {
        let (found, examination) = verdicts("file:/proc/nowhere", true);
        assert_eq!(found, [("store", Verdict::Bad)]);
        assert!(examination.error.is_some());
        let file = tempfile::NamedTempFile::new().unwrap();
        let (found, examination) = verdicts(&format!("file:{}", file.path().display()), false);
        assert_eq!(
            (found, examination.error.unwrap().kind()),
            (vec![("store", Verdict::Bad)], ErrorKind::Invalid)
        );
    }
}
