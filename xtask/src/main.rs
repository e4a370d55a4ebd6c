//! `cargo xtask test` and `cargo xtask ci`: what the tests of Hama need, set up, and everything run.

#![expect(clippy::print_stderr, reason = "a program that talks to the person who started it")]

mod ci;
mod oracles;
mod steps;

use std::process::ExitCode;

use steps::Steps;

const USAGE: &str = "\
usage: cargo xtask test [CARGO-TEST-OPTIONS] [-- TEST-OPTIONS]
       cargo xtask ci

test   sets up the Python environment that results are compared with (target/oracles) and runs every test
ci     format, lints, docs, benches and tests: everything that a change must pass";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut steps = Steps::new();
    let outcome = match arguments.split_first() {
        Some((verb, rest)) if verb == "test" => ci::test(&mut steps, rest),
        Some((verb, [])) if verb == "ci" => ci::all(&mut steps),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    steps.report();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("xtask: {message}");
            ExitCode::FAILURE
        }
    }
}
