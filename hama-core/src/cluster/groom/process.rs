//! The process of a peer: started in a directory and a process group of its own, within limits, and watched to its end.

use std::fs;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process_group, prlimit};

use super::log;
use crate::error::{Error, ErrorKind, Result};

/// What of the groom's own environment a peer has: where programs and libraries are, and how people read.
const INHERITED: [&str; 9] =
    ["PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH", "RUST_BACKTRACE", "HADOOP_CONF_DIR"];
/// How often its memory is looked at.
const LOOK: Duration = Duration::from_millis(100);
/// How long what a process has printed may take to be kept after its end.
const LOGS_MAX: Duration = Duration::from_secs(1);
/// How much of the log is looked through for what it said last.
const LAST_WORDS_BYTES: u64 = 4 << 10;

/// What a process is started with.
#[derive(Clone, Debug)]
pub(crate) struct Start {
    /// The job's executable.
    pub(crate) executable: PathBuf,
    /// Its directory, which is made, and where its log lies.
    pub(crate) folder: PathBuf,
    /// What it has beside what all peers inherit.
    pub(crate) environment: Vec<(String, String)>,
    /// The most bytes of memory that it may have in use.
    pub(crate) memory_bytes: u64,
    /// The most files that it may have open.
    pub(crate) files_max: u64,
}

/// How a process ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Exited(i32),
    Signalled(i32),
    /// It had more memory in use than it may, in bytes.
    MemoryLimit(u64),
    /// What it prints could not be kept any more, so it was ended.
    Unlogged {
        kind: ErrorKind,
        message: String,
    },
}

/// A process that runs. Dropping it leaves it alone.
#[derive(Debug)]
pub(crate) struct Process {
    group: Pid,
    has_ended: Arc<AtomicBool>,
}

impl Start {
    /// Starts the process. It has one end of a connection as its standard input; the other is returned. `ended` is called
    /// once, on a thread of its own, when the process is gone.
    ///
    /// # Errors
    /// Those of the system: no such executable, no process, no disk.
    pub(crate) fn start(self, ended: impl FnOnce(Ending) + Send + 'static) -> Result<(Process, UnixStream)> {
        let doing = || format!("cannot start {} in {}", self.executable.display(), self.folder.display());
        let refused = |error| Error::io(doing(), error);
        fs::create_dir_all(&self.folder).map_err(refused)?;
        let (ours, theirs) = UnixStream::pair().map_err(refused)?;
        let (printed, prints) = io::pipe().map_err(refused)?;
        let mut command = Command::new(&self.executable);
        let inherited = INHERITED.iter().filter_map(|name| Some((*name, std::env::var_os(name)?)));
        command
            .env_clear()
            .envs(inherited)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(&self.folder)
            .process_group(0)
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(prints.try_clone().map_err(refused)?)
            .stderr(prints);
        let child = command.spawn().map_err(refused)?;
        // It holds the other ends of the pipe and of the connection: nobody would see them close.
        drop(command);
        let group = Pid::from_child(&child);
        // Before it is told what to do, so before it does anything.
        if let Err(error) = self.limit(group) {
            let _ = kill_process_group(group, Signal::KILL);
            return Err(refused(error));
        }
        let has_ended = Arc::new(AtomicBool::new(false));
        let watch = Watch {
            child,
            group,
            folder: self.folder.clone(),
            memory_bytes: self.memory_bytes,
            has_ended: Arc::clone(&has_ended),
        };
        watch.start(printed, ended).map_err(refused)?;
        Ok((Process { group, has_ended }, ours))
    }

    fn limit(&self, process: Pid) -> io::Result<()> {
        let at_most = |limit| Rlimit { current: Some(limit), maximum: Some(limit) };
        // Nobody may have more than the groom itself.
        let files_max =
            getrlimit(Resource::Nofile).maximum.map_or(self.files_max, |most| most.min(self.files_max));
        prlimit(Some(process), Resource::Nofile, at_most(files_max))?;
        prlimit(Some(process), Resource::Core, at_most(0))?;
        // What it asks for at once and beyond is refused there, what it takes bit by bit is seen by its watch.
        prlimit(Some(process), Resource::Data, at_most(self.memory_bytes.saturating_mul(2)))?;
        Ok(())
    }
}

impl Process {
    /// Ends it and all that it has started, at once.
    pub(crate) fn kill(&self) {
        end(self.group, &self.has_ended);
    }
}

