//! What comparisons measure with: the built command, the candidates, a folder, and where all that is seen is noted.

use std::fmt::Display;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use serde_json::{Value, json};
use xtask::cluster::Cluster;
use xtask::hdfs::{Hdfs, Options};

use super::child::Process;
use super::machine::cores;
use super::rounds::Candidate;
use crate::oracles::{self, ORACLES};
use crate::services;
use crate::steps::{Steps, cargo, output, root, tail};

/// The programs that are compared.
pub(crate) struct Programs {
    pub(crate) hama: PathBuf,
    /// `benches/compare.rs`.
    pub(crate) rust: PathBuf,
    pub(crate) python: PathBuf,
    /// A Python with MKL, where it could be had.
    pub(crate) mkl: Result<PathBuf, String>,
    /// Whether an HDFS can be started.
    pub(crate) hdfs: Result<(), String>,
}

impl Programs {
    /// Builds ours and installs the others. Of MKL only the kernel's comparison knows, of HDFS only its own.
    pub(crate) fn set_up(steps: &mut Steps, mkl: bool, hdfs: bool) -> Result<Programs, String> {
        let python = oracles::set_up(steps, ORACLES)?;
        let mkl = if mkl { oracles::set_up(steps, "mkl") } else { Err("it was not asked for".into()) };
        let hdfs = if hdfs { services::set_up(steps) } else { Err("it was not asked for".into()) };
        let build = ["bench", "--locked", "--bench", "compare", "--no-run"];
        steps.run("hama, optimised", &mut cargo(build))?;
        // Asked again, it has nothing to do but to say where they lie.
        let messages = output(cargo(build).arg("--message-format=json"))?;
        let program = |kind: &str, name: &str| {
            let mut messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            let message = messages.find(|message| {
                let target = &message["target"];
                target["name"] == name && target["kind"][0] == kind && message["executable"].is_string()
            });
            let path = message.and_then(|message| message["executable"].as_str().map(PathBuf::from));
            path.ok_or_else(|| format!("cargo has built no {name}"))
        };
        Ok(Programs { hama: program("bin", "hama")?, rust: program("bench", "compare")?, python, mkl, hdfs })
    }

    /// `compare.py`, asked once.
    pub(crate) fn ask(&self, arguments: &[&str]) -> Result<Value, String> {
        let mut command = script(&self.python, arguments);
        let output = command
            .stderr(Stdio::inherit())
            .output()
            .map_err(|error| format!("cannot start {command:?}: {error}"))?;
        serde_json::from_slice(&output.stdout)
            .map_err(|_| format!("compare.py {} failed ({})", arguments.join(" "), output.status))
    }
}

/// Where comparisons take place.
pub(crate) struct Lab {
    /// Small sizes and one round, to see that everything works.
    pub(crate) quick: bool,
    /// Threads of every candidate: as many as there are cores.
    pub(crate) threads: usize,
    /// Some aims differ by the processor.
    pub(crate) is_amd: bool,
    /// What went wrong so far.
    pub(crate) failures: Vec<String>,
    /// A folder for tables and files. Every comparison begins with it empty.
    pub(crate) folder: PathBuf,
    programs: Programs,
    peak: Process,
    raw: File,
}

impl Lab {
    /// What is said goes to the end of the file `raw`.
    pub(crate) fn new(
        programs: Programs,
        quick: bool,
        is_amd: bool,
        folder: &Path,
        raw: &Path,
    ) -> Result<Lab, String> {
        let threads = cores();
        let mut command = Command::new(&programs.rust);
        command.args(["peak", &threads.to_string()]);
        let peak = Process::start(command)?;
        let raw = OpenOptions::new()
            .create(true)
            .append(true)
            .open(raw)
            .map_err(|error| format!("cannot write {}: {error}", raw.display()))?;
        let folder = folder.to_owned();
        Ok(Lab { quick, threads, is_amd, failures: Vec::new(), folder, programs, peak, raw })
    }

    /// Says a line and notes it.
    pub(crate) fn say(&mut self, line: &str) {
        eprintln!("{line}");
        if let Err(error) = writeln!(self.raw, "{line}") {
            eprintln!("xtask: cannot note this: {error}");
        }
    }

    /// Reports what went wrong. The others go on.
    pub(crate) fn fail(&mut self, message: &str) {
        self.say(&format!("FAILED: {message}"));
        self.failures.push(message.to_owned());
    }

    /// One of two numbers: of the real run or of the quick one.
    pub(crate) fn size<T>(&self, real: T, quick: T) -> T {
        if self.quick { quick } else { real }
    }

    /// Makes the folder empty.
    pub(crate) fn clear(&self) -> Result<(), String> {
        let at = |error| format!("cannot clear {}: {error}", self.folder.display());
        if self.folder.exists() {
            fs::remove_dir_all(&self.folder).map_err(at)?;
        }
        fs::create_dir_all(&self.folder).map_err(at)
    }

