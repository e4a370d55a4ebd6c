//! Commands that run, under a watchdog, and how they ended.

use std::io::Read;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

/// No command here takes as long.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often is asked whether it has ended.
const LOOK: Duration = Duration::from_micros(300);

/// A command that runs, in a process group of its own.
pub(crate) struct Running {
    line: String,
    child: Child,
    /// Who reads what it says, so that it never waits for us.
    streams: [JoinHandle<Vec<u8>>; 2],
}

/// How a command ended, and what it said.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) line: String,
    /// The exit status; minus the signal's number where one ended it.
    pub(crate) status: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Running {
    pub(crate) fn start(line: &str, mut command: Command) -> Result<Running, String> {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let mut child = command.spawn().map_err(|error| format!("cannot start hama {line}: {error}"))?;
        let streams = [read(child.stdout.take()), read(child.stderr.take())];
        Ok(Running { line: line.to_owned(), child, streams })
    }

    /// Kills it and all that it started, unless it has ended.
    pub(crate) fn kill(&self) {
        // Fails where none of them is left.
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
    }

    /// Waits for its end and for the last of what it says.
    ///
    /// # Errors
    /// It hangs. It is killed then.
    pub(crate) fn finish(mut self) -> Result<Reply, String> {
        let end = Instant::now() + PATIENCE;
        let status = loop {
            let ended = self.child.try_wait().map_err(|error| format!("hama {}: {error}", self.line))?;
            match ended {
                Some(status) if self.streams.iter().all(JoinHandle::is_finished) => break status,
                _ if Instant::now() > end => {
                    self.kill();
                    let what = ended.map_or("it", |_| "what it started");
                    let _ = self.child.wait();
                    let patience = PATIENCE.as_secs();
                    return Err(format!("hama {} hangs: {what} was killed after {patience} s", self.line));
                }
                _ => thread::sleep(LOOK),
            }
        };
        let [out, err] = self
            .streams
            .map(|stream| String::from_utf8_lossy(&stream.join().unwrap_or_default()).into_owned());
        let status = status.code().unwrap_or_else(|| -status.signal().unwrap_or_default());
        Ok(Reply { line: self.line, status, out, err })
    }
}

impl Reply {
    /// The command and all that is known of its end.
    pub(crate) fn said(&self) -> String {
        format!("hama {} ended with {}: {}{}", self.line, self.status, self.out, self.err)
    }

    /// Checks that it went well or failed with a clear error of its own.
    pub(crate) fn is_clear(&self) -> Result<(), String> {
        let is_told =
            self.err.lines().any(|line| line.starts_with("hama: ")) && !self.err.contains("panicked");
        if self.status == 0 || (1..=5).contains(&self.status) && is_told {
            return Ok(());
        }
        Err(format!("no clear error: {}", self.said()))
    }

    /// Checks that it failed with this exit status and said each of `parts`.
    pub(crate) fn fails(&self, status: i32, parts: &[&str]) -> Result<(), String> {
        self.is_clear()?;
        let missing = parts.iter().find(|part| !self.err.contains(**part));
        match missing {
            None if self.status == status => Ok(()),
            _ => Err(format!("should end with {status} and say {parts:?}: {}", self.said())),
        }
    }
}

fn read(stream: Option<impl Read + Send + 'static>) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut said = Vec::new();
        // What came before an error is worth as much.
        let _ = stream.map(|mut stream| stream.read_to_end(&mut said));
        said
    })
}
