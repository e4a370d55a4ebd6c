//! A table in HDFS beside plain files of the same client, in turns, by the bench `hdfs`.

use xtask::hdfs::Hdfs;

use super::super::lab::Lab;
use super::super::rounds::Spread;
use super::super::row::{Aim, Found};
use crate::steps::{cargo, output};

pub(super) fn run(lab: &mut Lab, hdfs: &Hdfs, found: &mut Found) -> Result<(), String> {
    lab.say("\nbench hdfs");
    let mut command = cargo(["bench", "--locked", "--quiet", "--bench", "hdfs", "--"]);
    command.args(lab.size(["5", "4"], ["1", "1"])).env("HAMA_TEST_HDFS", format!("{}/bench", hdfs.url()));
    // A cluster of the person at this machine is not meant.
    command.env_remove("HADOOP_CONF_DIR").env_remove("HADOOP_HOME");
    let text = output(&mut command)?;
    lab.say(text.trim_end());
    let rounds: Vec<Round> = text.lines().filter_map(Round::of).collect();
    if rounds.is_empty() {
        return Err("the bench hdfs has printed no round".into());
    }
    let what = "A table in HDFS: rate, as many bytes in 8 plain files in flight = 1";
    let ratios = |of: fn(&Round) -> f64| Spread::of(rounds.iter().map(of).collect());
    found.figure((what, "read"), ratios(|round| round.read), "", Some(Aim::AtLeast(0.8)));
    found.figure((what, "written"), ratios(|round| round.written), "", Some(Aim::AtLeast(0.9)));
    Ok(())
}

/// The rates of the table in one round of the bench, those of plain files being 1.
#[derive(Debug, PartialEq)]
struct Round {
    written: f64,
    read: f64,
}

impl Round {
    /// From a line `round R: write plain W table X, read plain Y table Z`, all in MB/s.
    fn of(line: &str) -> Option<Round> {
        let rest = line.strip_prefix("round ")?;
        let (_, rest) = rest.split_once(": write plain ")?;
        let (written, read) = rest.split_once(", read plain ")?;
        let ratio = |rates: &str| {
            let (plain, table) = rates.split_once(" table ")?;
            let (plain, table): (f64, f64) = (plain.parse().ok()?, table.parse().ok()?);
            (plain > 0.0).then_some(table / plain)
        };
        Some(Round { written: ratio(written)?, read: ratio(read)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the bench prints it.
    const PRINTED: &str = "\
a table of 8 shards with 128 tiles, 1024.0 MB of elements, beside 8 plain files of 128.0 MB: MB/s
round 0: write plain 400.0 table 380.0, read plain 1000.0 table 900.0
round 1: write plain 500.0 table 400.0, read plain 1000.5 table 2001.0
write, table / plain: 0.800 (0.800 to 0.950)
read, table / plain: 2.000 (0.900 to 2.000)";

    #[test]
    fn a_line_of_a_round_has_both_ratios() {
        let rounds: Vec<Round> = PRINTED.lines().filter_map(Round::of).collect();
        assert_eq!(rounds, [Round { written: 0.95, read: 0.9 }, Round { written: 0.8, read: 2.0 }]);
    }

    #[test]
    fn what_is_no_round_is_left_out() {
        for line in [
            "",
            "round 0:",
            "round 0: write plain 1.0 table 2.0",
            "round 0: write plain 1.0 table 2.0, read plain 1.0",
            "round 0: write plain 1.0 table two, read plain 1.0 table 1.0",
            "round 0: write plain 0.0 table 1.0, read plain 1.0 table 1.0",
            "a round 0: write plain 1.0 table 2.0, read plain 1.0 table 1.0",
        ] {
            assert_eq!(Round::of(line), None, "{line}");
        }
    }
}
