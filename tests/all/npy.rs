//! `.npy` files: what numpy writes comes in as it is, what lies is refused.

use std::fs;

use crate::command::Place;
use crate::oracle;

/// A version 1.0 file with this header and data.
fn npy(header: &str, data: &[u8]) -> Vec<u8> {
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend(u16::try_from(header.len()).unwrap().to_le_bytes());
    file.extend(header.as_bytes());
    file.extend(data);
    file
}

#[test]
fn files_that_lie_are_refused_and_leave_nothing() {
    let place = Place::new();
    place.random("a", 2, 2);
    let good = "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 2), }\n";
    let with = |from: &str, to: &str| npy(&good.replace(from, to), &[0; 32]);
    let mut long_header = npy(good, &[0; 32]);
    long_header[8..10].copy_from_slice(&u16::MAX.to_le_bytes());
    let mut huge_header = npy(good, &[0; 32]);
    huge_header.splice(6..10, [2, 0, 0xff, 0xff, 0xff, 0xff]);
    let wrong = [
        ("empty", Vec::new()),
        ("no-npy", b"PK\x03\x04 this is a zip file".to_vec()),
        ("magic-only", b"\x93NUMPY".to_vec()),
        ("version", [b"\x93NUMPY\x09\x00".as_slice(), &npy(good, &[0; 32])[8..]].concat()),
        ("long-header", long_header),
        ("huge-header", huge_header),
        ("truncated", npy(good, &[0; 31])),
        ("longer", npy(good, &[0; 33])),
        ("more-rows", with("(2, 2)", "(1000000, 2)")),
        ("overflow", with("(2, 2)", "(4611686018427387904, 4)")),
        ("negative", with("(2, 2)", "(-2, -2)")),
        ("no-rows", npy(&good.replace("(2, 2)", "(0, 2)"), &[])),
        ("one-dimension", with("(2, 2)", "(4,)")),
        ("three-dimensions", with("(2, 2)", "(2, 2, 1)")),
        ("scalar", npy(&good.replace("(2, 2)", "()"), &[0; 8])),
        ("object", with("<f8", "|O")),
        ("complex", with("<f8", "<c16")),
        ("half", with("<f8", "<f2")),
        ("text", with("<f8", "<U1")),
        ("dates", with("<f8", "<M8[s]")),
        ("fields", with("'<f8'", "[('x', '<f8')]")),
        ("code", with("False", "__import__('os')")),
        ("no-shape", with("'shape'", "'shap'")),
        ("inexact", {
            let numbers = [1, 2, 3, (1i64 << 53) + 1];
            npy(&good.replace("<f8", "<i8"), &numbers.map(i64::to_le_bytes).concat())
        }),
    ];
    for (name, bytes) in wrong {
        let file = format!("{name}.npy");
        fs::write(place.path().join(&file), bytes).unwrap();
        let reply = place.run(&format!("matrix import {file} new"));
        assert!(matches!(reply.status, Some(2 | 5)), "{name}: {reply:?}");
        assert!(reply.err.contains(&file) || name == "no-rows", "{name}: {reply:?}");
        assert!(!reply.err.contains("panicked"), "{name}: {reply:?}");
    }
    place.run("matrix import nothing.npy new").fails(1, &["nothing.npy"]);
    place.run("matrix import . new").ends_with_failure();
    assert_eq!(place.names(), ["a"]);
    place.ok("matrix random new --rows 2 --cols 2");
}

#[test]
fn standard_output_is_no_file() {
    let place = Place::new();
    place.random("a", 2, 2);
    place.run("matrix export a -").fails(2, &["cannot export a to -", "standard output"]);
    assert!(!place.path().join("-").exists());
}

#[test]
fn a_refused_file_makes_no_store() {
    let place = Place::new();
    let header = "{'descr': '<c16', 'fortran_order': False, 'shape': (2, 2), }\n";
    fs::write(place.path().join("complex.npy"), npy(header, &[0; 64])).unwrap();
    fs::write(place.path().join("short.npy"), npy(&header.replace("c16", "f8"), &[0; 31])).unwrap();
    for file in ["complex.npy", "short.npy", "nothing.npy", "."] {
        place.run(&format!("matrix import {file} new")).ends_with_failure();
        assert!(!place.stored("").exists(), "{file}");
    }
}