fn end(group: Pid, has_ended: &AtomicBool) {
    // A group that is gone may be another's by now.
    if !has_ended.load(Ordering::Acquire) {
        let _ = kill_process_group(group, Signal::KILL);
    }
}

/// Waits for the end of a process, with an eye on its memory.
struct Watch {
    child: Child,
    group: Pid,
    folder: PathBuf,
    memory_bytes: u64,
    has_ended: Arc<AtomicBool>,
}

impl Watch {
    fn start(
        mut self,
        printed: impl Read + Send + 'static,
        ended: impl FnOnce(Ending) + Send + 'static,
    ) -> io::Result<()> {
        let folder = self.folder.clone();
        let (group, has_ended) = (self.group, Arc::clone(&self.has_ended));
        let (logged, logs) = mpsc::channel();
        thread::Builder::new().name("log".into()).spawn(move || {
            let mut unlogged = None;
            log::keep(&folder, printed, |error| {
                // It would run on with nobody knowing what it says.
                end(group, &has_ended);
                let doing = format!("cannot keep what the peer prints in {}", folder.display());
                unlogged = Some(Error::io(doing, error));
            });
            let _ = logged.send(unlogged);
        })?;
        let memory = Arc::new(std::sync::atomic::AtomicU64::new(0));
        let looks = {
            let (memory, has_ended) = (Arc::clone(&memory), Arc::clone(&self.has_ended));
            let (group, limit) = (self.group, self.memory_bytes);
            move || look(group, limit, &has_ended, &memory)
        };
        thread::Builder::new().name("memory".into()).spawn(looks)?;
        thread::Builder::new().name("end".into()).spawn(move || {
            let status = self.child.wait();
            self.has_ended.store(true, Ordering::Release);
            // What it has started goes with it: nobody would know of it any more.
            let _ = kill_process_group(self.group, Signal::KILL);
            // What has left the group may hold its output open for ever.
            let unlogged = logs.recv_timeout(LOGS_MAX).ok().flatten();
            let over = memory.load(Ordering::Acquire);
            ended(match unlogged {
                Some(error) => Ending::Unlogged { kind: error.kind(), message: error.with_causes() },
                None => self.ending(status, over),
            });
        })?;
        Ok(())
    }

    fn ending(&self, status: io::Result<ExitStatus>, over: u64) -> Ending {
        if over > 0 {
            return Ending::MemoryLimit(over);
        }
        let Ok(status) = status else { return Ending::Exited(-1) };
        match (status.code(), status.signal()) {
            (Some(code), _) => Ending::Exited(code),
            (None, Some(signal)) if signal == Signal::ABORT.as_raw() && self.ran_out_of_memory() => {
                Ending::MemoryLimit(self.memory_bytes)
            }
            (None, signal) => Ending::Signalled(signal.unwrap_or_default()),
        }
    }

    /// Whether its last words were that an allocation was refused, which ends a program of Rust.
    fn ran_out_of_memory(&self) -> bool {
        let last = log::tail(&self.folder, LAST_WORDS_BYTES).unwrap_or_default();
        String::from_utf8_lossy(&last).contains("memory allocation of ")
    }
}

/// Ends a process that has more memory in use than it may, and says how much that was.
fn look(group: Pid, limit: u64, has_ended: &AtomicBool, over: &std::sync::atomic::AtomicU64) {
    let status = PathBuf::from(format!("/proc/{}/status", group.as_raw_nonzero()));
    while !has_ended.load(Ordering::Acquire) {
        if let Some(bytes) = memory_in_use(&status)
            && bytes > limit
        {
            over.store(bytes, Ordering::Release);
            return end(group, has_ended);
        }
        thread::sleep(LOOK);
    }
}

