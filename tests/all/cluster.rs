//! The verbs of a cluster where there is none: what cannot be is refused before anybody is asked, and a daemon alone waits.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::command::{Place, Reply};

/// Nobody listens there.
const NOBODY: &str = "127.0.0.1:1";

fn secret(place: &Place, name: &str, content: &str, mode: u32) {
    let path = place.path().join(name);
    fs::write(&path, content).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
}

/// A master that finds no ZooKeeper, and its address.
fn master(place: &Place, more: &str) -> (Child, String) {
    let line = format!("master run --listen 127.0.0.1:0 --zookeeper {NOBODY} --dir m --json {more}");
    let mut child = place.command(&line).stdout(Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut said).unwrap();
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(said["command"], "master run");
    (child, said["address"].as_str().unwrap().to_owned())
}

fn end(mut child: Child) {
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn who_asks_a_cluster_names_one_that_answers() {
    let place = Place::new();
    for verb in [
        "master status",
        "groom list",
        "groom drain dn1",
        "job list",
        "job show 67e5",
        "job logs 67e5",
        "job wait 67e5",
        "job kill 67e5",
        "job submit true",
    ] {
        place.run(verb).fails(2, &["no master is named", "try: --master HOST:PORT", "HAMA_MASTER"]);
        place.run(&format!("{verb} --master nowhere")).ends_with_failure();
        let reply = place.run(&format!("--master {NOBODY} --json {verb}")).ends_with(4).json();
        assert_eq!(reply["error"]["kind"], "unavailable", "{verb}: {reply}");
        assert!(reply["error"]["message"].as_str().unwrap().contains(NOBODY), "{verb}: {reply}");
    }
    let output = place.command("job list").env("HAMA_MASTER", NOBODY).output().unwrap();
    Reply::of("job list", output).fails(4, &[NOBODY, "hama master --help"]);
    secret(&place, "token", "a token of some length", 0o644);
    place.run(&format!("job list --master {NOBODY} --token-file token")).fails(2, &["token", "644", "chmod"]);
    place.run(&format!("job list --master {NOBODY} --token-file none")).fails(1, &["none"]);
    for line in
        ["job wiat 1", "job", "job show", "job submit", "job logs 1 --peer x", "groom drain", "master stauts"]
    {
        place.run(line).ends_with(2);
    }
    place.run(&format!("--master {NOBODY} job submit --detached true")).fails(2, &["--detached"]);
    place.run(&format!("--master {NOBODY} job submit --detach true")).fails(4, &[NOBODY]);
    place.run("submit true").fails(2, &["hama job submit"]);
}

#[test]
fn daemons_are_told_enough() {
    let place = Place::new();
    secret(&place, "token", "a token of some length", 0o600);
    secret(&place, "open", "hama:secret", 0o640);
    secret(&place, "odd", "secret", 0o600);
    let with = format!("--zookeeper {NOBODY} --dir d");
    for (line, parts) in [
        (format!("master --zookeeper {NOBODY}"), &["a folder", "--dir DIR"][..]),
        ("master run --dir d".to_owned(), &["ZooKeeper", "--zookeeper", "HAMA_ZOOKEEPER"]),
        (format!("master {with} --listen 0.0.0.0:0"), &["0.0.0.0", "--token-file"]),
        (format!("master {with} --listen 0.0.0.0:0 --token-file token"), &["no TLS", "--insecure-network"]),
        (format!("master {with} --listen localhost"), &["--listen"]),
        (format!("master {with} --zookeeper-root hama"), &["\"hama\"", "/hama"]),
        ("master --zookeeper :1 --dir d".to_owned(), &["\":1\"", "HOST:PORT"]),
        (format!("master {with} --session 61"), &["session", "61s"]),
        (format!("master {with} --session -1"), &["-1"]),
        (format!("master {with} --zookeeper-auth-file open"), &["open", "640", "chmod 600"]),
        (format!("master {with} --zookeeper-auth-file odd"), &["odd", "USER:PASSWORD"]),
        (format!("master {with} --zookeeper-auth-file none"), &["none"]),
        (format!("master {with} status"), &["master run", "--help"]),
        (format!("groom {with}"), &["no master is named"]),
        (format!("groom {with} list"), &["groom run"]),
        (format!("groom {with} --master {NOBODY} --slots 0"), &["0 slots"]),
        (format!("groom {with} --master {NOBODY} --name a/b"), &["a/b"]),
        (format!("groom {with} --master {NOBODY} --data-address 10.0.0.7"), &["10.0.0.7", "--host NAME"]),
        (format!("groom {with} --master {NOBODY} --data-address dn1"), &["--data-address"]),
    ] {
        let reply = place.run(&line);
        assert!(matches!(reply.status, Some(1 | 2)), "{line}: {reply:?}");
        for part in parts {
            assert!(reply.err.contains(part), "hama {line}: {part:?} is not in: {}", reply.err);
        }
        assert!(!reply.err.contains("secret"), "{}", reply.err);
    }
    let line = format!("groom {with} --master {NOBODY} --host dn1 --data-address 10.0.0.7");
    assert!(place.run(&line).ends_with(2).err.contains("--token-file"));
}

#[test]
fn a_master_alone_says_that_it_waits_and_ends_when_it_is_told() {
    let place = Place::new();
    secret(&place, "token", "a token of some length\n", 0o600);
    secret(&place, "other", "another token than that", 0o600);
    let (child, address) = master(&place, "--token-file token");
    let asked = format!("master status --master {address} --token-file");
    place.run(&format!("{asked} token")).fails(4, &["does not lead", NOBODY]);
    place.run(&format!("{asked} other")).ends_with_failure();
    place.run(&format!("master status --master {address}")).ends_with_failure();
    let second = format!("master --listen 127.0.0.1:0 --zookeeper {NOBODY} --dir m");
    place.run(&second).fails(3, &["m"]);
    end(child);
    let (child, _) = master(&place, "");
    end(child);
}

#[test]
fn what_a_cluster_is_told_can_stand_in_a_file() {
    let place = Place::new();
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/systemd/hama.toml");
    fs::copy(example, place.path().join("hama.toml")).unwrap();
    let settings = place.json("config show")["settings"].clone();
    let value = |name: &str| {
        settings.as_array().unwrap().iter().find(|line| line["name"] == name).unwrap()["value"].clone()
    };
    assert_eq!((value("master"), value("insecure-network")), ("m1:7070".into(), true.into()));
    assert_eq!((value("zookeeper-root"), value("token-file")), ("/hama".into(), "/etc/hama/token".into()));
    assert!(
        value("zookeeper").as_str().unwrap().contains("z1:2181") && value("zookeeper-auth-file").is_null()
    );
    let output = place.command("config show").env("HAMA_INSECURE_NETWORK", "yes").output().unwrap();
    Reply::of("config show", output).fails(2, &["HAMA_INSECURE_NETWORK", "one of true, false"]);
}

/// What the units and scripts type.
#[test]
fn units_and_scripts_use_options_that_there_are() {
    let place = Place::new();
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let help = place.ok("master run --help") + &place.ok("groom run --help");
    let mut count = 0;
    for file in ["systemd/hama-master.service", "systemd/hama-groom.service", "bin/start-hama.sh"] {
        let text = fs::read_to_string(root.join(file)).unwrap();
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        for word in lines
            .flat_map(|line| line.split([' ', '"', '=', '*']))
            .filter(|word| word.len() > 2 && word.starts_with("--"))
        {
            assert!(
                help.contains(&format!("{word} ")) || help.contains(&format!("{word}\n")),
                "{file}: {word}"
            );
            count += 1;
        }
    }
    assert!(count > 8, "{count} options");
    for file in ["bin/start-hama.sh", "bin/stop-hama.sh", "bin/hama-hosts.sh"] {
        let checked = std::process::Command::new("sh").arg("-n").arg(root.join(file)).status().unwrap();
        assert!(checked.success(), "{file}");
    }
}

/// The scripts, with a shell here in the place of ssh.
#[test]
fn scripts_start_what_does_not_run_and_end_it() {
    let place = Place::new();
    let here = place.path().join("here");
    fs::write(&here, "#!/bin/sh\nshift\nexec sh -c \"$1\"\n").unwrap();
    fs::set_permissions(&here, fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(place.path().join("hosts"), "# two\ndn1\n\ndn2 --slots 1 --rack /it's # mine\n").unwrap();
    let dir = place.path().join("d d");
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let run = |script: &str, arguments: &[&str]| {
        let program = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("bin").join(script);
        let mut command = std::process::Command::new(program);
        command.current_dir(place.path()).args(arguments).env("HAMA_SSH", &here).env("HAMA_DIR", &dir);
        command.env("HAMA", crate::command::HAMA).env("HAMA_ZOOKEEPER", NOBODY).env_remove("HAMA_TOKEN_FILE");
        command.env("HAMA_MASTER", format!("m1:{port}")).env("XDG_CONFIG_HOME", place.path());
        let output = command.output().unwrap();
        let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
        (output.status.code(), said.concat())
    };
    assert_eq!(run("stop-hama.sh", &["hosts"]).0, Some(0));
    let (code, said) = run("start-hama.sh", &[]);
    let (_, again) = run("start-hama.sh", &["hosts"]);
    let (stopped, ended) = run("stop-hama.sh", &["hosts"]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(said.matches("is started").count(), 3, "{said}");
    assert!(said.contains("m1: master") && said.contains("dn2: groom-dn2"), "{said}");
    assert_eq!(again.matches("runs already").count(), 3, "{again}");
    assert_eq!((stopped, ended.matches("has ended").count()), (Some(0), 3), "{ended}");
    let log = fs::read_to_string(dir.join("groom-dn2.log")).unwrap();
    assert!(log.contains("groom dn2 with 1 slot"), "{log}");
    assert_eq!(run("stop-hama.sh", &[]).1.matches("does not run").count(), 3);
    for (arguments, part) in [(&["none"][..], "none"), (&["-x"], "HOST"), (&["a", "b"], "too many")] {
        let (code, said) = run("start-hama.sh", arguments);
        assert!(code == Some(2) && said.contains(part), "{said}");
    }
    fs::write(place.path().join("hosts"), "dn1 --slots none\n").unwrap();
    let (code, said) = run("start-hama.sh", &[]);
    run("stop-hama.sh", &[]);
    assert!(code == Some(1) && said.contains("groom-dn1 has ended") && said.contains("none"), "{said}");
}
