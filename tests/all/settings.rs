//! Settings: from options, variables and files; `hama config show`; `--progress`.

use std::fs;

use serde_json::{Value, json};

use crate::command::{Place, Reply};

/// The setting as `config show` says it: value, source, where.
fn shown(place: &Place, line: &str, variables: &[(&str, &str)], name: &str) -> (Value, Value, Value) {
    let line = format!("config show --json {line}");
    let output = place.command(&line).envs(variables.iter().copied()).output().unwrap();
    let document = Reply::of(&line, output).ok().json();
    let settings = document["settings"].as_array().unwrap();
    let setting = settings.iter().find(|setting| setting["name"] == name).unwrap();
    (setting["value"].clone(), setting["source"].clone(), setting["where"].clone())
}

fn said(value: impl Into<Value>, source: &str, place: impl Into<Value>) -> (Value, Value, Value) {
    (value.into(), source.into(), place.into())
}

fn user_file(place: &Place, content: &str) {
    fs::create_dir_all(place.path().join("config/hama")).unwrap();
    fs::write(place.path().join("config/hama/hama.toml"), content).unwrap();
}

#[test]
fn each_setting_is_from_the_first_that_says_it() {
    let place = Place::new();
    let users = place.path().join("config/hama/hama.toml").display().to_string();
    assert_eq!(shown(&place, "", &[], "store"), said("./hama-data", "default", Value::Null));
    user_file(&place, "store = 'users'\nmemory = '1GiB'\n");
    fs::write(place.path().join("hama.toml"), "store = 'here'\nprogress = 'none'\npeers = 3").unwrap();
    assert_eq!(shown(&place, "", &[], "store"), said("here", "file", "./hama.toml"));
    assert_eq!(shown(&place, "", &[], "memory"), said(1 << 30, "file", users));
    assert_eq!(shown(&place, "", &[], "peers"), said(3, "file", "./hama.toml"));
    let variables = [("HAMA_STORE", "there"), ("HAMA_MEMORY", "2GiB"), ("HAMA_PROGRESS", "")];
    assert_eq!(shown(&place, "", &variables, "store"), said("there", "variable", "HAMA_STORE"));
    assert_eq!(shown(&place, "", &variables, "progress"), said("none", "file", "./hama.toml"));
    assert_eq!(shown(&place, "--store x", &variables, "store"), said("x", "option", "--store"));
    assert_eq!(shown(&place, "--memory 7", &variables, "memory"), said(7, "option", "--memory"));
    let text = place.ok("config show --progress plain");
    assert!(text.contains("here  ") && text.contains("./hama.toml") && text.contains("--progress"), "{text}");
    assert!(text.contains("probe.json") && text.contains("HAMA_PROBE"), "{text}");
}

#[test]
fn every_verb_goes_by_them() {
    let place = Place::new();
    fs::write(place.path().join("hama.toml"), "store = 'mine'\nmemory = '80MiB'\npeers = 1").unwrap();
    place.random("a", 1500, 1500);
    assert!(place.path().join("mine/a").is_dir() && !place.stored("").exists());
    let plan = place.json("matrix multiply a a --explain")["plan"].clone();
    assert_eq!((&plan["memory_given_bytes"], &plan["peers_given"]), (&json!(80 << 20), &json!(1)));
    assert_eq!(place.json("matrix multiply a a --explain --peers 2")["plan"]["peers_given"], 2);
    let done = place.json("bench multiply --sizes 10 --rounds 1");
    assert_eq!(
        (&done["store"], &done["memory_bytes"], &done["peers"]),
        (&json!("mine"), &json!(80 << 20), &json!(1))
    );
    assert_eq!(place.names(), ["a"]);
    // What `demo` prints runs as printed: there the file says where.
    assert!(!place.ok("demo --size 10").contains("--store"));
}

#[test]
fn what_cannot_be_is_told_with_its_place() {
    let place = Place::new();
    for (content, line, part) in [
        ("sotre = 'x'", 1, "`store`"),
        ("\nmemory = 'much'", 2, "much"),
        ("memory = -5", 1, "-5"),
        ("peers = 0", 1, "nonzero"),
        ("progress = 'loud'", 1, "loud"),
        ("durability = 'half'", 1, "half"),
        ("store = ", 1, ""),
        ("[[store]]", 1, "string"),
    ] {
        fs::write(place.path().join("hama.toml"), content).unwrap();
        let place_in_file = format!("./hama.toml, line {line}: ");
        for verb in ["matrix list", "config show", "demo --size 2"] {
            place.run(verb).fails(2, &[&place_in_file, part]);
        }
        assert_eq!(place.run("matrix list --json").ends_with(2).json()["error"]["kind"], "invalid");
    }
    assert!(place.ok("completions bash").contains("hama") && place.ok("man").contains("hama"));
    fs::write(place.path().join("hama.toml"), vec![b'#'; (64 << 10) + 1]).unwrap();
    place.run("matrix list").fails(2, &["longer than 64 KiB"]);
    fs::write(place.path().join("hama.toml"), b"store = '\xff'").unwrap();
    place.run("matrix list").fails(2, &["no text"]);
    fs::remove_file(place.path().join("hama.toml")).unwrap();
    fs::create_dir(place.path().join("hama.toml")).unwrap();
    place.run("matrix list").fails(2, &["./hama.toml", "no regular file"]);
    fs::remove_dir(place.path().join("hama.toml")).unwrap();
    user_file(&place, "x = 1");
    place.run("matrix list").fails(2, &["config/hama/hama.toml, line 1", "`x`"]);
    user_file(&place, "");
    for (name, value, part) in [
        ("HAMA_MEMORY", "much", "much"),
        ("HAMA_PEERS", "0", "0 peers"),
        ("HAMA_PEERS", "-1", "-1"),
        ("HAMA_DURABILITY", "half", "one of full, none"),
        ("HAMA_PROGRESS", "loud", "one of auto, plain, none"),
    ] {
        let output = place.command("matrix list").env(name, value).output().unwrap();
        Reply::of(name, output).fails(2, &[&format!("in the variable {name}: "), part]);
    }
    place.run("config").ends_with(2);
    place.run("config shwo").fails(2, &["show"]);
}

#[test]
fn progress_is_shown_as_is_asked_for() {
    let place = Place::new();
    place.run("matrix list --progress loud").fails(2, &["loud", "auto", "plain", "none"]);
    // None of them lasts long enough for a line.
    for how in ["auto", "plain", "none"] {
        let reply = place.run(&format!("matrix random a --rows 9 --cols 9 --replace --progress {how}")).ok();
        assert_eq!(reply.err, "", "{how}");
    }
}
