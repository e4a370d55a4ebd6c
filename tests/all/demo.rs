//! `hama demo`, and the lines that it says to type next.

use std::process::Command;

use crate::command::Place;
use crate::oracle;

#[test]
fn the_demo_says_what_it_did_and_what_lies_where() {
    let place = Place::new();
    let said = place.ok("demo --size 700");
    let (plan, rest) = said.split_once("\n\n").unwrap();
    assert!(plan.contains("grid") && plan.contains("memory"), "{said}");
    let first = rest.lines().next().unwrap();
    assert!(first.contains(" s, verified") && first.contains("700 x 700"), "{said}");
    assert!(rest.contains("GFLOP/s") && rest.contains("of memory at most"), "{said}");
    for name in ["demo-a", "demo-b", "demo-c"] {
        let folder = place.stored(name).canonicalize().unwrap();
        assert!(said.contains(folder.to_str().unwrap()), "{said}");
    }
    assert_eq!(place.names(), ["demo-a", "demo-b", "demo-c"]);
}

#[test]
fn a_second_demo_reuses_the_operands_and_replaces_the_product() {
    let place = Place::new();
    let version = |name: &str| place.json(&format!("matrix info {name}"))["version"].as_u64().unwrap();
    let versions = || ["demo-a", "demo-b", "demo-c"].map(version);
    place.ok("demo --size 64");
    let first = versions();
    place.ok("demo --size 64");
    let second = versions();
    assert_eq!(second, [first[0], first[1], first[2] + 1]);
    place.ok("demo --size 65");
    assert!(place.ok("matrix info demo-c").contains("65 x 65 f64"));
    place.ok("matrix remove demo-a demo-b");
    place.ok("demo --size 64");
}

#[test]
fn the_demo_leaves_alone_what_somebody_else_made() {
    for (name, made) in [
        ("demo-a", "random demo-a --rows 64 --cols 64 --seed 9"),
        ("demo-a", "random demo-a --rows 64 --cols 63 --seed 1"),
        ("demo-b", "random demo-b --rows 64 --cols 64 --seed 2 --dtype f32"),
        ("demo-c", "random demo-c --rows 64 --cols 64 --seed 1"),
        ("demo-c", "multiply demo-b demo-b --output demo-c --replace"),
    ] {
        let place = Place::new();
        place.ok("demo --size 20");
        place.ok(&format!("matrix {made}{}", if made.contains("--replace") { "" } else { " --replace" }));
        let all = || ["demo-a", "demo-b", "demo-c"].map(|name| place.ok(&format!("matrix show {name}")));
        let before = all();
        place.run("demo --size 64").fails(3, &[name, "did not make", "matrix remove"]);
        assert_eq!(all(), before, "{made}");
    }
}

#[test]
fn the_lines_of_the_demo_run_as_printed() {
    let place = Place::new();
    let json = place.json("demo --size 300 --store data");
    let lines = json["next"].as_array().unwrap().iter().map(|next| next["line"].as_str().unwrap().to_owned());
    let remove = json["remove"].as_str().unwrap().to_owned();
    for line in lines.chain([remove]) {
        if line.contains("pip install") {
            continue;
        }
        if !line.starts_with("hama-python/") {
            run(&place, &line);
        } else if oracle::python(place.path(), "", &[]).is_some() {
            let python = std::env::var("HAMA_ORACLE_PYTHON").unwrap();
            run(&place, &line.replacen("hama-python/bin/python", &python, 1));
        } else if line.contains("numpy") {
            return;
        }
    }
    assert_eq!(place.json("matrix list --store data")["tables"].as_array().unwrap().len(), 2);
}

fn run(place: &Place, line: &str) {
    let output = Command::new("sh").current_dir(place.path()).args(["-c", line]).output().unwrap();
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    assert!(!output.stdout.is_empty() || line.contains("save"), "{line}");
}
