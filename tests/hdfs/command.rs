//! What `docs/hdfs.md` says to type, with the command, against a real HDFS; and Python without Java.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::{Test, no_hosts, shared, skips};

pub(crate) const TESTS: &[Test] = &[
    ("the_demo_runs_there", the_demo_runs_there),
    ("the_digits_are_exact_there_and_in_python", the_digits_are_exact_there_and_in_python),
    ("a_matrix_goes_there_and_back", a_matrix_goes_there_and_back),
    ("the_doctor_says_what_is_there", the_doctor_says_what_is_there),
    ("every_verb_works_there", every_verb_works_there),
    ("a_copy_is_made_where_it_pays", a_copy_is_made_where_it_pays),
];

/// A folder, and a store of the same name in the HDFS of all.
pub(crate) struct Place {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) store: String,
}

impl Place {
    pub(crate) fn new(name: &str) -> Place {
        let store = format!("{}/command/{name}", shared().url());
        Place { folder: tempfile::tempdir().unwrap(), store }
    }

    pub(crate) fn run(&self, line: &str) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hama"));
        command.current_dir(self.folder.path()).env_remove("HAMA_STORE").env_remove("HADOOP_CONF_DIR");
        command
            .env("XDG_CONFIG_HOME", self.folder.path())
            .env("HAMA_PROBE", self.folder.path().join("probe"));
        command.args(["--store", &self.store, "--webhdfs", &shared().web(), "--memory", "256MiB"]);
        command.args(line.split_whitespace()).output().unwrap()
    }

    #[track_caller]
    pub(crate) fn ok(&self, line: &str) -> String {
        let output = self.run(line);
        let (said, why) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "hama {line}: {said}{why}");
        said.into_owned()
    }
}

fn the_demo_runs_there() {
    let place = Place::new("demo");
    let said = place.ok("demo --size 1500");
    assert!(said.contains("verified: 1500 x 1500 times 1500 x 1500"), "{said}");
}

const DIGITS: &str = "import numpy as np, sklearn.datasets as d; np.save('digits.npy', d.load_digits().data)";

/// The array at a path in HDFS, and the one that a file of references names.
const READ: &str = r#"
import sys, fsspec, numpy as np, zarr
from urllib.parse import urlparse
from fsspec.implementations.asyn_wrapper import AsyncFileSystemWrapper
path = urlparse(sys.argv[1])
namenode = {"host": path.hostname, "port": path.port}
files = AsyncFileSystemWrapper(fsspec.filesystem("hdfs", **namenode), asynchronous=True)
gram = zarr.open(zarr.storage.FsspecStore(files, read_only=True, path=path.path), mode="r")[...]
d = np.load("digits.npy")
assert np.array_equal(gram, d.T @ d)
files = fsspec.filesystem("reference", fo="gram.json", remote_protocol="hdfs", remote_options=namenode, asynchronous=True)
updated = zarr.open_group(zarr.storage.FsspecStore(files, read_only=True, path=""), mode="r")["values"][...]
assert updated[10, 10] == 1 and np.count_nonzero(updated != gram) == 1
print("same")
"#;

