//! `--json`: one document of a documented form, errors too.

use serde_json::{Value, json};

use crate::command::Place;

#[test]
fn every_verb_answers_with_one_document() {
    let place = Place::new();
    place.ok("matrix random a --rows 20 --cols 20");
    let lines = [
        ("matrix random b --rows 3 --cols 3", "matrix random"),
        ("matrix multiply a a --output c", "matrix multiply"),
        ("matrix multiply a a --explain", "matrix multiply"),
        ("matrix blocking a 2", "matrix blocking"),
        ("matrix list", "matrix list"),
        ("matrix info a", "matrix info"),
        ("matrix show a", "matrix show"),
        ("matrix path a", "matrix path"),
        ("matrix export a a.npy", "matrix export"),
        ("matrix import a.npy d", "matrix import"),
        ("matrix check a", "matrix check"),
        ("matrix remove d", "matrix remove"),
        ("demo --size 10", "demo"),
        ("bench multiply --sizes 10 --rounds 1", "bench multiply"),
    ];
    for (line, command) in lines {
        let reply = place.run(&format!("--json -vv {line}")).ok();
        assert_eq!(reply.err, "", "{line}");
        let document = reply.json();
        assert_eq!(document["command"], command);
        assert!(document.get("error").is_none(), "{document}");
    }
}

#[test]
fn a_table_is_described_alike_wherever_it_occurs() {
    let place = Place::new();
    let made = place.json("matrix random a --rows 20 --cols 30 --dtype f32");
    let info = place.json("matrix info a");
    for key in ["name", "rows", "cols", "dtype", "bytes", "version", "path"] {
        assert!(!made[key].is_null() && made[key] == info[key], "{key}: {made} {info}");
    }
    let list = place.json("matrix list");
    for key in ["name", "rows", "cols", "dtype", "bytes", "version"] {
        assert_eq!(list["tables"][0][key], info[key]);
    }
}

#[test]
fn errors_are_documents_on_standard_output() {
    let place = Place::new();
    let error = |line: &str, status: i32| -> Value {
        let reply = place.run(&format!("{line} --json")).ends_with(status);
        assert_eq!(reply.err, "");
        let document = reply.json();
        assert_eq!(document["exit_code"], status);
        assert!(reply.out.starts_with("{\"schema\":1,\"command\":"), "{}", reply.out);
        document
    };
    let none = error("matrix list", 1);
    assert_eq!((&none["command"], &none["error"]["kind"]), (&json!("matrix list"), &json!("not-found")));
    place.ok("matrix random gram --rows 4 --cols 3");
    let unknown = error("matrix info garm", 1);
    assert_eq!(unknown["error"]["try"], "gram");
    assert_eq!(unknown["error"]["at"], Value::Null);
    assert_eq!(error("matrix multiply gram gram --output c", 2)["error"]["kind"], "invalid");
    assert_eq!(error("matrix random gram --rows 4 --cols 3", 3)["error"]["kind"], "exists");
    let usage = error("matrix random", 2);
    assert_eq!(usage["error"]["kind"], "invalid");
    assert!(usage["error"]["message"].as_str().unwrap().contains("--rows"), "{usage}");
    assert!(usage.as_object().unwrap()["command"].is_null());
}

#[test]
fn numbers_come_back_as_they_are() {
    let place = Place::new();
    place.ok("matrix random a --rows 3 --cols 3");
    place.ok("matrix export a a.npy");
    let file = std::fs::read(place.path().join("a.npy")).unwrap();
    let last = f64::from_le_bytes(file[file.len() - 8..].try_into().unwrap());
    assert_eq!(place.json("matrix show a")["values"][2][2].as_f64().unwrap().to_bits(), last.to_bits());
}
