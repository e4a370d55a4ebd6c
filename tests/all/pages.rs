//! The pages of the documentation: what they say to type works and prints what they show, and their links lead somewhere.
//! The Rust on them is compiled, and run where it can be, as tests of `src/lib.rs`.

use crate::page;

/// A test for each page on which there is something to do.
macro_rules! follow {
    ($($test:ident: $page:literal,)*) => {
        const FOLLOWED: &[&str] = &[$($page),*];
        $(
            #[test]
            fn $test() {
                page::follow($page);
            }
        )*
    };
}

follow! {
    readme: "README.md",
    quick_start: "docs/quick-start.md",
    updates: "docs/updates.md",
    python: "docs/python.md",
    coming_from: "docs/coming-from.md",
    troubleshooting: "docs/troubleshooting.md",
}

#[test]
fn every_page_is_followed() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    for path in page::all() {
        let page = path.strip_prefix(root).unwrap().to_str().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(!page::is_to_be_followed(page, &text) || FOLLOWED.contains(&page), "{page} is not followed");
    }
}

#[test]
fn the_picture_is_what_the_command_draws() {
    let place = crate::command::Place::new();
    let digits = "import numpy, sklearn.datasets as d; numpy.save('digits.npy', d.load_digits().data)";
    if crate::oracle::python(place.path(), digits, &[]).is_none() {
        return;
    }
    place.ok("matrix import digits.npy digits");
    place.ok("matrix multiply digits digits --transpose-a --output gram");
    place.ok("matrix plot gram -o gram.png");
    let drawn = std::fs::read(place.path().join("gram.png")).unwrap();
    let shown = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/gram.png")).unwrap();
    assert!(drawn == shown, "docs/gram.png is another picture: draw it again as README.md says");
}

#[test]
fn links_between_pages_lead_somewhere() {
    let mut count = 0;
    for page in page::all() {
        let text = std::fs::read_to_string(&page).unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = link.split('#').next().unwrap();
            if file.is_empty() || file.contains("://") {
                continue;
            }
            assert!(page.with_file_name(file).exists(), "{}: {link}", page.display());
            count += 1;
        }
    }
    assert!(count > 10, "{count} links");
}
