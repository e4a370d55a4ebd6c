//! Help, the manual's pages, and what is said of words that are nearly right.

use std::fs;

use crate::command::Place;

#[test]
fn words_that_are_nearly_right_come_with_those_that_were_meant() {
    let place = Place::new();
    for (line, meant) in [
        ("matrix multiply a b --outptu c", "--output"),
        ("matrix random a --row 3 --cols 3", "--rows"),
        ("matrix random a --rows 3 --cols 3 --dtype f65", "f64"),
        ("matrix random a --rows 3 --cols 3 --distribution norml", "normal"),
        ("matrix mutliply a b", "multiply"),
        ("matrx list", "matrix"),
        ("matrix list --progress plane", "plain"),
        ("completions bahs", "bash"),
    ] {
        place.run(line).fails(2, &["tip: ", meant]);
        let error = place.run(&format!("{line} --json")).ends_with(2).json()["error"].clone();
        assert!(error["try"].as_str().unwrap().contains(meant), "{line}: {error}");
    }
    place.run("show a").fails(2, &["hama matrix show"]);
    place.run("plot a").fails(2, &["hama matrix plot"]);
}

#[test]
fn names_that_are_nearly_right_come_with_those_that_were_meant() {
    let place = Place::new();
    place.random("gram", 4, 4);
    place.random("other", 4, 4);
    for line in [
        "matrix multiply garm other -o c",
        "matrix multiply other garm -o c",
        "matrix multiply garm garm --explain",
        "matrix diff garm other",
        "matrix diff other garm",
        "matrix plot garm -o a.png",
        "matrix show garm --picture",
    ] {
        place.run(line).fails(1, &["try: gram"]);
    }
}

#[test]
fn the_manual_has_a_page_of_each_verb() {
    let place = Place::new();
    let first = place.ok("man");
    assert!(first.contains(".TH hama 1") && first.contains(".SH EXAMPLES\n.nf\n  hama demo"), "{first}");
    let said = place.json("man pages/man1");
    let files: Vec<&str> =
        said["files"].as_array().unwrap().iter().map(|file| file.as_str().unwrap()).collect();
    assert!(
        files.contains(&"hama.1") && files.contains(&"hama-matrix-multiply.1") && files.len() > 20,
        "{files:?}"
    );
    for file in &files {
        let page = fs::read_to_string(place.path().join("pages/man1").join(file)).unwrap();
        assert!(page.contains(".SH EXAMPLES\n.nf\n") && page.contains("\n.fi\n"), "{file}: {page}");
        assert!(page.contains(&format!(".TH {} 1", file.trim_end_matches(".1"))), "{file}");
    }
    assert_eq!(fs::read_dir(place.path().join("pages/man1")).unwrap().count(), files.len());
    place.run("man pages/man1").fails(3, &["hama.1", "--replace"]);
    assert!(place.ok("man pages/man1 --replace").contains("pages in pages/man1"));
    place.run("man --replace").fails(2, &["FOLDER"]);
    fs::write(place.path().join("file"), "").unwrap();
    place.run("man file/below").fails(2, &["file/below"]);
}
