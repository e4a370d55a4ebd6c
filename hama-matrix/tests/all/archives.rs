//! Arrays in `.npz` archives: their names, and their checksums.

use std::fs;
use std::path::Path;

use hama_core::ErrorKind;
use hama_matrix::files::{self, ExportOptions, ImportOptions, Incoming};

use crate::files::{Place, f64s};

fn named(array: &str) -> ExportOptions {
    ExportOptions { array: Some(array.into()), ..ExportOptions::default() }
}

#[test]
fn a_stored_array_that_is_damaged_is_never_read() {
    let place = Place::new();
    let a = place.random::<f64>("a", (300, 200));
    let path = place.export(&a, "a.npz");
    let good = fs::read(&path).unwrap();
    for at in [good.len() / 2, good.len() / 3, good.len() - 2000] {
        let mut bad = good.clone();
        bad[at] ^= 1;
        let (kind, why) = place.refused(&place.write("bad.npz", &bad));
        assert!(kind == ErrorKind::Data && why.contains("checksum") && why.contains("bad.npz#a"), "{why}");
        let opened = Incoming::open(&place.path("bad.npz"), &ImportOptions::default()).unwrap();
        assert_eq!(opened.in_place(&place.hama).unwrap_err().kind(), ErrorKind::Data);
    }
    // Written anew between the look at it and the reading.
    let opened = Incoming::open(&path, &ImportOptions::default()).unwrap();
    assert!(opened.check_bytes() > 300 * 200 * 8);
    fs::write(&path, [&good[..], b" "].concat()).unwrap();
    let error = opened.in_place(&place.hama).unwrap_err();
    assert!(error.kind() == ErrorKind::Data && error.message().contains("changed"), "{error}");
}

#[test]
fn arrays_have_the_names_that_are_given_or_that_of_the_matrix() {
    let place = Place::new();
    let a = place.random::<f64>("a", (7, 5)).any().unwrap();
    let array_in = |file: &str| {
        let wrong = ImportOptions { array: Some("?".into()), ..ImportOptions::default() };
        let error = Incoming::open(&place.path(file), &wrong).unwrap_err();
        error.message().rsplit(' ').next().unwrap().to_owned()
    };
    let export = |name: &str, options: &ExportOptions| files::export(&a, &place.path(name), options);
    let bytes = export("w.npz#w", &ExportOptions::default()).unwrap();
    assert_eq!(bytes, fs::metadata(place.path("w.npz")).unwrap().len());
    export("x.npz", &named("x")).unwrap();
    export("a.npz", &ExportOptions::default()).unwrap();
    files::export(&a.shown_as("./b.csv"), &place.path("b.npz"), &ExportOptions::default()).unwrap();
    for (file, array) in [("w.npz", "w"), ("x.npz", "x"), ("a.npz", "a"), ("b.npz", "b")] {
        assert_eq!(array_in(file), array, "{file}");
        assert_eq!(f64s(&place.import(&place.path(file))), f64s(&a));
    }
    for (name, options) in [
        ("y.npz#", ExportOptions::default()),
        ("y.npz#u/v", ExportOptions::default()),
        ("y.npz#v", named("w")),
    ] {
        assert_eq!(options.check(&place.path(name)).unwrap_err().kind(), ErrorKind::Invalid, "{name}");
        assert_eq!(export(name, &options).unwrap_err().kind(), ErrorKind::Invalid, "{name}");
    }
    assert_eq!(export("w.npz#again", &ExportOptions::default()).unwrap_err().kind(), ErrorKind::Exists);
    assert!(!place.path("y.npz").exists() && !Path::new(&place.path("w.npz#w")).exists());
}
