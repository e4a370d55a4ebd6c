//! A NameNode that is frozen, killed, or not there at all.

use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use super::datanodes::{Outcomes, again, settled};
use super::place::MULTIPLY;
use super::{Bench, TIMEOUT, Trial};
use crate::random::Random;

/// A while that nobody has to notice.
const MOMENT: Duration = Duration::from_secs(2);
/// More than the servers take to start.
const PATIENCE: Duration = Duration::from_secs(60);

/// For a moment: everything goes on. For longer: an error, and the table is the one that it says.
pub(super) fn frozen(bench: &Bench, trial: &Trial) -> Result<String, String> {
    let took = again(bench)?;
    let mut outcomes = Outcomes::default();
    for number in trial.tries(2, 16) {
        let at = took.mul_f64(Random::of(trial.seed, "frozen", number).share());
        let for_long = number % 2 == 1;
        let running = bench.place.start(MULTIPLY)?;
        thread::sleep(at);
        bench.hdfs.freeze_namenode()?;
        let reply = if for_long {
            let reply = bench.place.finish(running);
            bench.hdfs.thaw_namenode()?;
            reply?
        } else {
            thread::sleep(MOMENT);
            bench.hdfs.thaw_namenode()?;
            bench.place.finish(running)?
        };
        let outcome = settled(bench, &reply).map_err(|message| format!("frozen at {at:.1?}: {message}"))?;
        if !outcome && !for_long {
            return Err(format!("{MOMENT:?} of {TIMEOUT:?} were too long: {}", reply.said()));
        }
        outcomes.add(outcome);
        bench.is_clean()?;
        bench.place.prepare(&["-matrix remove t"])?;
    }
    bench.hdfs.freeze_namenode()?;
    let reply = bench.place.run("matrix list");
    bench.hdfs.thaw_namenode()?;
    reply?.fails(4, &["no answer", "--timeout"])?;
    outcomes.told()
}

/// A running product goes on with the NameNode that starts again.
pub(super) fn killed(bench: &Bench, trial: &Trial) -> Result<String, String> {
    let took = again(bench)?;
    let waiting = bench.place.waiting(PATIENCE)?;
    let mut outcomes = Outcomes::default();
    for number in trial.tries(1, 10) {
        let at = took.mul_f64(0.2 + 0.7 * Random::of(trial.seed, "namenode", number).share());
        let running = waiting.start(MULTIPLY)?;
        thread::sleep(at);
        bench.hdfs.kill_namenode()?;
        bench.hdfs.start_namenode()?;
        let reply = waiting.finish(running)?;
        let outcome = settled(bench, &reply).map_err(|message| format!("killed at {at:.1?}: {message}"))?;
        if !outcome {
            return Err(format!("killed at {at:.1?} of {took:.1?}, it did not go on: {}", reply.said()));
        }
        outcomes.add(outcome);
        bench.is_clean()?;
        bench.place.prepare(&["matrix remove t"])?;
    }
    outcomes.told()
}

/// Nobody listens, somebody else does, or one who says nothing.
pub(super) fn none(bench: &Bench, _: &Trial) -> Result<String, String> {
    let silent = TcpListener::bind("127.0.0.1:0").and_then(|listener| Ok((listener.local_addr()?, listener)));
    let (silent, _listener) = silent.map_err(|error| error.to_string())?;
    let nobody = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let nobody = nobody.map_err(|error| error.to_string())?;
    let wrong = [
        (nobody.to_string(), "nobody listens"),
        (bench.hdfs.web(), "answers HTTP"),
        (bench.hdfs.datanode(0), "127.0.0.1"),
        (silent.to_string(), "--timeout"),
    ];
    for (address, said) in &wrong {
        let place = bench.place.at(&format!("hdfs://{address}/faults"))?;
        for line in ["matrix list", "matrix random t --rows 5 --cols 5"] {
            place.run(line)?.fails(4, &[said])?;
        }
    }
    Ok(format!("{} addresses told", wrong.len()))
}