fn the_digits_are_exact_there_and_in_python() {
    let test = "the digits in Python";
    let python = std::env::var("HAMA_ORACLE_PYTHON").map_err(|_| "HAMA_ORACLE_PYTHON is not set".to_owned());
    if skips(test, python.clone().map(drop)) {
        return;
    }
    let (place, python) = (Place::new("digits"), python.unwrap());
    let run = |script: &str, arguments: &[&str]| {
        let mut command = Command::new(&python);
        command.env_remove("HADOOP_CONF_DIR").current_dir(place.folder.path()).args(["-c", script]);
        let output = command.args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    run(DIGITS, &[]);
    place.ok("matrix import digits.npy digits");
    let said = place.ok("matrix multiply digits digits --transpose-a --output gram --verify");
    assert!(said.contains("verified: 64 sums agree"), "{said}");
    let path = place.ok("matrix path gram");
    place.ok("matrix update gram --at 10,10 --value 1");
    assert_eq!(place.ok("matrix path gram --reference gram.json"), "gram.json\n");
    assert_eq!(run(READ, &[path.trim_end()]), "same\n");
}

fn a_matrix_goes_there_and_back() {
    let place = Place::new("copies");
    let local = format!("file:{}", place.folder.path().join("data").display());
    place.ok("matrix random a --rows 2100 --cols 1900 --seed 7");
    place.ok(&format!("matrix copy a {local}/a --resume"));
    place.ok(&format!("matrix copy {local}/a {}/b", place.store));
    place.ok("matrix diff a b");
    place.ok("matrix export b b.npy");
    place.ok("matrix import b.npy c");
    place.ok("matrix diff a c");
    place.ok("matrix multiply ./b.npy a --transpose-a --output d --verify");
    assert_eq!(names(&Path::new(&place.folder.path().join("data")).join("a")).len(), 3);
}

fn names(folder: &Path) -> Vec<String> {
    let names = std::fs::read_dir(folder).unwrap();
    names.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
}

fn the_doctor_says_what_is_there() {
    let place = Place::new("doctor");
    let said = place.ok("doctor");
    assert!(said.contains("there is none there yet") && said.contains("--make"), "{said}");
    let said = place.ok(&format!("doctor --make --host {}", shared().host(0)));
    for about in [
        "configuration",
        "NameNode",
        "web server",
        "store",
        "write",
        "read",
        "lock",
        "block size",
        "locations",
    ] {
        assert!(said.lines().any(|line| line.starts_with(&format!("ok   {about} "))), "{about} in {said}");
    }
    assert!(said.contains("a file of 8 MiB is one block"), "{said}");
    shared().safe_mode(false).unwrap();
    assert!(
        place.ok("matrix list").is_empty() || place.ok("matrix list").contains("no "),
        "it leaves nothing"
    );
}

fn every_verb_works_there() {
    let place = Place::new("verbs");
    place.ok("matrix random a --rows 1300 --cols 700 --seed 1");
    place.ok("matrix ones b --rows 700 --cols 20");
    place.ok("matrix multiply a b --output c --verify");
    place.ok("matrix blocking a 2 --copy");
    place.ok("matrix update a --at 5,5 --value 3");
    assert!(place.ok("matrix show a --rows 5 --cols 5").contains('3'));
    assert!(place.ok("matrix history a").lines().count() >= 3);
    place.ok("matrix restore a@1");
    place.ok("matrix diff a a@1");
    place.ok("matrix annotate a unit=metre");
    place.ok("matrix rename c d");
    let said = place.ok("matrix info d --locations");
    assert!(said.contains(&shared().host(0)) || said.contains("127.0.0."), "{said}");
    place.ok("matrix check a");
    place.ok("matrix multiply a b --output d --replace");
    place.ok("matrix plot d -o d.png");
    place.ok("matrix gc --older-than 0s");
    assert_eq!(place.ok("matrix history a").lines().count(), 1, "the history is cleared");
    for name in ["a", "b", "d"] {
        place.ok(&format!("matrix remove {name}"));
    }
    let output = place.run("matrix show a");
    assert_eq!(output.status.code(), Some(1));
}

fn a_copy_is_made_where_it_pays() {
    if no_hosts("a_copy_is_made_where_it_pays") {
        return;
    }
    let place = Place::new("pays");
    let hosts: Vec<String> = (0..3).map(|index| shared().host(index)).collect();
    let hosts = hosts.join(",");
    // One replica of each shard, all where the command runs or anywhere: of three blocks two are remote at least somewhere.
    place.ok(&format!(
        "matrix random a --rows 6000 --cols 900 --seed 1 --replication 1 --host {}",
        shared().host(0)
    ));
    let json = |line: &str| -> Value { serde_json::from_str(&place.ok(&format!("{line} --json"))).unwrap() };
    let line = format!("matrix blocking a 3 --hosts {hosts} --replication 2");
    let never = json(&format!("{line} --uses 0"));
    let payoff = &never["payoff"];
    let number = |name: &str| payoff[name].as_u64().unwrap();
    assert_eq!((&payoff["pays"], &never["copied"]), (&json!(false), &Value::Null), "{never}");
    assert_eq!(number("written_bytes"), 2 * number("read_bytes"), "{never}");
    assert_eq!(number("rewrite_bytes"), 3 * number("read_bytes"), "{never}");
    assert!(number("read_bytes") >= 6000 * 900 * 8 && number("remote_bytes") > 0, "{never}");
    let least = number("rewrite_bytes") / number("remote_bytes") + 1;
    assert_eq!(number("pays_after"), least, "{never}");
    let said = place.ok(&format!("{line} --uses {}", least - 1));
    assert!(said.contains("a placed copy does not pay for") && !said.contains("shards copied"), "{said}");
    assert!(place.ok("matrix info a --json").contains(r#""copy_shards_stale":null"#));
    let said = place.ok(&format!("{line} --uses {least}"));
    assert!(said.contains("a placed copy pays for") && said.contains("shards copied"), "{said}");
    place.ok("matrix check a");
}
