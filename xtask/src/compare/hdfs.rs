//! Tables in a real HDFS: beside plain files, Hadoop's own shell and local tables, and whole commands.

mod plain;
mod shell;

use std::fs::File;
use std::time::Instant;

use xtask::hdfs::Hdfs;

use super::lab::Lab;
use super::rounds::{Candidate, Rounds, Spread, alternate, alternate_cold};
use super::row::{Aim, Found};

const HDFS: &str = "HDFS";
const LOCAL: &str = "local";
const LOCATIONS: &str = "locations";
const PRODUCT: &str = "100 x 100";
const FOLDER: &str = "/hama";

pub(super) fn run(lab: &mut Lab, found: &mut Found) -> Result<(), String> {
    lab.need_disk(lab.size(16 << 30, 1 << 30))?;
    let hdfs = lab.hdfs()?;
    lab.say(&format!("HDFS: Hadoop {}, {} DataNodes", hdfs.version()?, hdfs.options().datanodes));
    each(lab, &hdfs, found, &[plain::run, shell::run, product, commands]);
    hdfs.stop()
}

type Part = fn(&mut Lab, &Hdfs, &mut Found) -> Result<(), String>;

/// Where one part fails, the others have something to say.
fn each(lab: &mut Lab, hdfs: &Hdfs, found: &mut Found, parts: &[Part]) {
    for part in parts {
        if let Err(message) = clear(lab, hdfs).and_then(|()| part(lab, hdfs, found)) {
            lab.fail(&format!("hdfs: {message}"));
        }
    }
}

/// Removes what an earlier part has left.
fn clear(lab: &Lab, hdfs: &Hdfs) -> Result<(), String> {
    hdfs.webhdfs("DELETE", FOLDER, "op=DELETE&recursive=true", &[])?;
    lab.clear()
}

/// Where `hama` has its tables in HDFS.
pub(super) fn store(hdfs: &Hdfs) -> String {
    format!("{}{FOLDER}", hdfs.url())
}

/// What makes a command line of `hama` one in HDFS.
pub(super) fn there(hdfs: &Hdfs) -> String {
    format!("--store {} --webhdfs {}", store(hdfs), hdfs.web())
}

/// Writes what is left in memory of what was written here: DataNodes do not, and the next candidate would pay for it.
/// Says how many seconds that took.
pub(super) fn sync(lab: &Lab) -> Result<f64, String> {
    let failed = |error| format!("cannot sync {}: {error}", lab.folder.display());
    let folder = File::open(&lab.folder).map_err(failed)?;
    let start = Instant::now();
    rustix::fs::syncfs(&folder).map_err(|error| failed(error.into()))?;
    Ok(start.elapsed().as_secs_f64())
}

/// A command line of `hama` that makes a table; before the next round another one removes that.
pub(super) fn making<'a>(name: &str, line: String, remove: String) -> Candidate<'a> {
    let mut is_there = false;
    Candidate::new(name, move |lab| {
        if std::mem::replace(&mut is_there, true) {
            lab.hama(&remove)?;
        }
        let mut run = lab.hama(&line)?;
        let synced = run["seconds"].as_f64().unwrap_or(f64::NAN) + sync(lab)?;
        run["synced_seconds"] = synced.into();
        Ok(run)
    })
}

/// A product from HDFS to HDFS beside the same one from local tables to a local table.
fn product(lab: &mut Lab, hdfs: &Hdfs, found: &mut Found) -> Result<(), String> {
    let n = lab.size(8000u64, 600);
    let options = there(hdfs);
    for name in ["a", "b"] {
        lab.random(name, n, n, "f64")?;
        lab.hama(&format!("matrix copy {name} {}/{name}", store(hdfs)))?;
    }
    sync(lab)?;
    let (line, remove) = ("matrix multiply a b --output c", "matrix remove c");
    let candidates = vec![
        making(LOCAL, line.to_owned(), remove.to_owned()),
        making(HDFS, format!("{line} {options}"), format!("{remove} {options}")),
    ];
    let count = lab.size(5, 1);
    let rounds = alternate_cold(lab, &format!("product in HDFS, N = {n}, f64"), candidates, count);
    let case = format!("N = {n}, f64");
    let gb = (3 * n * n * 8) as f64 / 1e9;
    let what = "Product from HDFS to HDFS: time more than from local tables, a GB read or written";
    found.figure((what, &case), Spread::of(more_per_gb(&rounds, gb)), " s", Some(Aim::AtMost(1.6)));
    let what = "Product from HDFS to HDFS: time, from local tables = 1";
    found.figure((what, &case), rounds.times(HDFS, LOCAL), "", None);
    Ok(())
}

/// What each round takes longer in HDFS for a GB of so many.
fn more_per_gb(rounds: &Rounds, gb: f64) -> Vec<f64> {
    let seconds = |name| rounds.numbers(name, "seconds").into_iter();
    seconds(HDFS).zip(seconds(LOCAL)).map(|(hdfs, local)| (hdfs - local) / gb).collect()
}

/// Whole commands in which HDFS is asked much and moves little.
fn commands(lab: &mut Lab, hdfs: &Hdfs, found: &mut Found) -> Result<(), String> {
    let (shards, store, options) = (lab.size(1000, 20), store(hdfs), there(hdfs));
    lab.ours(&["shards", &store, "many", &shards.to_string()])?;
    for name in ["x", "y"] {
        lab.random(name, 100, 100, "f64")?;
        lab.hama(&format!("matrix copy {name} {store}/{name}"))?;
    }
    let candidates = vec![
        lab.command(LOCATIONS, format!("matrix info many --locations {options}")),
        lab.command(PRODUCT, format!("matrix multiply x y --output z --replace {options}")),
    ];
    let count = lab.size(10, 2);
    let rounds = alternate(lab, "commands in HDFS", candidates, count);
    let ms = |name| rounds.of(name, "seconds").map(|seconds| seconds.scaled(1e3));
    let what = "The whole command in HDFS";
    let case = format!("`hama matrix info --locations` of {shards} shards");
    found.figure((what, &case), ms(LOCATIONS), " ms", Some(Aim::AtMost(1000.0)));
    let case = "`hama matrix multiply` of 100 x 100";
    found.figure((what, case), ms(PRODUCT), " ms", Some(Aim::AtMost(2500.0)));
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Candidates that took so long in each round.
    fn rounds(lab: &mut Lab, seconds: [[f64; 2]; 2]) -> Rounds {
        let [local, hdfs] = seconds.map(|of| of.into_iter());
        let candidates = [(LOCAL, local), (HDFS, hdfs)].map(|(name, mut of)| {
            Candidate::new(name, move |_| Ok(json!({ "seconds": of.next().ok_or("no more")? })))
        });
        alternate_cold(lab, "a test", candidates.into(), 2)
    }

    #[test]
    fn what_hdfs_takes_longer_is_of_the_same_round() {
        let mut lab = Lab::for_tests();
        let rounds = rounds(&mut lab, [[10.0, 20.0], [13.0, 21.5]]);
        assert_eq!(more_per_gb(&rounds, 1.5), [2.0, 1.0]);
    }

    #[test]
    fn without_hdfs_it_fails_and_says_why() {
        let (mut lab, mut found) = (Lab::for_tests(), Found::default());
        assert_eq!(lab.hdfs().unwrap_err(), "no HDFS");
        assert!(run(&mut lab, &mut found).is_err());
        assert_eq!(found, Found::default());
    }
}