    /// An error where the disk has less than this to give.
    pub(crate) fn need_disk(&self, bytes: u64) -> Result<(), String> {
        let folder = self.folder.to_string_lossy();
        let free = self.programs.ask(&["free", &folder])?["bytes"].as_u64().unwrap_or_default();
        let mib = |bytes: u64| bytes >> 20;
        if free >= bytes {
            return Ok(());
        }
        Err(format!("needs {} MiB of disk at {folder}, {} MiB are free", mib(bytes), mib(free)))
    }

    /// Floating-point operations of f64 a second, of all threads together, now.
    pub(crate) fn peak(&mut self) -> f64 {
        match self.peak.run().map(|answer| answer["flop_per_s"].as_f64()) {
            Ok(Some(peak)) => {
                self.say(&format!("peak {:.1} GFLOP/s of f64 on {} threads", peak / 1e9, self.threads));
                peak
            }
            other => {
                self.fail(&format!("the peak: {other:?}"));
                f64::NAN
            }
        }
    }

    /// A command line of `hama`, timed from its start to its end: `seconds`, and what its answer tells. Spaces part its
    /// words, and the paths among them begin at the folder, whose own name may have spaces.
    pub(crate) fn hama(&mut self, line: &str) -> Result<Value, String> {
        let mut command = Command::new(&self.programs.hama);
        self.settle(command.args(line.split(' ')).arg("--json").stdin(Stdio::null()));
        let start = Instant::now();
        let output = command.output().map_err(|error| format!("cannot start {command:?}: {error}"))?;
        let seconds = start.elapsed().as_secs_f64();
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        if !output.status.success() {
            let message = answer["error"]["message"]
                .as_str()
                .map_or_else(|| tail(&output.stderr), |text| format!(": {text}"));
            return Err(format!("hama {line} ended with {}{message}", output.status));
        }
        let mut run = json!({ "seconds": seconds });
        for (name, value) in [
            ("reported_seconds", &answer["seconds"]),
            ("memory_bytes_peak", &answer["memory_bytes_peak"]),
            ("read_bytes", &answer["plan"]["estimate"]["read_bytes"]),
            ("written_bytes", &answer["plan"]["estimate"]["written_bytes"]),
        ] {
            if value.is_number() {
                run[name] = value.clone();
            }
        }
        Ok(run)
    }

    /// Runs `hama` in the folder, on the folder's store, with the settings and rates that everybody begins with: what the
    /// user has set, or measured by `hama bench probe`, would lead to other plans.
    fn settle(&self, command: &mut Command) {
        for (name, _) in std::env::vars_os() {
            if ["HAMA_", "HADOOP_"].iter().any(|prefix| name.to_string_lossy().starts_with(prefix)) {
                command.env_remove(name);
            }
        }
        command.current_dir(&self.folder).env("XDG_CONFIG_HOME", self.folder.join("no-config"));
        command.env("HAMA_STORE", self.store()).env("HAMA_PROBE", self.folder.join("no-probe.json"));
    }

    /// Where `hama` has its tables.
    pub(crate) fn store(&self) -> PathBuf {
        self.folder.join("store")
    }

    /// The zarr array of a table.
    pub(crate) fn array(&self, table: &str) -> PathBuf {
        self.store().join(table).join("current/values")
    }

    /// A matrix of elements uniform in [0, 1).
    pub(crate) fn random(&mut self, name: &str, rows: u64, cols: u64, dtype: &str) -> Result<(), String> {
        // Names are as good as numbers: the operands shall differ.
        let seed = name.bytes().map(u64::from).sum::<u64>();
        let line = format!(
            "matrix random {name} --rows {rows} --cols {cols} --dtype {dtype} --seed {seed} --replace"
        );
        self.hama(&line).map(drop)
    }

    /// A candidate that is a whole command line of `hama`.
    pub(crate) fn command<'a>(&self, name: impl Into<String>, line: impl Into<String>) -> Candidate<'a> {
        let line = line.into();
        Candidate::new(name, move |lab| lab.hama(&line))
    }

