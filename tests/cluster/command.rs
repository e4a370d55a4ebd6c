//! The command as people use a cluster with it: daemons, jobs of a program that is submitted, and their ends.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::fleet::until;
use crate::{Test, one};

pub(crate) const TESTS: &[Test] = &[
    ("a_cluster_by_the_command", a_cluster_by_the_command),
    ("what_a_cluster_does_is_measured_and_shown", what_a_cluster_does_is_measured_and_shown),
];

const HAMA: &str = env!("CARGO_BIN_EXE_hama");

/// A master and grooms, each `hama` with a folder here.
struct Place {
    folder: TempDir,
    root: String,
    address: String,
    daemons: Vec<Child>,
}

impl Place {
    fn new() -> Place {
        let mut place = Place::without_grooms("command");
        place.start_grooms("");
        place
    }

    fn without_grooms(name: &str) -> Place {
        let root = format!("/{name}-{}", std::process::id());
        let mut place =
            Place { folder: tempfile::tempdir().unwrap(), root, address: String::new(), daemons: Vec::new() };
        let said = place.start("master --listen 127.0.0.1:0 --dir m");
        place.address = said["address"].as_str().unwrap().to_owned();
        place
    }

    /// Starts two, each on this host, or on one that is called as it is after `on`.
    fn start_grooms(&mut self, on: &str) {
        let place = self;
        for name in ["east", "west"] {
            let host = if on.is_empty() { String::new() } else { format!("{on} {name}") };
            let said =
                place.start(&format!("groom --name {name} --dir {name} --slots 2 --memory 2GiB {host}"));
            assert_eq!((&said["name"], &said["slots"]), (&name.into(), &2.into()));
        }
        // Until it leads a master answers that it does not.
        until("both grooms are there", || {
            let output = place.command("groom list --json").output().unwrap();
            let listed: Value = serde_json::from_slice(&output.stdout).unwrap();
            listed["grooms"].as_array().is_some_and(|grooms| grooms.len() == 2)
        });
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(HAMA);
        command
            .current_dir(self.folder.path())
            .args(line.split_whitespace())
            .env("HAMA_MASTER", &self.address);
        command.env("XDG_STATE_HOME", self.folder.path()).env_remove("HAMA_PROBE").env_remove("HAMA_STORE");
        command.env("XDG_CONFIG_HOME", self.folder.path()).env_remove("HAMA_TOKEN_FILE").stdin(Stdio::null());
        command
    }

