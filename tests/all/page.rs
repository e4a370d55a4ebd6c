//! A page of the documentation, followed as a reader would: its commands and its Python are run, in order and in one
//! folder, and what they print is compared with what the page says.
//!
//! Where the page shows no output, it only has to work. In what it shows, `...` stands for whatever is there, a line of
//! its own for any lines; times, speeds, dates and the memory that was used count as any others. A command that is shown
//! with an error of Hama has to fail, every other one has to work.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::{HAMA, Place};
use crate::notebook::Notebook;
use crate::oracle;

/// What stands on pages for its reader and is not run, and why.
const NOT_RUN: [(&str, &str); 5] = [
    ("cargo install ", "builds the command again and changes the user's home"),
    ("cargo run ", "builds the command again; other tests run the same"),
    ("cargo xtask ", "runs these tests, or measures for an hour"),
    ("python3 -m venv ", "needs a registry; the environment of the oracles takes its place"),
    ("hama-python/bin/pip ", "needs a registry; the environment of the oracles takes its place"),
];

/// One thing to do, and what is shown below it.
#[derive(Debug)]
struct Step {
    line_number: usize,
    what: What,
    input: String,
    shown: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum What {
    /// A line for the shell.
    Command,
    /// A statement at Python's prompt.
    Prompt,
    /// A Python program that shares the names of the page's others.
    Program,
}

/// Does what the page says.
pub(crate) fn follow(page: &str) {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(page)).unwrap();
    let steps = steps(page, &text);
    let wants_python = steps.iter().any(|step| step.what != What::Command || is_of_python(step));
    let python = oracle::interpreter();
    if wants_python && python.is_none() {
        return;
    }
    let place = Place::new();
    let path = prepare(&place, python.as_deref());
    let mut notebook = None;
    for step in steps {
        let (said, worked) = match (step.what, &python) {
            (What::Command, _) => run(&place, &step.input, &path),
            (_, Some(python)) => notebook
                .get_or_insert_with(|| Notebook::open(python, &place, &path))
                .run(&step.input, step.what == What::Prompt),
            (_, None) => continue,
        };
        compare(page, &step, &said, worked);
    }
}

/// Whether a page has anything that is run.
pub(crate) fn is_to_be_followed(page: &str, text: &str) -> bool {
    !steps(page, text).is_empty()
}

fn is_of_python(step: &Step) -> bool {
    step.input.contains("hama-python/bin/python")
}

/// Lays what a reader has: the command on the path, and Python in a folder `hama-python`. Gives the path.
fn prepare(place: &Place, python: Option<&Path>) -> String {
    let bin = place.path().join(".bin");
    std::fs::create_dir(&bin).unwrap();
    std::os::unix::fs::symlink(HAMA, bin.join("hama")).unwrap();
    if let Some(python) = python {
        let folder = place.path().join("hama-python/bin");
        std::fs::create_dir_all(&folder).unwrap();
        let script = format!("#!/bin/sh\nexec '{}' \"$@\"\n", python.display());
        std::fs::write(folder.join("python"), script).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(folder.join("python"), mode).unwrap();
    }
    format!("{}:{}", bin.display(), std::env::var("PATH").unwrap())
}

/// Runs a line in the shell: what it prints, on both streams, and whether it went well.
fn run(place: &Place, line: &str, path: &str) -> (String, bool) {
    let mut shell = Command::new("sh");
    for (name, value) in place.command("").get_envs() {
        shell.env(name, value.unwrap_or_default());
    }
    let output = shell
        .current_dir(place.path())
        .env("PATH", path)
        // On a slow machine there would be lines of progress between those that are compared.
        .env("HAMA_PROGRESS", "none")
        // On which shards and plans depend, and so what the pages show.
        .env("HAMA_PEERS", "2")
        .env("HAMA_MEMORY", "4GiB")
        .args(["-c", &format!("exec 2>&1\n{line}")])
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    (String::from_utf8_lossy(&output.stdout).into_owned(), output.status.success())
}

fn compare(page: &str, step: &Step, said: &str, worked: bool) {
    let Step { line_number, input, shown, .. } = step;
    let fails =
        |line: &String| ["hama: ", "error: ", "Traceback "].iter().any(|start| line.starts_with(start));
    assert_eq!(worked, !shown.iter().any(fails), "{page}:{line_number}: {input}\n{said}");
    let said_lines: Vec<&str> = said.lines().map(str::trim_end).collect();
    assert!(
        shown.is_empty() || is_shown(shown, &said_lines),
        "{page}:{line_number}: {input}\nthe page says:\n{}\nand it is:\n{said}",
        shown.join("\n")
    );
}

/// The steps of a page, in order, without those that are not run.
fn steps(page: &str, text: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((_, line)) = lines.next() {
        let Some(language) = line.strip_prefix("```") else { continue };
        let block: Vec<_> = lines.by_ref().take_while(|(_, line)| *line != "```").collect();
        match language {
            "console" => steps.extend(prompts(&block, "$ ", What::Command)),
            "python" if block[0].1.starts_with(">>> ") => steps.extend(prompts(&block, ">>> ", What::Prompt)),
            "python" => steps.push(program(&block)),
            // Rust is compiled and run by rustdoc.
            "rust" | "rust,no_run" | "toml" | "json" | "text" | "" => {}
            other => panic!("{page}: a block of {other}"),
        }
    }
    steps.retain(|step| !NOT_RUN.iter().any(|(start, _)| step.input.starts_with(start)));
    steps
}

