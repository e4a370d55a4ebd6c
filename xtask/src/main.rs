//! `cargo xtask test`, `ci`, `hdfs`, `cluster`, `compare` and `torture`: what the tests and comparisons of Hama need, set up, and everything run.

#![expect(clippy::print_stderr, reason = "a program that talks to the person who started it")]

mod ci;
mod compare;
mod daemons;
mod oracles;
mod services;
mod steps;
mod torture;

use std::process::ExitCode;

use steps::Steps;

const USAGE: &str = "\
usage: cargo xtask test [CARGO-TEST-OPTIONS] [-- TEST-OPTIONS]
       cargo xtask ci
       cargo xtask hdfs up | status | down
       cargo xtask hdfs up --hosts [-- COMMAND...]
       cargo xtask cluster up | status | down
       cargo xtask cluster up --hosts [-- COMMAND...]
       cargo xtask compare [--quick] [--only NAME,...]
       cargo xtask torture [--seed N] [--minutes M] [--only NAME,...]

test   sets up the Python environment that results are compared with (target/oracles) and a real HDFS with a real
       ZooKeeper (target/services), and runs every test
ci     format, lints, docs, benches, tests and a quick comparison: everything that a change must pass

hdfs   a real HDFS to try Hama with: a NameNode and three DataNodes on this machine, fetched from Maven Central
  up                starts it, and says what --store to use; it stays until down
  up --hosts        opens a shell (or runs COMMAND) where the three DataNodes are three hosts: which one a command is on
                    is told by the address that it dials. It goes when the shell ends
  status            says what is up
  down              ends it, and removes its files

cluster   a whole cluster to try Hama with: an HDFS as above, a ZooKeeper, a master and three grooms, with the
          optimised command, which it builds
  up                starts it, and says what to type; it stays until down
  up --hosts        opens a shell (or runs COMMAND) where the three grooms are on three hosts, each beside its DataNode
  status            says what is up, and what to type
  down              ends it, and removes its files

compare   measures Hama beside NumPy, Dask with Zarr, and MKL, which it installs into target; writes the table of
          README.md, docs/compare.svg and benches/runs/DATE-compare-PROCESSOR.txt. What to watch: benches/README.md
  --only NAME,...   these alone; of the others the table keeps what this machine showed last:
                      kernel       C += A B in memory: NumPy's dot, MKL, the gemm crate, the peak
                      files        from files to a file: the kernel in memory, NumPy, dask + zarr
                      memory       --memory 128MiB, 256MiB, 512MiB: resident memory, time
                      larger       N = 24000 in 1 GiB, a result of 12.8 GB: the disk's speed beside (21 GB of disk)
                      random       making random matrices
                      transposed   transposed operands, A times its own transpose
                      engine       barrier, messages, payloads over sockets
                      command      --version, 100 x 100
                      hdfs         an HDFS that it starts and ends (Java): plain files, `hdfs dfs`, local tables beside
                      cluster      a whole cluster that it starts and ends: one process on the same HDFS, dask distributed
  --quick           all of them small, once and without MKL, into target/compare/quick: to see that it works

torture   does to the optimised command what machines and people do, for 20 minutes, and says what it tried and found;
          a short set of each is among the tests
  --seed N          does the same again: the seed is printed
  --minutes M       at most so long in all, up to 60; building comes on top
  --only NAME,...   these alone:
                      kill         kill -9 at a hundred moments of each verb
                      fault        full and read-only disks, limits, folders that vanish
                      race         two writers of a table, readers of one that is replaced
                      simulate     supersteps over bad networks, clusters that break
                      hdfs         a real HDFS whose servers are killed, frozen, full or refuse; kill -9 and races there
                      cluster      peers, grooms and masters killed or frozen at any moment of a job
                      fuzz         every parser of foreign bytes (cargo-fuzz): alone and without --minutes two minutes
                                   each, else all of them a quarter of the time, in the default some 18 s each
Exit status 1: something failed, the others went on. An aim that is missed is no failure.";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut steps = Steps::new();
    let outcome = match arguments.split_first() {
        Some((verb, rest))
            if asks_for_help(verb)
                || ["compare", "torture", "hdfs", "cluster"].contains(&verb.as_str())
                    && rest
                        .iter()
                        .take_while(|argument| *argument != "--")
                        .any(|argument| asks_for_help(argument)) =>
        {
            eprintln!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Some((verb, rest)) if verb == "test" => ci::test(&mut steps, rest),
        Some((verb, [])) if verb == "ci" => ci::all(&mut steps),
        Some((verb, rest)) if verb == "hdfs" => match services::Verb::parse(rest) {
            Ok(verb) => return end(services::run(&mut steps, &verb)),
            Err(message) => return refuse(&message),
        },
        Some((verb, rest)) if verb == "cluster" => match daemons::Verb::parse(rest) {
            Ok(verb) => return end(daemons::run(&mut steps, &verb)),
            Err(message) => return refuse(&message),
        },
        Some((verb, rest)) if verb == "compare" => match compare::Options::parse(rest) {
            Ok(options) => compare::run(&mut steps, &options),
            Err(message) => return refuse(&message),
        },
        Some((verb, rest)) if verb == "torture" => match torture::Options::parse(rest) {
            Ok(options) => torture::run(&mut steps, &options),
            Err(message) => return refuse(&message),
        },
        _ => return refuse("what to do?"),
    };
    steps.report();
    end(outcome.map(|()| ExitCode::SUCCESS))
}

fn end(outcome: Result<ExitCode, String>) -> ExitCode {
    outcome.unwrap_or_else(|message| {
        eprintln!("xtask: {message}");
        ExitCode::FAILURE
    })
}

fn asks_for_help(argument: &str) -> bool {
    ["--help", "-h", "help"].contains(&argument)
}

/// Ends because of the command line.
fn refuse(message: &str) -> ExitCode {
    eprintln!("xtask: {message}\n\n{USAGE}");
    ExitCode::from(2)
}
