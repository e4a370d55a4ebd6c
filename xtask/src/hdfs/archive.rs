//! Classes of the servers that Java keeps in a file and maps: they start in two thirds of the time.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Hdfs, Options, Services};
use crate::servers::jvm;

/// Tells Java to use the archive where there is one. Where that is not of its version or not of these jars, it does not.
pub(crate) fn flag(folder: &Path) -> String {
    let archive = archive(folder);
    if archive.exists() {
        format!("-XX:SharedArchiveFile={}", archive.display())
    } else {
        "-Xshare:auto".to_owned()
    }
}

fn archive(folder: &Path) -> PathBuf {
    folder.join("classes.jsa")
}

/// Starts servers and a tool once to see which classes they load, and makes the archive of those. The jars have to lie
/// where they will stay. Where something fails there is no archive: servers start slower, and that is all.
pub(crate) fn make(services: &Services, folder: &Path) {
    let work = folder.join("classes");
    let list = fs::create_dir_all(work.join("tmp")).map_err(|error| error.to_string());
    if let Ok(list) = list.and_then(|()| classes(services, &work)) {
        let mut dump = Command::new(jvm::java());
        dump.args(jvm::FLAGS).args(["-Xshare:dump", "-cp", &services.jars()]);
        dump.arg(format!("-XX:SharedClassListFile={}", list.display()));
        dump.arg(format!("-XX:SharedArchiveFile={}", archive(folder).display()));
        let _ = dump.output();
    }
    let _ = fs::remove_dir_all(&work);
}

/// A file that lists what they load.
fn classes(services: &Services, work: &Path) -> Result<PathBuf, String> {
    let failed = |error| format!("cannot list classes in {}: {error}", work.display());
    let listing = format!("-XX:DumpLoadedClassList={}", work.join("%p.list").display());
    let listing = Services { classes: listing, ..services.clone() };
    let servers = work.join("servers");
    fs::create_dir(&servers).map_err(failed)?;
    let hdfs = Hdfs::start_in(&servers, &Options { datanodes: 1, ..Options::default() }, &listing)?;
    hdfs.webhdfs("PUT", "/file", "op=CREATE", b"bytes")?;
    hdfs.webhdfs("GET", "/file", "op=OPEN", b"")?;
    hdfs.admin(&["-safemode", "get"])?;
    hdfs.stop()?;
    let mut classes = BTreeSet::new();
    for entry in fs::read_dir(work).map_err(failed)?.flatten() {
        if entry.path().extension().is_some_and(|extension| extension == "list") {
            let list = fs::read_to_string(entry.path()).map_err(failed)?;
            classes.extend(list.lines().map(|line| format!("{line}\n")));
        }
    }
    let all = work.join("all");
    fs::write(&all, classes.into_iter().collect::<String>()).map_err(failed)?;
    Ok(all)
}