fn prompts(block: &[(usize, &str)], prompt: &str, what: What) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for (index, line) in block {
        match (line.strip_prefix(prompt), steps.last_mut()) {
            (Some(input), _) => {
                steps.push(Step { line_number: index + 1, what, input: input.to_owned(), shown: Vec::new() })
            }
            (None, Some(step)) => step.shown.push(line.trim_end().to_owned()),
            (None, None) => panic!("line {}: output of nothing", index + 1),
        }
    }
    steps
}

fn program(block: &[(usize, &str)]) -> Step {
    let lines: Vec<&str> = block.iter().map(|(_, line)| *line).collect();
    let (line_number, input) = (block[0].0 + 1, lines.join("\n") + "\n");
    Step { line_number, what: What::Program, input, shown: Vec::new() }
}

/// Whether these lines are what is shown.
fn is_shown(shown: &[String], said: &[&str]) -> bool {
    match (shown.split_first(), said.split_first()) {
        (None, _) => said.is_empty(),
        (Some((first, rest)), _) if first == "..." => {
            (0..=said.len()).any(|skipped| is_shown(rest, &said[skipped..]))
        }
        (Some((first, rest)), Some((line, after))) => {
            is_line(&steady(first), &steady(line)) && is_shown(rest, after)
        }
        (Some(_), None) => false,
    }
}

/// Whether this line is what is shown, with `...` for whatever is there.
fn is_line(shown: &str, said: &str) -> bool {
    let Some((start, rest)) = shown.split_once("...") else { return shown == said };
    let Some(after) = said.strip_prefix(start) else { return false };
    (0..=after.len())
        .filter(|skipped| after.is_char_boundary(*skipped))
        .any(|skipped| is_line(rest, &after[skipped..]))
}

/// The line with `#` for what differs from run to run: times, speeds, shares of rounding, dates, memory that was used.
fn steady(line: &str) -> String {
    let words: Vec<&str> = line.split(' ').collect();
    let steadied: Vec<&str> = words
        .iter()
        .enumerate()
        .map(|(index, word)| {
            let next = words.get(index + 1).map_or("", |next| next.trim_end_matches(','));
            let measured = is_number(word) && ["s", "GFLOP/s", "%"].contains(&next);
            let used = word.ends_with('B') && next == "of" && words.get(index + 2) == Some(&"memory");
            if measured || used || is_date(word) { "#" } else { word }
        })
        .collect();
    steadied.join(" ")
}

fn is_number(word: &str) -> bool {
    word.parse::<f64>().is_ok()
}

/// Such as 2026-11-21 or 22:13.
fn is_date(word: &str) -> bool {
    let shape: String = word.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    ["0000-00-00", "00:00"].contains(&shape.as_str())
}

/// Every page of the documentation.
pub(crate) fn all() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    ["", "docs", "docs/adr"]
        .iter()
        .flat_map(|folder| std::fs::read_dir(root.join(folder)).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect()
}

#[test]
fn what_a_page_shows_is_compared() {
    let shown = |shown: &str, said: &str| {
        let shown: Vec<String> = shown.lines().map(str::to_owned).collect();
        is_shown(&shown, &said.lines().collect::<Vec<_>>())
    };
    assert!(shown("a: 3 x 4\n0.1 s, 8 GFLOP/s", "a: 3 x 4\n12.5 s, 0.3 GFLOP/s"));
    assert!(shown("a@1  2026-11-21 22:13 UTC  written", "a@1  2027-01-01 00:00 UTC  written"));
    assert!(shown("a\n...\nz", "a\nz") && shown("a\n...\nz", "a\nb\nc\nz"));
    assert!(shown("no table a in ...: there is none", "no table a in file:/x: there is none"));
    for (page, said) in [
        ("1 of 8 shards", "2 of 8 shards"),
        ("a: 61.1MiB", "a: 61.2MiB"),
        ("a", "a\nb"),
        ("a\nb", "a"),
        ("a\n...", "b"),
        ("no ... there", "no table here"),
        ("5", ""),
    ] {
        assert!(!shown(page, said), "{page:?} is not {said:?}");
    }
}

#[test]
fn steps_are_found_in_blocks() {
    let text = "```console\n$ hama a\nb\n$ cargo install x\n$ c\n```\n$ not\n```python\n>>> 1\n1\n```\n```python\nx = 1\n```\n";
    let found: Vec<_> = steps("", text).into_iter().map(|step| (step.what, step.input, step.shown)).collect();
    let expected = [
        (What::Command, "hama a", vec!["b".to_owned()]),
        (What::Command, "c", vec![]),
        (What::Prompt, "1", vec!["1".to_owned()]),
        (What::Program, "x = 1\n", vec![]),
    ];
    assert_eq!(found, expected.map(|(what, input, shown)| (what, input.to_owned(), shown)));
}