/// The memory of a process that is its own: what is in use of files is everybody's.
fn memory_in_use(status: &Path) -> Option<u64> {
    let text = fs::read_to_string(status).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    struct Ran {
        process: Process,
        control: UnixStream,
        ended: mpsc::Receiver<Ending>,
        folder: tempfile::TempDir,
    }

    fn shell(script: &str, memory_bytes: u64) -> Ran {
        let folder = tempfile::tempdir().unwrap();
        let executable = folder.path().join("program");
        fs::write(&executable, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&executable, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        let start = Start {
            executable,
            folder: folder.path().join("task"),
            environment: vec![("GIVEN".into(), "a b".into())],
            memory_bytes,
            files_max: 50,
        };
        let (send, ended) = mpsc::channel();
        // Another test may be about to start a process that holds the file open to be written.
        let (process, control) = loop {
            let send = send.clone();
            match start.clone().start(move |ending| send.send(ending).unwrap()) {
                Ok(started) => break started,
                Err(error) if error.to_string().contains("Text file busy") => thread::sleep(LOOK),
                Err(error) => unreachable!("{error}"),
            }
        };
        Ran { process, control, ended, folder }
    }

    impl Ran {
        fn ending(&self) -> Ending {
            self.ended.recv_timeout(PATIENCE).unwrap()
        }

        fn log(&self) -> String {
            let bytes = log::tail(&self.folder.path().join("task"), 1 << 20).unwrap();
            String::from_utf8(bytes).unwrap()
        }
    }

    const ENOUGH: u64 = 1 << 30;

    #[test]
    fn what_has_left_its_group_keeps_nobody_waiting() {
        let ran = shell("setsid sleep 30 & exit 3", ENOUGH);
        assert_eq!(ran.ended.recv_timeout(PATIENCE / 2).unwrap(), Ending::Exited(3));
    }

    #[test]
    fn its_end_is_told_as_it_was() {
        assert_eq!(shell("exit 7", ENOUGH).ending(), Ending::Exited(7));
        assert_eq!(shell("kill -9 $$", ENOUGH).ending(), Ending::Signalled(9));
        let killed = shell("sleep 1000", ENOUGH);
        killed.process.kill();
        assert_eq!(killed.ending(), Ending::Signalled(9));
        killed.process.kill();
    }

    #[test]
    fn it_has_a_connection_a_folder_limits_and_little_environment() {
        let mut ran = shell(
            "read word; echo $word; pwd; echo $GIVEN; ulimit -n; env | grep -c CARGO; echo bad >&2",
            ENOUGH,
        );
        ran.control.write_all(b"hello\n").unwrap();
        assert_eq!(ran.ending(), Ending::Exited(0));
        let folder = ran.folder.path().join("task");
        assert_eq!(ran.log(), format!("hello\n{}\na b\n50\n0\nbad\n", folder.display()));
    }

    #[test]
    fn it_sees_the_end_of_the_one_that_started_it_and_is_seen_to_end() {
        let ran = shell("cat; echo gone", ENOUGH);
        ran.control.shutdown(std::net::Shutdown::Both).unwrap();
        assert_eq!(ran.ending(), Ending::Exited(0));
        assert_eq!(ran.log(), "gone\n");
        let mut other = shell("exit 0", ENOUGH);
        assert_eq!(other.ending(), Ending::Exited(0));
        assert_eq!(other.control.read(&mut [0]).unwrap(), 0);
    }

    #[test]
    fn what_it_has_started_goes_with_it() {
        let ran = shell("sleep 1000 & echo $!; exit 0", ENOUGH);
        assert_eq!(ran.ending(), Ending::Exited(0));
        let child = PathBuf::from(format!("/proc/{}", ran.log().trim()));
        let end = std::time::Instant::now() + PATIENCE;
        // Until it is reaped it is there, and dead.
        let is_dead = || fs::read_to_string(child.join("stat")).map_or(true, |stat| stat.contains(") Z "));
        while !is_dead() {
            assert!(std::time::Instant::now() < end);
            thread::sleep(LOOK);
        }
    }

    #[test]
    fn one_that_takes_more_memory_than_it_may_is_ended_and_told_so() {
        // It keeps the last 100 MB of what never ends, a bit more with each piece that comes.
        let more = "mkfifo f; { head -c 100000000 /dev/zero; sleep 1000; } > f & exec tail -c 100000000 f";
        let greedy = shell(more, 64 << 20);
        let ending = greedy.ending();
        assert!(
            matches!(ending, Ending::MemoryLimit(bytes) if bytes > 64 << 20),
            "{ending:?}: {}",
            greedy.log()
        );
        let aborted = shell("echo memory allocation of 9 bytes failed; kill -ABRT $$", 64 << 20);
        assert_eq!(aborted.ending(), Ending::MemoryLimit(64 << 20));
    }

    #[test]
    fn what_cannot_be_started_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let start = Start {
            executable: folder.path().join("none"),
            folder: folder.path().join("task"),
            environment: Vec::new(),
            memory_bytes: ENOUGH,
            files_max: 50,
        };
        let error = start.start(|_| ()).unwrap_err();
        assert!(error.message().contains("none"), "{error}");
    }
}
