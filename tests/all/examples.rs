//! The examples run and say what their documentation says.

use std::path::Path;
use std::process::{Command, Output};

use crate::command::HAMA;

/// Runs an example, which cargo has built beside the command, in a fresh folder.
fn example(name: &str, arguments: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let program = Path::new(HAMA).with_file_name("examples").join(name);
    let Output { status, stdout, stderr } = Command::new(&program)
        .env_remove("HAMA_MASTER")
        .current_dir(folder.path())
        .args(arguments)
        .output()
        .unwrap_or_else(|error| panic!("{} (`cargo build --examples` makes it): {error}", program.display()));
    assert!(status.success(), "{name}: {}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).unwrap()
}

#[test]
fn every_example_runs() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        assert!(!example(path.file_stem().unwrap().to_str().unwrap(), &[]).is_empty(), "{}", path.display());
    }
}

#[test]
fn matrix_multiply() {
    let said = example("matrix_multiply", &[]);
    assert!(said.contains("grid") && said.contains("4000 x 3000"), "{said}");
}

#[test]
fn gram() {
    assert!(example("gram", &[]).contains("equal"));
}

#[test]
fn hello_bsp() {
    let said = example("hello_bsp", &["2"]);
    assert_eq!(
        said,
        "peer 0 of 2 received \"hello from peer 1\"\npeer 1 of 2 received \"hello from peer 0\"\n"
    );
}

#[test]
fn pi() {
    let said = example("pi", &["100000"]);
    assert_eq!(said.matches("3.14").count(), 3, "{said}");
}

#[test]
fn in_tokio() {
    assert_eq!(example("in_tokio", &[]), "gram-of-a is 300 x 300\ngram-of-b is 300 x 300\n");
}