    /// A candidate that is a product of `hama` into a table that is not there: what clearing the one of the round before
    /// takes the disk is not in its time.
    pub(crate) fn product<'a>(
        &self,
        name: impl Into<String>,
        operands: impl Into<String>,
        result: &'static str,
    ) -> Candidate<'a> {
        let line = format!("matrix multiply {} --output {result}", operands.into());
        Candidate::new(name, move |lab| {
            if lab.array(result).exists() {
                lab.hama(&format!("matrix remove {result}"))?;
            }
            lab.hama(&line)
        })
    }

    /// A candidate of `benches/compare.rs`.
    pub(crate) fn rust<'a>(&mut self, name: &str, arguments: &[&dyn Display]) -> Option<Candidate<'a>> {
        let mut command = Command::new(&self.programs.rust);
        command.args(arguments.iter().map(ToString::to_string));
        self.start(name, command)
    }

    /// `benches/compare.rs`, asked once.
    pub(crate) fn ours(&self, arguments: &[&str]) -> Result<String, String> {
        output(Command::new(&self.programs.rust).args(arguments))
    }

    /// An HDFS of its own, which ends when it is dropped.
    pub(crate) fn hdfs(&self) -> Result<Hdfs, String> {
        self.programs.hdfs.clone()?;
        Hdfs::start(Options::default())
    }

    /// A cluster with an HDFS, of the command that is compared.
    pub(crate) fn cluster(&self) -> Result<Cluster, String> {
        self.programs.hdfs.clone()?;
        Cluster::start(&self.programs.hama, false)
    }

    /// A candidate of `compare.py`.
    pub(crate) fn python<'a>(&mut self, name: &str, arguments: &[&dyn Display]) -> Option<Candidate<'a>> {
        let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        self.start(name, script(&self.programs.python, &arguments))
    }

    /// A candidate of `compare.py` that has MKL.
    pub(crate) fn mkl<'a>(&mut self, name: &str, arguments: &[&dyn Display]) -> Option<Candidate<'a>> {
        let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        match &self.programs.mkl {
            Ok(python) => self.start(name, script(python, &arguments)),
            Err(message) => {
                let message = format!("{name}: {message}");
                self.fail(&message);
                None
            }
        }
    }

    /// `hama` with the most memory that the kernel saw it have.
    pub(crate) fn measured<'a>(&mut self, name: &str, line: &str) -> Option<Candidate<'a>> {
        let mut arguments = vec!["command".to_owned(), self.programs.hama.to_string_lossy().into_owned()];
        arguments.extend(line.split(' ').map(str::to_owned));
        let mut command = script(&self.programs.python, &arguments);
        self.settle(command.arg("--json"));
        self.start(name, command)
    }

    /// `compare.py`, asked once.
    pub(crate) fn ask(&self, arguments: &[&str]) -> Result<Value, String> {
        self.programs.ask(arguments)
    }

    /// Starts a candidate. One that does not start is reported, and the others go on.
    fn start<'a>(&mut self, name: &str, command: Command) -> Option<Candidate<'a>> {
        match Process::start(command) {
            Ok(mut process) => {
                self.say(&format!("{name}: {}", process.about));
                Some(Candidate::new(name, move |_| process.run()))
            }
            Err(message) => {
                self.fail(&format!("{name}: {message}"));
                None
            }
        }
    }

    /// A lab with nothing in it but a shell that knows the peak.
    #[cfg(test)]
    pub(crate) fn for_tests() -> Lab {
        let mut shell = Command::new("sh");
        shell.args(["-c", r#"echo '{}'; while read x; do echo '{"flop_per_s": 1e9}'; done"#]);
        let nowhere = || PathBuf::from("/nowhere");
        Lab {
            quick: true,
            threads: 1,
            is_amd: false,
            failures: Vec::new(),
            folder: nowhere(),
            programs: Programs {
                hama: nowhere(),
                rust: nowhere(),
                python: nowhere(),
                mkl: Ok(nowhere()),
                hdfs: Err("no HDFS".into()),
            },
            peak: Process::start(shell).unwrap(),
            raw: OpenOptions::new().write(true).open("/dev/null").unwrap(),
        }
    }
}

/// `compare.py` in a Python.
pub(super) fn script<S: AsRef<std::ffi::OsStr>>(python: &Path, arguments: &[S]) -> Command {
    let mut command = Command::new(python);
    command.arg(root().join("xtask/compare.py")).args(arguments);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_run_in_the_folder_and_know_nothing_of_the_user() {
        let folder = std::env::temp_dir().join(format!("hama lab {}", std::process::id()));
        let mut lab = Lab::for_tests();
        lab.folder = folder.clone();
        lab.programs.hama = PathBuf::from("/bin/sh");
        lab.clear().unwrap();
        let script = r#"printf '%s\n' "$HAMA_STORE" "$HAMA_PROBE" "$XDG_CONFIG_HOME" "$@" > seen.txt"#;
        fs::write(folder.join("script.sh"), script).unwrap();
        lab.hama("script.sh multiply a.npy").unwrap();
        let seen = fs::read_to_string(folder.join("seen.txt")).unwrap();
        let [store, probe, config] = ["store", "no-probe.json", "no-config"].map(|name| folder.join(name));
        assert_eq!(
            seen.lines().collect::<Vec<_>>(),
            [&store, &probe, &config]
                .map(|path| path.to_str().unwrap())
                .into_iter()
                .chain(["multiply", "a.npy", "--json"])
                .collect::<Vec<_>>()
        );
        assert!(!probe.exists() && !config.exists());

        fs::write(folder.join("script.sh"), "echo no memory >&2; exit 101").unwrap();
        let error = lab.hama("script.sh").unwrap_err();
        assert!(error.contains("exit status: 101") && error.contains("no memory"), "{error}");
        fs::remove_dir_all(&folder).unwrap();
    }
}
