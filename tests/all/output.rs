//! What goes to standard output and standard error, and what happens where they are closed.

use std::fs::File;
use std::process::Stdio;

use crate::command::{Place, Reply};

#[test]
fn a_reader_that_has_gone_away_is_no_error() {
    let place = Place::new();
    place.random("a", 50, 50);
    for line in [
        "matrix list",
        "matrix show a",
        "matrix info a --json",
        "--help",
        "--version",
        "matrix multiply a a -o c",
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let child = place.command(line).stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
        Reply::of(line, child.wait_with_output().unwrap()).ok();
    }
    // The work was done all the same.
    assert_eq!(place.names(), ["a", "c"]);
}

#[test]
fn closed_standard_error_is_no_error() {
    let place = Place::new();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = place.command("demo --size 100 -vv").stderr(writer).output().unwrap();
    Reply::of("demo", output).ok();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = place.command("matrix info nothing").stderr(writer).output().unwrap();
    Reply::of("matrix info", output).ends_with(1);
}

#[test]
fn an_answer_that_cannot_be_written_is_an_error() {
    let place = Place::new();
    place.random("a", 5, 5);
    let full = || File::options().write(true).open("/dev/full").unwrap();
    let output = place.command("matrix list").stdout(full()).output().unwrap();
    Reply::of("matrix list", output).fails(1, &["standard output"]);
    let output = place.command("matrix list --json").stdout(full()).output().unwrap();
    Reply::of("matrix list --json", output).ends_with(1);
}

#[test]
fn progress_and_logs_stay_off_standard_output() {
    let place = Place::new();
    let plain = place.run("demo --size 400 -q").ok();
    assert_eq!(plain.err, "");
    let loud = place.run("demo --size 400 -vv").ok();
    assert!(!loud.err.is_empty());
    assert_eq!(plain.out.lines().count(), loud.out.lines().count());
    assert!(!loud.err.contains('\u{1b}') && !loud.out.contains('\u{1b}'), "colours without a terminal");
}

#[test]
fn verbose_says_what_was_done_and_twice_how() {
    let place = Place::new();
    place.random("a", 50, 50);
    for (line, done) in [
        ("random b --rows 5 --cols 5", "committed"),
        ("multiply a a -o c --verify", "verified"),
        ("blocking c 2", "cut into blocks"),
        ("list", "opened the store"),
        ("info c", "opened"),
        ("show c", "opened"),
        ("path c", "opened"),
        ("export c c.npy", "exported"),
        ("import c.npy d", "imported"),
        ("check d", "checked"),
        ("remove d", "removed"),
    ] {
        let said = place.run(&format!("matrix {line} -v")).ok().err;
        assert!(said.contains("INFO") && said.contains(done) && !said.contains("DEBUG"), "{line}: {said}");
    }
    assert!(place.run("matrix multiply a a -o e -vv").ok().err.contains("DEBUG"));
}

#[test]
fn every_help_teaches_with_an_example() {
    let place = Place::new();
    let help = place.ok("--help");
    assert!(help.contains("Examples:") && help.contains("Exit status"), "{help}");
    let verbs = [
        "random", "full", "ones", "multiply", "blocking", "list", "info", "show", "plot", "path", "import",
        "export", "check", "diff", "remove",
    ];
    for verb in verbs {
        let help = place.ok(&format!("matrix {verb} --help"));
        assert!(help.contains("Example") && help.contains("--store") && help.contains("--json"), "{help}");
    }
    assert!(place.ok("demo --help").contains("Example"));
    assert!(place.ok("completions --help").contains("Example"));
    let matrix = place.ok("matrix --help");
    assert!(matrix.contains("Examples:") && !matrix.contains("hama demo"), "{matrix}");
    for line in
        verbs.map(|verb| format!("matrix {verb}")).iter().map(String::as_str).chain(["", "matrix", "demo"])
    {
        assert_eq!(place.ok(&format!("{line} -h")), place.ok(&format!("{line} --help")), "{line}");
    }
    assert_eq!(place.ok("--version"), format!("hama {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn completions_know_verbs_and_options() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = place.ok(&format!("completions {shell}"));
        for word in ["multiply", "transpose-a", "blocking", "dtype"] {
            assert!(script.contains(word), "{shell} does not know {word}");
        }
        let document = place.json(&format!("completions {shell}"));
        assert_eq!((&document["shell"], &document["script"]), (&shell.into(), &script.into()));
    }
    place.run("completions cmd").fails(2, &["cmd", "bash"]);
    assert!(!place.stored("").exists(), "no store is made for it");
}
