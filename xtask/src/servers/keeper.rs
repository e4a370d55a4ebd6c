//! Ends servers and removes their folder when the process that started them ends, however it does.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::{fs, thread, time::Duration};

use rustix::process::{Pid, Signal, kill_process_group};

/// A shell that waits until the pipe from us closes, which it does when we end, even by kill -9. The servers are in its
/// process group: it kills them from outside of that.
///
/// A server that is being started holds the pipe until it is in the group and has become another program, so none is missed.
const SCRIPT: &str = r#"
trap '' HUP INT TERM
read -r _
exec setsid sh -c '
    kill -KILL "-$1"
    for try in 1 2 3 4 5 6 7 8 9 10; do kill -0 "-$1" 2>&- || break; sleep 0.2; done
    for volume in "$2"/*/volume; do [ ! -e "$volume" ] || umount "$volume" 2>&-; done
    for try in 1 2 3 4 5; do rm -rf -- "$2" && exit; sleep 0.2; done
' sh "$$" "$1"
"#;

/// How many times the removal of a folder is tried in which somebody may still have been writing.
const TRIES: u32 = 5;

/// What ends a group of servers.
#[derive(Debug)]
pub(crate) struct Keeper {
    shell: Child,
}

impl Keeper {
    /// Keeps the servers that will be in its group, and the folder.
    pub(crate) fn start(folder: &Path) -> Result<Keeper, String> {
        let mut shell = Command::new("sh");
        shell.args(["-c", SCRIPT, "hama-hdfs-keeper"]).arg(folder).process_group(0);
        shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let shell = shell.spawn().map_err(|error| format!("cannot start sh: {error}"))?;
        Ok(Keeper { shell })
    }

    /// Starts a server that will be ended with the others.
    pub(crate) fn spawn(&self, command: &mut Command) -> Result<Child, String> {
        let group = Pid::from_child(&self.shell).as_raw_nonzero().get();
        let child = command.process_group(group).stdin(Stdio::null()).spawn();
        child.map_err(|error| format!("cannot start {}: {error}", command.get_program().display()))
    }

    /// Ends them now.
    pub(crate) fn end(&mut self) {
        // Fails where none of them is left.
        let _ = kill_process_group(Pid::from_child(&self.shell), Signal::KILL);
        let _ = self.shell.wait();
    }
}

/// Removes a folder with all volumes that are mounted in it, when its servers have ended.
pub(crate) fn remove(folder: &Path) -> Result<(), String> {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let volume = entry.path().join("volume");
        if volume.exists() {
            // Fails where nothing is mounted.
            let _ = Command::new("umount").arg(&volume).stderr(Stdio::null()).status();
        }
    }
    let mut outcome = Ok(());
    for _ in 0..TRIES {
        outcome = fs::remove_dir_all(folder);
        if !folder.exists() {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(200));
    }
    outcome.map_err(|error| format!("cannot remove {}: {error}", folder.display()))
}
