//! `matrix show --picture` and `matrix plot`.

use std::fs;

use serde_json::{Value, json};

use crate::command::Place;

/// The pixels of a PNG file in red, green and blue, by rows.
fn pixels(place: &Place, name: &str) -> (usize, usize, Vec<[u8; 3]>) {
    let file = fs::File::open(place.path().join(name)).unwrap();
    let mut decoder = png::Decoder::new(std::io::BufReader::new(file));
    decoder.set_transformations(png::Transformations::EXPAND);
    let mut reader = decoder.read_info().unwrap();
    let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut bytes).unwrap();
    let pixels = bytes.chunks_exact(3).map(|rgb| [rgb[0], rgb[1], rgb[2]]).collect();
    (info.height as usize, info.width as usize, pixels)
}

const NAN: [u8; 3] = [215, 25, 30];
const INFINITE: [u8; 3] = [255, 0, 255];
const MOST: [u8; 3] = [250, 230, 60];
const LEAST: [u8; 3] = [20, 16, 60];
const PAPER: [u8; 3] = [255; 3];

/// A file of the format that `matrix import` reads, version 1.
fn npy(place: &Place, name: &str, (rows, cols): (usize, usize), element: impl Fn(usize, usize) -> f64) {
    let mut header = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': ({rows}, {cols}), }}");
    while (header.len() + 11) % 64 != 0 {
        header.push(' ');
    }
    header.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    for row in 0..rows {
        (0..cols).for_each(|col| bytes.extend(element(row, col).to_le_bytes()));
    }
    fs::write(place.path().join(format!("{name}.npy")), bytes).unwrap();
    place.ok(&format!("matrix import {name}.npy {name}"));
}

/// 1 on the diagonal, NaN in the upper right corner, infinite in the lower left one, else 0.
fn diagonal(place: &Place, n: usize) {
    npy(place, "d", (n, n), |row, col| match (row, col) {
        _ if row == col => -1.0,
        (0, col) if col == n - 1 => f64::NAN,
        (row, 0) if row == n - 1 => f64::NEG_INFINITY,
        _ => 0.0,
    });
}

#[test]
fn a_picture_of_characters_shows_what_is_where() {
    let place = Place::new();
    diagonal(&place, 1500);
    let text = place.ok("matrix show d --picture");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!((lines[0], lines[1]), ("d: 1500 x 1500 f64", ""));
    let picture = &lines[2..42];
    for (row, line) in picture.iter().enumerate() {
        let expected = match row {
            0 => format!("@@{}N", " ".repeat(77)),
            39 => format!("I{}@@", " ".repeat(77)),
            row => format!("{}@@", " ".repeat(2 * row)),
        };
        assert_eq!(*line, expected, "{row}");
    }
    assert!(lines[43].starts_with(" ...") && lines[43].ends_with('@'), "{text}");
    assert!(lines[44].starts_with("0 ") && lines[44].contains("0.5") && lines[44].ends_with('1'), "{text}");
    assert_eq!(lines[45], "largest |x| of each 38 x 19 elements; N: 1 NaN; I: 1 infinite");
    assert!(!text.contains('\x1b'));
    let json = place.json("matrix show d --picture");
    assert_eq!((&json["nans"], &json["infinities"], &json["largest"]), (&json!(1), &json!(1), &json!(1.0)));
    assert_eq!(
        (json["cells"][0][79].clone(), json["cells"][39][0].clone()),
        (json!("NaN"), json!("Infinity"))
    );
}

#[test]
fn small_flat_and_thin_matrices_have_pictures() {
    let place = Place::new();
    place.ok("matrix ones one --rows 1 --cols 1");
    assert!(place.ok("matrix show one --picture").contains("\n\n@@@@\n@@@@\n\n"));
    place.ok("matrix full zero --rows 2 --cols 2 --value 0");
    assert!(place.ok("matrix show zero --picture").contains("|x| of each element"));
    place.ok("matrix random row --rows 1 --cols 5000");
    place.ok("matrix random col --rows 5000 --cols 1 --dtype f32");
    let height = |name: &str| place.ok(&format!("matrix show {name} --picture")).lines().count();
    assert_eq!((height("row"), height("col")), (2 + 2 + 1 + 3, 2 + 40 + 1 + 3));
    for name in ["one", "zero", "row", "col"] {
        place.ok(&format!("matrix plot {name} -o {name}.png"));
        let (height, width, pixels) = pixels(&place, &format!("{name}.png"));
        assert_eq!((height, width), (800, 1000));
        let drawn = pixels.iter().filter(|pixel| **pixel != PAPER).count();
        assert!(drawn > 10_000, "{name}: {drawn}");
    }
    place.run("matrix show one --picture --rows 1").fails(2, &["--picture"]);
    place.run("matrix show garm --picture").fails(1, &["garm"]);
}

