//! What other programs read: tables bit for bit through zarr, dask and xarray, and products against numpy.

use crate::command::Place;
use crate::oracle;

const READERS: &str = r#"
import os, sys, numpy as np, zarr, dask.array as da, xarray as xr
for name, path in zip(sys.argv[1::2], sys.argv[2::2]):
    expected = np.load(name + ".npy")
    z = zarr.open(path, mode="r")
    assert z.shape == expected.shape and z.dtype == expected.dtype, (z.shape, z.dtype)
    group = os.path.dirname(path)
    dataset = xr.open_zarr(group, consolidated=False)
    assert dataset["values"].dims == ("row", "column"), dataset["values"].dims
    current = os.path.join(os.path.dirname(os.path.dirname(group)), "current")
    readers = {
        "zarr": z[...],
        "dask": da.from_zarr(path, chunks=z.shards).compute(),
        "xarray": dataset["values"].values,
        "current": zarr.open(os.path.join(current, "values"), mode="r")[...],
        "group": zarr.open_group(current, mode="r")["values"][...],
    }
    for reader, values in readers.items():
        assert values.tobytes() == expected.tobytes(), (name, reader)
    assert list(zarr.open_group(group, mode="r").array_keys()) == ["values"]
print("same")
"#;

#[test]
fn zarr_dask_and_xarray_read_the_same_bits() {
    let place = Place::new();
    let shapes = [
        (1, 1),
        (1, 3000),
        (3000, 1),
        (1797, 64),
        (1024, 1025),
        (7, 11),
        (2053, 1543),
        (1, 1024),
        (3100, 2100),
    ];
    let mut arguments = Vec::new();
    for (rows, cols) in shapes {
        for dtype in ["f64", "f32"] {
            let name = format!("m{rows}x{cols}{dtype}");
            place.ok(&format!(
                "matrix random {name} --rows {rows} --cols {cols} --seed {rows} --dtype {dtype}"
            ));
            place.ok(&format!("matrix export {name} {name}.npy"));
            arguments.extend([name.clone(), place.ok(&format!("matrix path {name}")).trim_end().to_owned()]);
        }
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    if let Some(said) = oracle::python(place.path(), READERS, &arguments) {
        assert_eq!(said, "same\n");
    }
}

#[test]
fn the_readers_see_what_a_replacement_left() {
    let place = Place::new();
    place.ok("matrix random a --rows 10 --cols 10 --seed 1");
    place.ok("matrix random a --rows 20 --cols 30 --seed 2 --replace");
    place.ok("matrix blocking a 3");
    place.ok("matrix export a a.npy");
    let path = place.ok("matrix path a");
    if let Some(said) = oracle::python(place.path(), READERS, &["a", path.trim_end()]) {
        assert_eq!(said, "same\n");
    }
}

const REFERENCE: &str = r#"
import sys, fsspec, numpy as np, xarray as xr, zarr
files = fsspec.filesystem("reference", fo=sys.argv[1], asynchronous=True)
store = zarr.storage.FsspecStore(files, read_only=True, path="")
expected = np.load("a.npy")
assert zarr.open_group(store, mode="r")["values"][...].tobytes() == expected.tobytes()
dataset = xr.open_zarr(store, consolidated=False)
assert dataset["values"].values.tobytes() == expected.tobytes() and list(dataset["row"].values[:2]) == [7, 8]
print("same")
"#;

#[test]
fn a_reference_opens_as_the_matrix() {
    let place = Place::new();
    place.ok("matrix random a --rows 2000 --cols 1500 --seed 1");
    let rows: String = (7..2007).map(|row| format!("{row}\n")).collect();
    std::fs::write(place.path().join("rows.txt"), rows).unwrap();
    place.ok("matrix label a --rows rows.txt");
    place.ok("matrix update a --at 0,0 --value 7");
    place.ok("matrix export a a.npy");
    assert_eq!(place.ok("matrix path a --reference a.json"), "a.json\n");
    place.run("matrix path a --reference a.json").fails(3, &["a.json exists already", "--replace"]);
    place.ok("matrix path a --reference a.json --replace");
    if let Some(said) = oracle::python(place.path(), REFERENCE, &["a.json"]) {
        assert_eq!(said, "same\n");
    }
}

const DIGITS: &str = "import numpy as np, sklearn.datasets as d; np.save('digits.npy', d.load_digits().data)";

const GRAM: &str = r#"
import sys, numpy as np, zarr
d = np.load("digits.npy")
gram = zarr.open(sys.argv[1], mode="r")[...]
assert gram.shape == (64, 64) and gram.dtype == np.float64
assert np.array_equal(gram, d.T @ d), abs(gram - d.T @ d).max()
print("equal", int(gram.sum()))
"#;

#[test]
fn the_gram_matrix_of_the_digits_is_exact() {
    let place = Place::new();
    if oracle::python(place.path(), DIGITS, &[]).is_none() {
        return;
    }
    place.ok("matrix import digits.npy digits");
    assert!(place.ok("matrix info digits").contains("1797 x 64 f64"));
    place.ok("matrix multiply digits digits --transpose-a --output gram --verify");
    let path = place.ok("matrix path gram");
    assert!(oracle::python(place.path(), GRAM, &[path.trim_end()]).unwrap().starts_with("equal "));
}

/// |C - AB| <= gamma_(k+2) |A||B| for each of both products (Higham, Accuracy and Stability, section 3.5): twice that
/// between them, and numpy's own bound |A||B| is off by a factor near 1.
const NUMPY: &str = r#"
import sys, numpy as np, zarr
for name, *paths, transposed in zip(*[iter(sys.argv[1:])] * 5):
    a, b, c = (zarr.open(path, mode="r")[...] for path in paths)
    a = a.T if transposed == "transposed" else a
    u = np.finfo(a.dtype).eps / 2
    k = a.shape[1]
    gamma = (k + 2) * u / (1 - (k + 2) * u)
    a, b = a.astype(np.float64), b.astype(np.float64)
    error = np.abs(c - a @ b)
    bound = 2.01 * gamma * (np.abs(a) @ np.abs(b))
    assert c.shape == (a.shape[0], b.shape[1]) and (error <= bound).all(), (name, (error / bound).max())
print("within")
"#;

#[test]
fn products_agree_with_numpy() {
    let place = Place::new();
    let cases = [
        ("square", (1500, 1500, 1500), "f64", ""),
        ("tall", (5003, 13, 7), "f64", ""),
        ("wide", (7, 13, 5003), "f32", ""),
        ("deep", (19, 9001, 23), "f64", "--grid 1x1x2 --peers 2"),
        ("row", (1, 2049, 1031), "f32", "--peers 3"),
        ("outer", (1031, 1, 1025), "f64", "--peers 7"),
        ("tight", (2300, 2100, 1900), "f64", "--memory 96MiB"),
        ("flipped", (1100, 1300, 900), "f32", "--transpose-a"),
    ];
    let mut arguments = Vec::new();
    for (name, (m, k, n), dtype, options) in cases {
        let transposed = options.contains("transpose-a");
        let (rows, cols) = if transposed { (k, m) } else { (m, k) };
        place.ok(&format!("matrix random {name}-a --rows {rows} --cols {cols} --seed 1 --dtype {dtype}"));
        place.ok(&format!("matrix random {name}-b --rows {k} --cols {n} --seed 2 --dtype {dtype}"));
        place.ok(&format!("matrix multiply {name}-a {name}-b --output {name}-c --verify {options}"));
        arguments.push(name.to_owned());
        let path = |part: &str| place.ok(&format!("matrix path {name}-{part}")).trim_end().to_owned();
        arguments.extend(["a", "b", "c"].map(path));
        arguments.push(if transposed { "transposed" } else { "as-it-is" }.to_owned());
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let said = oracle::python(place.path(), NUMPY, &arguments);
    assert!(said.is_none_or(|said| said == "within\n"));
}