    /// Starts a daemon, and gives what it says first.
    fn start(&mut self, line: &str) -> Value {
        let mut command = self.command(line);
        command.args(["--json", "--zookeeper", &one().connect_string(), "--zookeeper-root", &self.root]);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut said = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut said).unwrap();
        self.daemons.push(child);
        serde_json::from_str(&said).unwrap()
    }

    fn json(&self, line: &str) -> Value {
        let output = self.command(line).arg("--json").output().unwrap();
        assert!(output.status.success(), "hama {line}: {output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn ok(&self, line: &str) -> String {
        let output = self.command(line).output().unwrap();
        assert!(output.status.success(), "hama {line}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// How it fails, and what it says then.
    fn fails(&self, line: &str, status: i32) -> String {
        let Output { status: ended, stderr, stdout } = self.command(line).output().unwrap();
        let said = String::from_utf8(stderr).unwrap();
        assert_eq!(ended.code(), Some(status), "hama {line}: {said}{}", String::from_utf8_lossy(&stdout));
        said
    }

    /// The only job in that state.
    fn only(&self, state: &str) -> Option<String> {
        let jobs = self.json("job list")["jobs"].clone();
        let ids: Vec<&str> = jobs
            .as_array()
            .unwrap()
            .iter()
            .filter(|job| job["state"] == state)
            .map(|job| job["id"].as_str().unwrap())
            .collect();
        match ids[..] {
            [id] => Some(id.to_owned()),
            _ => None,
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        for child in &mut self.daemons {
            // It has ended.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// An example, which cargo has built beside the command.
fn pi() -> PathBuf {
    let path = Path::new(HAMA).with_file_name("examples").join("pi");
    assert!(path.exists(), "{} is missing: `cargo build --examples` makes it", path.display());
    path
}

fn a_cluster_by_the_command() {
    let mut place = Place::new();
    looks(&place);
    jobs(&place);
    kills(&place);
    detached(&place);
    matrices(&place);
    ends(&mut place);
}

fn looks(place: &Place) {
    let status = place.json("master status");
    assert_eq!(
        (&status["grooms_alive"], &status["slots_free"], &status["jobs"]),
        (&2.into(), &4.into(), &0.into())
    );
    assert!(status["epoch"].as_u64() > Some(0) && status["zookeeper"] == one().connect_string());
    let text = place.ok("master status");
    assert!(
        text.contains("2 of 2 alive") && text.contains("4 of 4 free") && text.contains("0 connections"),
        "{text}"
    );
    let text = place.ok("groom list");
    assert!(text.starts_with("east  alive  2 of 2 slots  2GiB of 2GiB  0 tasks"), "{text}");
    assert_eq!(place.ok("job list"), "");
    assert!(place.fails("groom drain eats", 1).contains("try: east"));
    assert!(place.fails("job show 12", 1).contains("hama job list"));
    assert!(place.fails("job show 67e55044-10b1-426f-9247-bb680e5fe0c8", 1).contains("67e55044"));
    for wrong in ["xyz", "67e55044-10b1-426f-9247-bb680e5fe0c8-9", "67E5"] {
        assert!(place.fails(&format!("job wait {wrong}"), 2).contains("as a job"));
    }
}

fn jobs(place: &Place) {
    let pi = pi();
    let said = place.ok(&format!("job submit {} 100000", pi.display()));
    assert_eq!(said.matches("3.14").count(), 3, "{said}");
    let listed = place.json("job list")["jobs"].clone();
    let listed = listed.as_array().unwrap();
    assert!(
        listed.iter().all(|job| job["state"] == "succeeded" && job["program"] == "pi-estimate"),
        "{listed:?}"
    );
    assert_eq!(listed.iter().map(|job| job["peers"].as_u64().unwrap()).collect::<Vec<_>>(), [4, 2, 1]);
    let id = listed[0]["id"].as_str().unwrap();
    let shown = place.json(&format!("job show {id}"));
    assert_eq!((&listed[0]["superstep"], shown["ran"].as_array().unwrap().len()), (&Value::Null, 4));
    assert!(shown["ran"][3]["supersteps"].as_array().unwrap().len() > 1, "{shown}");
    let text = place.ok(&format!("job show {id}"));
    assert!(
        text.contains("succeeded") && text.contains("peer 3  on ") && text.contains("computed"),
        "{text}"
    );
    let logs = place.ok(&format!("job logs {id}"));
    assert_eq!(logs.matches("==> peer ").count(), 4, "{logs}");
    assert_eq!(place.ok(&format!("job logs {id} --peer 1")), "");
    assert!(place.fails(&format!("job logs {id} --peer 4"), 2).contains("it has 4 peers"));
    assert!(place.ok(&format!("job wait {id}")).contains("succeeded: pi-estimate, 4 peers"));
    assert!(place.ok("job list").contains(&id[..8]));
    // What it is told, and how it ends, are its own.
    assert_eq!(place.fails(&format!("job submit {} --json", pi.display()), 1).matches("--json").count(), 1);
    let seven = place.folder.path().join("seven");
    std::fs::write(&seven, "#!/bin/sh\necho $1 $HAMA_MASTER >&2\nexit 7\n").unwrap();
    std::fs::set_permissions(&seven, std::fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(place.fails("job submit ./seven --master", 7), format!("--master {}\n", place.address));
    assert!(place.fails("job submit ./none", 1).contains("./none"));
    std::fs::copy(&pi, place.folder.path().join("estimate")).unwrap();
    assert!(place.fails("job submit estimate", 1).contains("try: ./estimate"));
}

fn kills(place: &Place) {
    let line = format!("job submit {} 1000000000000", pi().display());
    let mut client = place.command(&line).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    until("it runs", || place.only("running").is_some());
    let id = place.only("running").unwrap();
    assert!(place.fails(&format!("job logs {id}"), 1).contains("it is running"));
    let text = place.ok(&format!("job show {id}"));
    assert!(text.contains("\npeer 0  on ") && text.contains("superstep 0"), "{text}");
    let waits = place.command(&format!("job wait {id}")).stderr(Stdio::piped()).spawn().unwrap();
    let killed = place.json(&format!("job kill {} --why enough", &id[..8]));
    assert_eq!(
        (&killed["state"], &killed["kind"], &killed["why"]),
        (&"killed".into(), &"cancelled".into(), &"enough".into())
    );
    let waited = waits.wait_with_output().unwrap();
    let said = String::from_utf8(waited.stderr).unwrap();
    assert_eq!(waited.status.code(), Some(130), "{said}");
    assert!(said.contains(&format!("job {id} killed: enough")), "{said}");
    assert!(!client.wait().unwrap().success());
    assert!(place.ok(&format!("job kill {id}")).contains("killed"), "one that has ended stays so");
    let text = place.ok("job list");
    assert!(text.lines().next().unwrap().contains("killed") && text.contains("enough"), "{text}");
}

/// What a command says whose job was killed by others, a plan that is run again, and files without a store.
fn matrices(place: &Place) {
    let store = place.folder.path().join("tables").display().to_string();
    let matrix = |line: &str| format!("--store file:{store} matrix {line}");
    let large = matrix("random large --rows 30000 --cols 30000");
    let client = place.command(&large).stderr(Stdio::piped()).spawn().unwrap();
    until("it runs", || place.only("running").is_some());
    place.ok(&format!("job kill {} --why enough", place.only("running").unwrap()));
    let ended = client.wait_with_output().unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(130), "{said}");
    assert!(said.contains("was killed: enough"), "{said}");

    place.ok(&matrix("random square --rows 2000 --cols 2000"));
    let plan = place.ok(&matrix("multiply square square --memory 128MiB --peers 2 --explain --json"));
    std::fs::write(place.folder.path().join("plan.json"), plan).unwrap();
    place.ok(&matrix("multiply square square --memory 128MiB --plan plan.json --output again --verify"));

    let files = "matrix multiply hdfs://127.0.0.1:1/a.zarr hdfs://127.0.0.1:1/b.zarr --explain --timeout 1s";
    let said = place.fails(files, 4);
    assert!(said.contains("127.0.0.1:1") && !said.contains("memory:"), "{said}");
}

/// Clients that go on when nobody is there: no slot is taken by them, so as many run as have memory.
fn detached(place: &Place) {
    let submit = |line: &str| {
        let said = place.ok(&format!("--json job submit --detach {line}"));
        serde_json::from_str::<Value>(&said).unwrap()["job"].as_str().unwrap().to_owned()
    };
    let store = place.folder.path().join("tables").display().to_string();
    let matrix = |line: &str| submit(&format!("{HAMA} --store file:{store} matrix {line}"));
    let made = [matrix("random a --rows 300 --cols 200"), matrix("random b --rows 200 --cols 100")];
    for job in made {
        assert!(place.ok(&format!("job wait {job}")).contains("succeeded: hama-client, 1 peer"), "{job}");
    }
    let many: Vec<String> = (0..5).map(|c| matrix(&format!("multiply a b --output c{c} --verify"))).collect();
    for job in &many {
        place.ok(&format!("job wait {job}"));
        let said = place.ok(&format!("job logs {job}"));
        assert!(said.contains("verified: "), "{said}");
    }
    for c in 0..5 {
        place.ok(&format!("--store file:{store} matrix check c{c}"));
    }
    let fails = matrix("multiply a nothing --output d");
    let said = place.fails(&format!("job wait {fails}"), 1);
    assert!(said.contains("the client ended with exit status: 1"), "{said}");
    assert!(place.ok(&format!("job logs {fails}")).contains("nothing"));
    let pi = submit(&format!("{} 1000", pi().display()));
    place.ok(&format!("job wait {pi}"));
    assert_eq!(place.ok(&format!("job logs {pi}")).matches("3.1").count(), 3);
    let endless = submit(&format!("{} 1000000000000", self::pi().display()));
    until("its job runs", || place.json("master status")["slots_free"] == 3);
    place.ok(&format!("job kill {endless}"));
    until("so do its jobs", || place.json("master status")["slots_free"] == 4);
    assert!(place.fails("job submit --detach nothing", 1).contains("there is no such file"));
}

fn ends(place: &mut Place) {
    assert!(place.ok("groom drain west --stop").contains("ends when it has none"));
    let west = place.daemons.pop().unwrap().wait().unwrap();
    assert_eq!(west.code(), Some(0));
    let said = place.fails(&format!("job submit {} 1000", pi().display()), 1);
    assert!(said.contains("4 peers"), "{said}");
    for mut daemon in place.daemons.drain(..).rev() {
        kill_process(Pid::from_child(&daemon), Signal::TERM).unwrap();
        assert_eq!(daemon.wait().unwrap().code(), Some(0));
    }
    place.fails("master status", 4);
}

fn what_a_cluster_does_is_measured_and_shown() {
    let mut place = Place::without_grooms("measured");
    let tables = place.folder.path().join("tables");
    let on = |line: &str| format!("{line} --store file:{}", tables.display());
    until("it leads", || place.command("master status").output().unwrap().status.success());
    assert!(place.fails(&on("bench probe"), 4).contains("none of its grooms is alive"));
    place.start_grooms("--host");
    assert!(place.fails("bench probe --store ./tables", 2).contains("is relative"));
    assert!(
        place.command(&on("matrix random a --rows 2000 --cols 2000 --seed 1")).status().unwrap().success()
    );
    assert!(place.ok(&on("matrix multiply a a --explain")).contains("assumed of a cluster"));
    probes(&place, &on);
    shows(&place, &on);
    shares(&place, &on);
    // Other hosts than those that were measured.
    assert!(place.ok("groom drain west --stop").contains("ends when it has none"));
    assert_eq!(place.daemons.pop().unwrap().wait().unwrap().code(), Some(0));
    let output = place.command(&on("matrix multiply a a --explain")).output().unwrap();
    let (said, warned) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(said.contains("assumed of a cluster"), "{said}");
    assert!(
        warned.contains("was measured on east, west with 4 slots, and now there are east with 2"),
        "{warned}"
    );
}

fn probes(place: &Place, on: &dyn Fn(&str) -> String) {
    let probed = place.json(&on("bench probe"));
    let (rates, measured) = (&probed["rates"], &probed["measured"]);
    for rate in
        ["flop_per_s", "read_bytes_per_s", "write_bytes_per_s", "seconds_per_byte", "superstep_s", "fixed_s"]
    {
        assert!(rates[rate].as_f64().is_some_and(|rate| rate > 0.0), "{rate}: {probed}");
    }
    assert_eq!((&measured["hosts"], &measured["peers"]), (&2.into(), &4.into()), "{probed}");
    assert_eq!(
        (&measured["between_hosts"], &rates["seconds_per_byte"]),
        (&true.into(), &measured["seconds_per_byte"])
    );
    let path = probed["path"].as_str().unwrap();
    let stored: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    assert_eq!((&stored["rates"], &stored["cluster"]["hosts"][1][0]), (rates, &"west".into()));
    let listed = place.json(&on("matrix list"));
    assert!(!listed.to_string().contains("hama-probe"), "its tables are gone: {listed}");
    let explained = place.ok(&on("matrix multiply a a --explain"));
    assert!(explained.contains("rates     measured on") && explained.contains(path), "{explained}");
    assert!(explained.contains("  east: peer"), "hosts, and what each reads: {explained}");
}

fn shows(place: &Place, on: &dyn Fn(&str) -> String) {
    let said = place.ok(&on("matrix multiply a a --output b --grid 2x1x1 --analyze"));
    assert!(said.contains("times the plan's") && said.contains("% local"), "{said}");
    let jobs = place.json("job list")["jobs"].clone();
    let job = jobs.as_array().unwrap().iter().find(|job| job["program"] == "multiply-f64").unwrap();
    let id = job["id"].as_str().unwrap();
    let moved = place.json(&format!("job show {id}"))["moved"].clone();
    // The folder does not say where its files are, but the index knows which host wrote each: of the peers that need a
    // tile one that is there reads it.
    assert_eq!(moved["read"]["unknown_bytes"], 0, "{moved}");
    assert!(moved["read"]["local_bytes"].as_u64() > Some(0), "{moved}");
    let bytes = |value: &Value| {
        value["between_hosts_bytes"].as_u64().unwrap() + value["within_hosts_bytes"].as_u64().unwrap()
    };
    let (sent, planned) = (bytes(&moved["wire"]), bytes(&moved["wire"]["planned"]));
    // Each of two peers needs all four tiles of B, and gets those that the other one reads.
    assert_eq!(planned, 4 * 8_000_000);
    assert!(sent >= planned && sent * 10 <= planned * 11, "{moved}");
    let text = place.ok(&format!("job show {id}"));
    let line = |start: &str| text.lines().find(|line| line.starts_with(start)).unwrap_or_default().to_owned();
    assert!(line("read ").contains("% local") && line("read ").contains("% rack"), "{text}");
    assert!(line("wire ").contains("1.00 times the plan's"), "{text}");
    assert!(!text.contains("wire bytes"), "said once: {text}");
}

fn shares(place: &Place, on: &dyn Fn(&str) -> String) {
    let eight = "matrix multiply a a --grid 2x2x2 --peers 8";
    let refused = place.fails(&on(&format!("{eight} --output c --memory 1GiB")), 2);
    assert!(refused.contains("let them share slots"), "{refused}");
    let explained = place.ok(&on(&format!("{eight} --explain --share-slots")));
    assert!(
        explained.contains("sharing   8 peers on 4 slots, up to 2 on one: each computes at 1/2 of r"),
        "{explained}"
    );
    place.ok(&on(&format!("{eight} --output c --share-slots --verify")));
    let alone = place
        .command(&on("matrix multiply a a --explain --share-slots"))
        .env_remove("HAMA_MASTER")
        .output()
        .unwrap();
    assert_eq!(alone.status.code(), Some(2), "{alone:?}");
}