#[test]
fn a_plot_shows_what_is_where() {
    let place = Place::new();
    diagonal(&place, 30);
    let said = place.json("matrix plot d -o d.png --width 500 --height 400");
    assert_eq!(
        (&said["width"], &said["height"], &said["nans"], &said["infinities"], &said["cells"]),
        (&json!(500), &json!(400), &json!(1), &json!(1), &json!([30, 30]))
    );
    assert_eq!(said["bytes"], fs::metadata(place.path().join("d.png")).unwrap().len());
    let (height, width, pixels) = pixels(&place, "d.png");
    assert_eq!((height, width), (400, 500));
    // The corners of the matrix are where their colours begin and end.
    let places = |colour: [u8; 3]| {
        pixels
            .iter()
            .enumerate()
            .filter(move |(_, pixel)| **pixel == colour)
            .map(move |(index, _)| (index / width, index % width))
    };
    let (top, right) = places(NAN).next().unwrap();
    let (bottom, left) = places(INFINITE).next().unwrap();
    let side = places(NAN).take_while(|(y, _)| *y == top).count();
    let (high, wide) = (bottom + side - top, right + side - left);
    assert!(high.abs_diff(wide) <= 2 && wide.abs_diff(30 * side) < 30, "{high} {wide} {side}");
    let at = |row: usize, col: usize| {
        pixels[(top + (2 * row + 1) * high / 60) * width + left + (2 * col + 1) * wide / 60]
    };
    for row in 1..29 {
        assert_eq!((at(row, row), at(row, (row + 7) % 30)), (MOST, LEAST), "{row}");
    }
    // Both legends say so, in the same colours.
    assert!(places(NAN).count() > side * side && places(INFINITE).count() > side * side);
    // A file is drawn as it lies there.
    place.ok("matrix plot ./d.npy -o file.png --width 500 --height 400");
    assert_eq!(self::pixels(&place, "file.png").2[top * width..], pixels[top * width..]);
    let reply = place.ok("matrix plot d -o d.png --replace");
    assert!(
        reply.starts_with("d.png: 1000 x 800 pixels, ") && reply.contains("NaN: 1, infinite: 1"),
        "{reply}"
    );
}

#[test]
fn plots_that_cannot_be_are_refused_and_nothing_is_left() {
    let place = Place::new();
    place.random("a", 900, 900);
    let files = || {
        let names = fs::read_dir(place.path()).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
        names.sort();
        names
    };
    let before = files();
    place.run("matrix plot a").fails(2, &["--output"]);
    for (options, part) in [
        ("--width 0", "0 pixels"),
        ("--width 199", "200 to 4096"),
        ("--height 4097", "4097"),
        ("--height -5", "-5"),
        ("--width 1e3", "1e3"),
        ("--width 99999999999999999999", "too large"),
    ] {
        place.run(&format!("matrix plot a -o a.png {options}")).fails(2, &[part]);
    }
    place.run("matrix plot garm -o a.png").fails(1, &["garm"]);
    place.run("matrix plot a -o a.jpg").fails(2, &[".png", ".jpg"]);
    place.run("matrix plot a -o -").fails(2, &["names no file"]);
    place.run("matrix plot a -o none/a.png").fails(1, &["none/a.png"]);
    place.run("matrix plot a -o /dev/null").fails(2, &["no regular file"]);
    place.run("matrix plot a -o a.png --memory 1MiB").fails(1, &["--memory 1MiB", "try --memory"]);
    assert_eq!(files(), before);
    fs::write(place.path().join("there.png"), "mine").unwrap();
    place.run("matrix plot a -o there.png").fails(3, &["there.png", "--replace"]);
    assert_eq!(fs::read_to_string(place.path().join("there.png")).unwrap(), "mine");
    // A damaged tile ends it with 5.
    let array = std::path::PathBuf::from(place.ok("matrix path a").trim_end());
    let shard = fs::read_dir(array).unwrap().map(|entry| entry.unwrap().path());
    for shard in shard.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("c.")) {
        let mut bytes = fs::read(&shard).unwrap();
        bytes[100] ^= 1;
        fs::write(shard, bytes).unwrap();
    }
    let before = files();
    place.run("matrix plot a -o a.png").fails(5, &["a"]);
    place.run("matrix show a --picture").fails(5, &["a"]);
    assert_eq!(files(), before);
    let error: Value = place.run("matrix plot a -o a.png --json").ends_with(5).json();
    assert_eq!(error["command"], "matrix plot");
}
