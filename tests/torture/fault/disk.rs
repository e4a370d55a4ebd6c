//! Disks that have no room, cannot be written, or lose a folder.

use std::fs::{self, File};
use std::io::Write;
use std::process::Command;
use std::thread;
use std::time::Duration;

use super::Trial;
use crate::place::Place;
use crate::random::Random;

/// A table `t` with the elements of `old`, and a small one.
const SETUP: [&str; 3] = [
    "matrix random old --rows {n} --cols {n} --seed 1",
    "matrix random t --rows {n} --cols {n} --seed 1",
    "matrix random small --rows 30 --cols 30",
];
/// How long after its beginning a command meets its fault, at most.
const LAG_MAX: Duration = Duration::from_millis(80);

/// Two tables of 10 MB fit, a third does not.
pub(super) fn full(place: &Place, _: &Trial) -> Result<String, String> {
    mount(place, &["-t", "tmpfs", "-o", "size=24m", "none"])?;
    place.prepare(&SETUP)?;
    let refused = [
        "matrix random t --rows {n} --cols {n} --seed 2 --replace",
        "matrix random u --rows {n} --cols {n}",
        "matrix full u --rows {n} --cols {n} --value 1",
        "matrix multiply old old --output t --grid 2x1x1 --peers 2 --replace",
        "matrix multiply old old --output u --grid 2x1x1 --peers 2",
        "matrix multiply old old --output ./u.npy",
        "matrix export old u.npy",
        "matrix export old u.zarr",
    ];
    for line in refused {
        place.run(line)?.fails(1, &["bytes", "room for"])?;
        unharmed(place, &[])?;
    }
    Ok(format!("{} commands refused with both numbers", refused.len()))
}

/// There is room when a command begins, and none a moment later.
pub(super) fn filling(place: &Place, trial: &Trial) -> Result<String, String> {
    mount(place, &["-t", "tmpfs", "-o", "size=48m", "none"])?;
    place.prepare(&SETUP)?;
    place.prepare(&["matrix export old old.npy"])?;
    let lines = [
        "matrix random t --rows {n} --cols {n} --seed 1 --replace",
        "matrix multiply old old --output u --grid 2x1x1 --peers 2",
        "matrix multiply old old --output ./u.npy",
        "matrix import old.npy u",
        "matrix export t u.npy",
        "matrix blocking t 3",
    ];
    let count = if trial.quick { 2 } else { 20 };
    let (mut done, mut failed) = (0, 0);
    for (line, number) in lines.iter().flat_map(|line| (0..count).map(move |number| (line, number))) {
        let mut random = Random::of(trial.seed, line, number);
        let running = place.start(line)?;
        thread::sleep(LAG_MAX.mul_f64(random.share() * random.share()));
        fill(place).map_err(|error| error.to_string())?;
        let reply = running.finish()?;
        fs::remove_file(place.path().join("filler")).map_err(|error| error.to_string())?;
        reply.is_clear()?;
        if reply.status == 0 {
            done += 1;
            place.prepare(&["-matrix remove u"])?;
            place.prepare(&["matrix random t --rows {n} --cols {n} --seed 1 --replace"])?;
            let _ = fs::remove_file(place.path().join("u.npy"));
        } else {
            failed += 1;
            // Also 4: the commit was done, and could not be made durable.
            if ![1, 4].contains(&reply.status) {
                return Err(format!("a full disk is not told as one: {}", reply.said()));
            }
            unharmed(place, &["old.npy"])?;
        }
    }
    Ok(format!("{failed} told, {done} were faster"))
}

/// Writes until no byte fits.
fn fill(place: &Place) -> std::io::Result<()> {
    let mut filler = File::create(place.path().join("filler"))?;
    for size in [1 << 20, 4096] {
        let zeros = vec![0; size];
        while filler.write_all(&zeros).is_ok() {}
    }
    Ok(())
}

/// What only reads works, everything else says what the matter is.
pub(super) fn read_only(place: &Place, _: &Trial) -> Result<String, String> {
    place.prepare(&SETUP)?;
    place.prepare(&["matrix export old old.npy"])?;
    let folder = place.path().display().to_string();
    mount(place, &["--bind", &folder])?;
    mount(place, &["-o", "remount,bind,ro"])?;
    let refused = [
        "matrix random u --rows 5 --cols 5",
        "matrix random t --rows {n} --cols {n} --replace",
        "matrix multiply old old --output u --grid 2x1x1 --peers 2",
        "matrix multiply old old --output ./u.npy",
        "matrix import old.npy u",
        "matrix blocking t 3",
        "matrix remove t",
        "matrix export t u.npy",
        "demo --size 100",
    ];
    for line in refused {
        place.run(line)?.fails(2, &["ead-only file"])?;
    }
    let works = ["info t", "check t", "show t --rows 0..2 --cols 0..2", "list", "path t", "diff t old"];
    for line in works {
        place.ok(&format!("matrix {line}"))?;
    }
    place.ok("matrix multiply t t --explain")?;
    unharmed(place, &["old.npy"])?;
    Ok(format!("{} commands refused, {} work", refused.len(), works.len() + 1))
}

/// Somebody deletes the folder of the table that is being written, or the store.
pub(super) fn removed(place: &Place, trial: &Trial) -> Result<String, String> {
    let count = if trial.quick { 3 } else { 30 };
    let (mut done, mut failed) = (0, 0);
    place.prepare(&[SETUP[0], "matrix multiply old old --output u --grid 2x1x1 --peers 2"])?;
    place.is_spread("u")?;
    place.prepare(&["matrix remove u"])?;
    for number in 0..count {
        place.prepare(&["matrix random old --rows {n} --cols {n} --seed 1 --replace"])?;
        let mut random = Random::of(trial.seed, "removed", number);
        let gone = if number % 3 == 2 { place.store() } else { place.store().join("u") };
        let line = if number % 2 == 0 {
            "matrix multiply old old --output u --grid 2x1x1 --peers 2"
        } else {
            "matrix random u --rows {n} --cols {n}"
        };
        let running = place.start(line)?;
        thread::sleep(LAG_MAX.mul_f64(random.share()));
        // Fails where a file is made in it meanwhile.
        let _ = fs::remove_dir_all(&gone);
        let reply = running.finish()?;
        reply.is_clear()?;
        if reply.status == 0 {
            done += 1
        } else {
            failed += 1
        }
        place.prepare(&["-matrix remove u", "matrix random u --rows 5 --cols 5 --replace"])?;
        place.is_clean("u", &[])?;
        place.prepare(&["matrix check u", "matrix remove u"])?;
    }
    Ok(format!("{failed} told, {done} were faster"))
}

/// Mounts on the place's folder.
fn mount(place: &Place, arguments: &[&str]) -> Result<(), String> {
    let output =
        Command::new("mount").args(arguments).arg(place.path()).output().map_err(|e| e.to_string())?;
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

/// The old table is there, and nothing else is.
pub(super) fn unharmed(place: &Place, files: &[&str]) -> Result<(), String> {
    if place.state("t", &["old"])? != "old" || place.state("u", &["old"])? != "none" {
        return Err("the tables are not the old ones".to_owned());
    }
    place.is_clean("t", files)?;
    if place.store().join("u").exists() { Err("the folder of table u was left".to_owned()) } else { Ok(()) }
}
