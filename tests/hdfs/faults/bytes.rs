//! Blocks that no DataNode has any more, and blocks with other bytes than were written.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::datanodes::NOTICED;
use super::{Bench, Trial};

const MAKE: &str = "matrix random t --rows 1500 --cols 1500 --seed 2 --replace";
const READERS: [&str; 3] = ["matrix check t", "matrix export t t.npy", "matrix multiply t t --output u"];

/// The error names table, shard and hosts.
pub(super) fn all_gone(bench: &Bench, _: &Trial) -> Result<String, String> {
    bench.place.prepare(&[MAKE])?;
    let (shard, replicas) = replicas(bench, 2)?;
    for replica in &replicas {
        fs::remove_file(replica).map_err(|error| error.to_string())?;
    }
    told(bench, &shard, 4, hama_core::Host::local().name())?;
    bench.place.prepare(&["matrix remove t"])?;
    bench.is_clean()?;
    Ok(format!("{} replicas gone, {} commands told", replicas.len(), READERS.len()))
}

/// With another replica the result is right; without one the error names what is damaged.
pub(super) fn flipped(bench: &Bench, trial: &Trial) -> Result<String, String> {
    for number in trial.tries(2, 8) {
        bench.place.prepare(&[MAKE])?;
        let (_, replicas) = replicas(bench, 2)?;
        flip(&replicas[number as usize % 2])?;
        let state = bench.place.state("t")?;
        if state != "old" {
            return Err(format!("the table is {state}"));
        }
    }
    bench.place.prepare(&[&format!("{MAKE} --replication 1")])?;
    let (shard, replicas) = replicas(bench, 1)?;
    flip(&replicas[0])?;
    told(bench, &shard, 5, "127.0.0.1")?;
    bench.place.prepare(&["matrix remove t"])?;
    bench.is_clean()?;
    Ok(format!("of two replicas the other one is read, and of one {} commands told", READERS.len()))
}

/// Checks that every reader ends so, names the table, its shard and a host, and leaves nothing.
fn told(bench: &Bench, shard: &str, status: i32, host: &str) -> Result<(), String> {
    let file = shard.rsplit('/').next().unwrap_or_default();
    for line in READERS {
        let reply = bench.place.run(line)?;
        reply.fails(status, &["table t", file, host])?;
    }
    if bench.place.info("u")?.is_some() || bench.place.path().join("t.npy").exists() {
        return Err("a result is there".to_owned());
    }
    Ok(())
}

/// The path of a shard of table `t`, and the files of its block, as soon as the NameNode knows of that many: a DataNode that the
/// case before broke may have left a pipeline while the shard was written, and the NameNode has it copied then.
fn replicas(bench: &Bench, wanted: usize) -> Result<(String, Vec<PathBuf>), String> {
    let files = bench.files("/faults/t")?;
    let shard = files.iter().find(|file| file.contains("/values/c.")).ok_or("no shard")?;
    let end = Instant::now() + NOTICED;
    loop {
        let located = bench.ask("GET", shard, "op=GET_BLOCK_LOCATIONS")?;
        let block = &located["LocatedBlocks"]["locatedBlocks"][0];
        let id = block["block"]["blockId"].as_u64().ok_or_else(|| format!("no block: {located}"))?;
        let hosts = block["locations"].as_array().map_or(0, Vec::len);
        let mut found = Vec::new();
        (0..3).for_each(|index| find(&bench.hdfs.data_dir(index), &format!("blk_{id}"), &mut found));
        if (hosts, found.len()) == (wanted, wanted) {
            return Ok((shard.clone(), found));
        }
        if Instant::now() > end {
            return Err(format!("block {id} is at {hosts} DataNodes in {} files, not {wanted}", found.len()));
        }
        thread::sleep(Duration::from_millis(200));
    }
}

fn find(folder: &Path, name: &str, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            find(&path, name, into);
        } else if entry.file_name() == name {
            into.push(path);
        }
    }
}

/// Changes a byte in the middle of a file.
fn flip(path: &Path) -> Result<(), String> {
    let flip = || {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        let (at, mut byte) = (file.metadata()?.len() / 2, [0]);
        file.read_exact_at(&mut byte, at)?;
        file.write_all_at(&[byte[0] ^ 1], at)
    };
    flip().map_err(|error: std::io::Error| format!("cannot change {}: {error}", path.display()))
}
