//! What the NameNode refuses: changes in safe mode, what is over a quota, strangers, names that HDFS does not take.

use super::{Bench, Trial};

const WRITERS: [&str; 4] = [
    "matrix random t --rows 100 --cols 100",
    "matrix multiply a a --output t",
    "matrix update old --at 0,0 --value 1",
    "matrix copy old t",
];
const READERS: [&str; 4] = ["matrix list", "matrix info old", "matrix check old", "matrix diff old old"];

/// What only reads works, the rest says what the matter is.
pub(super) fn safe_mode(bench: &Bench, _: &Trial) -> Result<String, String> {
    bench.place.prepare(&["-matrix remove t"])?;
    bench.hdfs.safe_mode(true)?;
    let told = WRITERS.iter().try_for_each(|line| bench.place.run(line)?.fails(4, &["safe mode"]));
    let read = bench.place.prepare(&READERS);
    bench.hdfs.safe_mode(false)?;
    told.and(read)?;
    is_old(bench)?;
    Ok(format!("{} commands told, {} work", WRITERS.len(), READERS.len()))
}

/// Permissions are on, and the store is not the stranger's.
pub(super) fn denied(bench: &Bench, _: &Trial) -> Result<String, String> {
    bench.place.prepare(&["-matrix remove t"])?;
    let stranger = bench.place.at(&bench.place.url().replace("hdfs://", "hdfs://stranger@"))?;
    for line in WRITERS.iter().chain(&["matrix remove old", "matrix rename old t"]) {
        stranger.run(line)?.fails(2, &["user=stranger", "HADOOP_USER_NAME"])?;
    }
    stranger.prepare(&READERS)?;
    is_old(bench)?;
    Ok(format!("{} commands told, {} work", WRITERS.len() + 2, READERS.len()))
}

fn is_old(bench: &Bench) -> Result<(), String> {
    let states = [bench.place.state("t")?, bench.place.state("old")?];
    if states != ["none", "old"] {
        return Err(format!("tables t and old are {states:?}"));
    }
    bench.is_clean()
}

/// Names and bytes; each at every size from which something else is refused.
pub(super) fn quotas(bench: &Bench, trial: &Trial) -> Result<String, String> {
    let place = bench.place.at(&format!("{}/quota", bench.hdfs.url()))?;
    let set = |names: i64, bytes: i64| {
        let query = format!("op=SETQUOTA&namespacequota={names}&storagespacequota={bytes}");
        bench.ask("PUT", "/quota", &query).map(drop)
    };
    bench.ask("PUT", "/quota", "op=MKDIRS")?;
    place.prepare(&["matrix random old --rows 300 --cols 300 --seed 2"])?;
    let used = bench.ask("GET", "/quota", "op=GETCONTENTSUMMARY")?;
    let used = |what: &str| used["ContentSummary"][what].as_i64().unwrap_or_default();
    let (names, bytes) = (used("fileCount") + used("directoryCount"), used("spaceConsumed"));
    let (mut told, mut done) = (0, 0);
    for number in trial.tries(4, 16) {
        let more = number as i64;
        let quotas = [(names + more, i64::MAX >> 1), (i64::MAX >> 1, bytes + (more << 18))];
        for (names, bytes) in quotas {
            set(names, bytes)?;
            let reply = place.run("matrix random t --rows 300 --cols 300")?;
            set(i64::MAX >> 1, i64::MAX >> 1)?;
            match reply.status {
                0 => done += 1,
                _ => {
                    reply.fails(1, &["quota"])?;
                    if place.info("t")?.is_some() {
                        return Err(format!("table t is there: {}", reply.said()));
                    }
                    told += 1;
                }
            }
            place.prepare(&["-matrix remove t", "matrix check old", "matrix gc"])?;
            let left = bench.files("/quota")?;
            let is_ours = |file: &&String| file.starts_with("/quota/t") || file.contains("/.hama-part-");
            if let Some(left) = left.iter().find(is_ours) {
                return Err(format!("left behind: {left}"));
            }
        }
    }
    bench.ask("DELETE", "/quota", "op=DELETE&recursive=true")?;
    if told == 0 { Err("no quota was too small".to_owned()) } else { Ok(format!("{told} told, {done} fit")) }
}

/// Names that need care in URLs, and those that HDFS does not take.
pub(super) fn names(bench: &Bench, _: &Trial) -> Result<String, String> {
    let longest = "l".repeat(255);
    let good = ["with%20space", "with space", "gr\u{f6}\u{df}e/\u{6570}", "50%25", "a+b", &longest];
    for name in good {
        let place = bench.place.at(&format!("{}/names/{name}", bench.hdfs.url()))?;
        place.prepare(&[
            "matrix random x --rows 9 --cols 9 --replace",
            "matrix check x",
            "matrix remove x",
        ])?;
    }
    let too_long = "l".repeat(256);
    let bad = [("a:b", "colon"), ("a%3Ab", "colon"), ("50%", "%25"), ("..", ".."), (&too_long, "too long")];
    for (name, said) in bad {
        let place = bench.place.at(&format!("{}/names/{name}", bench.hdfs.url()))?;
        place.run("matrix random x --rows 9 --cols 9")?.fails(2, &[said])?;
    }
    bench.ask("DELETE", "/names", "op=DELETE&recursive=true")?;
    Ok(format!("{} names are stores, {} told", good.len(), bad.len()))
}
