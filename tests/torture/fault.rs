//! Disks that are full, read-only or gone, and limits of the process: a clear error, the old table whole, nothing left.

mod disk;
mod process;

use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use crate::Torture;
use crate::place::Place;

/// One kind of fault. It says how often what was tried.
struct Case {
    name: &'static str,
    /// It mounts, so it runs in a namespace of its own.
    mounts: bool,
    run: fn(&Place, &Trial) -> Result<String, String>,
}

/// By which seed, and how much.
struct Trial {
    seed: u64,
    quick: bool,
}

const CASES: [Case; 8] = [
    Case { name: "full disk", mounts: true, run: disk::full },
    Case { name: "disk that fills meanwhile", mounts: true, run: disk::filling },
    Case { name: "read-only disk", mounts: true, run: disk::read_only },
    Case { name: "folder removed meanwhile", mounts: false, run: disk::removed },
    Case { name: "limit of a file's size", mounts: false, run: process::file_size },
    Case { name: "limit of open files", mounts: false, run: process::open_files },
    Case { name: "limit of address space", mounts: false, run: process::address_space },
    Case { name: "closed standard streams", mounts: false, run: process::closed_streams },
];

/// The rows and columns of a table of 10 MB, whose product by a grid lies in several shards.
const N: u64 = 1100;

pub(crate) fn run(torture: &mut Torture) {
    let unshare = namespaces();
    for case in CASES {
        if Instant::now() > torture.end_of(0, 1) {
            torture.skip(case.name, "out of time");
            continue;
        }
        let trial = Trial { seed: torture.seed, quick: torture.quick };
        let outcome = match (&unshare, case.mounts) {
            (None, true) => {
                // A fact about the machine, which CI cannot change: no finding there either.
                torture.row(case.name, "SKIPPED", "this machine permits no mounts (unshare --mount)");
                continue;
            }
            (Some(unshare), true) => Place::new(N).and_then(|place| isolated(unshare, &case, &place, &trial)),
            (_, false) => Place::new(N).and_then(|place| (case.run)(&place, &trial)),
        };
        match outcome {
            Ok(seen) => torture.row(case.name, "", seen.trim()),
            Err(message) => torture.find(&format!("{}: {}", case.name, message.trim())),
        }
    }
}

/// The words that start a command with mounts of its own, where this machine permits that.
fn namespaces() -> Option<&'static [&'static str]> {
    let ways: [&[&str]; 2] = [&["unshare", "--map-root-user", "--mount"], &["unshare", "--mount"]];
    ways.into_iter().find(|way| {
        let mut command = Command::new(way[0]);
        command.args(&way[1..]).args(["mount", "-t", "tmpfs", "none", env!("CARGO_TARGET_TMPDIR")]);
        command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
    })
}

/// Runs a case by this program again, started by `unshare`.
fn isolated(unshare: &[&str], case: &Case, place: &Place, trial: &Trial) -> Result<String, String> {
    let myself = std::env::current_exe().map_err(|error| error.to_string())?;
    let quick = if trial.quick { "quick" } else { "long" };
    let output = Command::new(unshare[0])
        .args(&unshare[1..])
        .arg(myself)
        .args(["inside", &format!("{} {} {quick}", trial.seed, case.name)])
        .arg(place.path())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| error.to_string())?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() { Ok(said) } else { Err(said) }
}

/// Runs a case in the namespace that was made for it.
pub(crate) fn inside(what: &str, folder: &Path) -> ExitCode {
    let (seed, rest) = what.split_once(' ').unwrap_or_default();
    let (name, length) = rest.rsplit_once(' ').unwrap_or_default();
    let trial = Trial { seed: seed.parse().unwrap_or_default(), quick: length == "quick" };
    let outcome = match CASES.iter().find(|case| case.name == name) {
        Some(case) => (case.run)(&Place::at(folder, N), &trial),
        None => Err(format!("no case {name:?}")),
    };
    match outcome {
        Ok(seen) => {
            println!("{seen}");
            ExitCode::SUCCESS
        }
        Err(message) => {
            println!("{message}");
            ExitCode::FAILURE
        }
    }
}