const VARIANTS: &str = r#"
import sys, numpy as np
rng = np.random.default_rng(1)
for dtype in ["<f8", ">f8", "<f4", ">f4", "i1", "u1", "<i2", ">i2", "<u2", "<i4", ">u4", "<i8", ">i8", "<u8", "?"]:
    for order in "CF":
        a = (rng.random((37, 11)) * 100 - (50 if np.dtype(dtype).kind in "if" else 0)).astype(dtype)
        name = f"{np.dtype(dtype).kind}{np.dtype(dtype).itemsize}-{'be' if dtype[0] == '>' else 'le'}-{order}"
        np.save(name + ".npy", np.asarray(a, order=order))
        print(name)
special = np.array([[np.nan, np.inf, -np.inf], [-0.0, 5e-324, 1.7976931348623157e308]])
np.save("special.npy", special); print("special")
for version in [(1, 0), (2, 0), (3, 0)]:
    with open(f"version{version[0]}.npy", "wb") as f:
        np.lib.format.write_array(f, rng.random((3, 1500)), version=version)
    print(f"version{version[0]}")
np.save("large.npy", np.asfortranarray(rng.random((1500, 1100)))); print("large")
"#;

const SAME: &str = r#"
import sys, numpy as np, zarr
for name, path in zip(sys.argv[1::2], sys.argv[2::2]):
    source, table, back = np.load(name + ".npy"), zarr.open(path, mode="r")[...], np.load(name + ".out.npy")
    expected = source.astype("<f4" if source.dtype.kind == "f" and source.dtype.itemsize == 4 else "<f8")
    for other in (table, back):
        assert other.dtype == expected.dtype and other.shape == expected.shape, (name, other.dtype, other.shape)
        assert np.ascontiguousarray(other).tobytes() == np.ascontiguousarray(expected).tobytes(), name
print("same")
"#;

#[test]
fn what_numpy_writes_comes_in_bit_for_bit_and_goes_out_so() {
    let place = Place::new();
    let Some(names) = oracle::python(place.path(), VARIANTS, &[]) else { return };
    let mut arguments = Vec::new();
    for name in names.lines() {
        place.ok(&format!("matrix import {name}.npy {name}"));
        place.ok(&format!("matrix export {name} {name}.out.npy"));
        arguments.extend([name.to_owned(), place.ok(&format!("matrix path {name}")).trim_end().to_owned()]);
    }
    assert!(arguments.len() > 60);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    assert_eq!(oracle::python(place.path(), SAME, &arguments).unwrap(), "same\n");
}

#[test]
fn numpy_arrays_that_are_no_matrices_are_refused() {
    let place = Place::new();
    let script = r#"
import numpy as np
np.save("object.npy", np.array([[None, 1]], dtype=object), allow_pickle=True)
np.save("complex.npy", np.ones((2, 2), complex))
np.save("vector.npy", np.ones(4))
np.save("cube.npy", np.ones((2, 2, 2)))
np.save("none.npy", np.ones((0, 3)))
np.save("record.npy", np.zeros((2, 2), dtype=[("x", "f8")]))
np.save("big.npy", np.array([[2**63 - 1]]))
"#;
    if oracle::python(place.path(), script, &[]).is_none() {
        return;
    }
    for file in ["object", "complex", "vector", "cube", "none", "record", "big"] {
        let reply = place.run(&format!("matrix import {file}.npy new"));
        assert!(
            matches!(reply.status, Some(2 | 5)) && reply.err.starts_with("hama: cannot"),
            "{file}: {reply:?}"
        );
    }
    let script = "import numpy as np; np.save('exact.npy', np.array([[2**53, -2**53]]))";
    oracle::python(place.path(), script, &[]);
    place.ok("matrix import exact.npy exact");
    assert!(place.ok("matrix show exact").contains("-9007199254740992"));
}
