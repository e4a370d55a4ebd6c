//! Limits of the process: the length of files, open files, address space, and standard streams that are closed.

use super::Trial;
use super::disk::unharmed;
use crate::place::Place;

/// A table `t` with the elements of `old`, and a file with them.
const SETUP: [&str; 3] = [
    "matrix random old --rows {n} --cols {n} --seed 1",
    "matrix random t --rows {n} --cols {n} --seed 1",
    "matrix export old old.npy",
];
/// What writes a table `u`, or `t` as it is; 10 MB each but for the fourth.
const LINES: [&str; 5] = [
    "matrix random u --rows {n} --cols {n}",
    "matrix multiply old old --output u --grid 2x1x1 --peers 2",
    "matrix import old.npy u",
    "matrix random t --rows 5 --cols 5 --replace",
    "matrix export t u.npy",
];

/// The limits are in units of 512 bytes; within the larger ones small files fit.
pub(super) fn file_size(place: &Place, trial: &Trial) -> Result<String, String> {
    place.prepare(&SETUP)?;
    let mut refused = 0;
    let limits: &[u64] = if trial.quick { &[0, 8] } else { &[0, 1, 2, 8, 100, 4096] };
    for blocks in limits {
        for line in LINES {
            let reply = place.limited(&format!("ulimit -f {blocks}"), line)?;
            if line.contains("5 --cols 5") && reply.status == 0 {
                place.prepare(&["matrix random t --rows {n} --cols {n} --seed 1 --replace"])?;
                continue;
            }
            reply.fails(1, &["File too large"])?;
            unharmed(place, &["old.npy"])?;
            refused += 1;
        }
    }
    Ok(format!("{refused} commands told"))
}

pub(super) fn open_files(place: &Place, trial: &Trial) -> Result<String, String> {
    place.prepare(&SETUP)?;
    let step = if trial.quick { 9 } else { 1 };
    under(place, (3..36).step_by(step).map(|count| format!("ulimit -n {count}")))
}

pub(super) fn address_space(place: &Place, trial: &Trial) -> Result<String, String> {
    place.prepare(&SETUP)?;
    let step = if trial.quick { 150_000 } else { 10_000 };
    under(place, (40_000..400_000).step_by(step).map(|kib| format!("ulimit -v {kib}")))
}

pub(super) fn closed_streams(place: &Place, trial: &Trial) -> Result<String, String> {
    place.prepare(&SETUP)?;
    let mut tried = 0;
    let ways = ["exec <&- >&- 2>&-", "exec <&-", "exec >&-", "exec 2>&-"];
    for closed in &ways[..if trial.quick { 1 } else { ways.len() }] {
        for line in LINES {
            let reply = place.limited(closed, line)?;
            if reply.status != 0 {
                return Err(format!("after {closed}: {}", reply.said()));
            }
            restore(place)?;
            tried += 1;
        }
    }
    Ok(format!("{tried} commands do their work"))
}

/// Runs everything under each of these limits: it works, or says what it lacks.
fn under(place: &Place, limits: impl Iterator<Item = String>) -> Result<String, String> {
    let (mut done, mut failed) = (0, 0);
    for limit in limits {
        for line in LINES {
            let reply = place.limited(&limit, line)?;
            // The system's own loader speaks before the command does.
            let began = !reply.err.contains("error while loading shared libraries");
            // So ends every program of the language when a few bytes are refused; no other limit does that.
            let aborted = limit.starts_with("ulimit -v") && reply.err.contains("memory allocation of ");
            if reply.status == 0 {
                done += 1;
                restore(place)?;
            } else {
                if began && !aborted {
                    reply.is_clear().map_err(|message| format!("{limit}: {message}"))?;
                }
                failed += 1;
                if aborted || limit.starts_with("ulimit -n") {
                    // Who is killed, or has no file to open a folder with, cannot clear it: the next writer does, or this.
                    place.prepare(&["matrix gc"])?;
                }
                unharmed(place, &["old.npy"]).map_err(|message| format!("{limit}, {line}: {message}"))?;
            }
        }
    }
    Ok(format!("{failed} told, {done} worked"))
}

/// As it was before a command that went well.
fn restore(place: &Place) -> Result<(), String> {
    let _ = std::fs::remove_file(place.path().join("u.npy"));
    place.prepare(&["-matrix remove u", "matrix random t --rows {n} --cols {n} --seed 1 --replace"])
}
