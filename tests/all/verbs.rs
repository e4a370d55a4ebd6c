//! Every verb, used as it is meant.

use serde_json::{Value, json};

use crate::command::Place;

#[test]
fn random_makes_what_its_seed_says() {
    let place = Place::new();
    let made = place.ok("matrix random a --rows 30 --cols 20 --seed 7");
    assert!(made.starts_with("a: 30 x 20 f64"), "{made}");
    place.ok("--store file:./hama-data matrix random again --rows 30 --cols 20 --seed 7");
    place.ok("matrix random other --rows 30 --cols 20 --seed 8");
    place.ok("matrix random single --rows 30 --cols 20 --seed 7 --dtype f32");
    let values =
        |name: &str| place.json(&format!("matrix show {name} --rows .. --cols .."))["values"].clone();
    assert_eq!(values("a"), values("again"));
    assert_ne!(values("a"), values("other"));
    assert_ne!(values("a"), values("single"));
    let uniform = |value: &Value| (0.0..1.0).contains(&value.as_f64().unwrap());
    for name in ["a", "single"] {
        assert!(values(name).as_array().unwrap().iter().flat_map(|row| row.as_array().unwrap()).all(uniform));
    }
}

#[test]
fn random_is_uniform_or_normal() {
    let place = Place::new();
    for (name, options) in [("n", "--distribution normal"), ("u", "--distribution uniform"), ("d", "")] {
        place.ok(&format!("matrix random {name} --rows 300 --cols 300 --seed 7 {options}"));
    }
    assert_eq!(place.ok("matrix diff u d"), "u and d are equal: 90000 elements compared\n");
    place.run("matrix diff n u").ends_with(5);
    let values: Vec<Vec<f64>> =
        serde_json::from_value(place.json("matrix show n --rows ..90 --cols ..90")["values"].clone())
            .unwrap();
    let all: Vec<f64> = values.into_iter().flatten().collect();
    // 8100 numbers: the mean is within 6 / 90, about half are negative, a third is beyond 1.
    assert!(all.iter().sum::<f64>().abs() < 6.0 * 90.0);
    let share = |what: fn(&f64) -> bool| all.iter().filter(|x| what(x)).count() as f64 / 8100.0;
    assert!((share(|x| *x < 0.0) - 0.5).abs() < 6.0 * 0.5 / 90.0);
    assert!((share(|x| x.abs() > 1.0) - 0.3173).abs() < 6.0 * 0.47 / 90.0);
    let attributes = place.json("matrix info n")["attributes"].clone();
    assert_eq!(attributes, json!({ "distribution": "normal", "seed": 7 }));
    assert_eq!(place.json("matrix info d")["attributes"]["distribution"], "uniform");
    place.ok("matrix random s --rows 300 --cols 3 --seed 7 --distribution normal --dtype f32");
    place.ok("matrix multiply n n --transpose-b --output c --verify");
    place
        .run("matrix random x --rows 2 --cols 2 --distribution norma")
        .fails(2, &["norma", "uniform", "normal"]);
    // Nobody's normal matrix is taken for the demo's.
    place.ok("matrix random demo-a --rows 10 --cols 10 --seed 1 --distribution normal");
    place.run("demo --size 10").fails(3, &["demo-a"]);
}

#[test]
fn full_and_ones_are_the_same_everywhere() {
    let place = Place::new();
    let values =
        |name: &str| place.json(&format!("matrix show {name} --rows .. --cols .."))["values"].clone();
    assert!(place.ok("matrix ones e --rows 2 --cols 3").starts_with("e: 2 x 3 f64"));
    assert_eq!(values("e"), json!([[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]]));
    assert!(place.ok("matrix full f --rows 1 --cols 2 --value -0.1 --dtype f32").starts_with("f: 1 x 2 f32"));
    assert_eq!(values("f"), json!([[-0.1, -0.1]]));
    place.run("matrix full f --rows 1 --cols 1 --value 2").fails(3, &["f", "--replace"]);
    for (typed, shown) in [("nan", "NaN"), ("inf", "Infinity"), ("-inf", "-Infinity")] {
        place.ok(&format!("matrix full f --rows 1 --cols 1 --value {typed} --replace"));
        assert_eq!(values("f"), json!([[shown]]));
    }
    place.run("matrix full g --rows 1 --cols 1 --value 1e39 --dtype f32").fails(2, &["1e39", "f32"]);
    place.run("matrix full g --rows 1 --cols 1").fails(2, &["--value"]);
    place.run("matrix full g --rows 0 --cols 1 --value 1").fails(2, &["0"]);
    place.run("matrix full g --rows 1 --cols 1 --value one").fails(2, &["one"]);
    assert_eq!(place.names(), ["e", "f"]);
    // It sums rows.
    place.ok("matrix full h --rows 4 --cols 1100 --value 0.5");
    place.ok("matrix ones sum --rows 1100 --cols 1");
    place.ok("matrix multiply h sum --output s");
    assert_eq!(values("s"), json!([[550.0], [550.0], [550.0], [550.0]]));
}

#[test]
fn a_corner_does_not_depend_on_the_shape() {
    let place = Place::new();
    place.random("a", 5, 5);
    place.random("b", 1500, 2001);
    let corner =
        |name: &str| place.json(&format!("matrix show {name} --rows ..5 --cols ..5"))["values"].clone();
    assert_eq!(corner("a"), corner("b"));
}

#[test]
fn multiply_makes_the_product() {
    let place = Place::new();
    place.random("a", 30, 40);
    place.random("b", 40, 20);
    let said = place.ok("matrix multiply a b --output c --verify");
    assert!(said.contains("c: 30 x 20 f64") && said.contains("GFLOP/s"), "{said}");
    let values = |name: &str| -> Vec<Vec<f64>> {
        let shown = place.json(&format!("matrix show {name} --rows .. --cols .."));
        serde_json::from_value(shown["values"].clone()).unwrap()
    };
    let (a, b, c) = (values("a"), values("b"), values("c"));
    for i in 0..30 {
        for j in 0..20 {
            let expected: f64 = (0..40).map(|k| a[i][k] * b[k][j]).sum();
            // gamma_40 of the sum of products that are all below 1.
            assert!((c[i][j] - expected).abs() <= 2.0 * 40.0 * 40.0 * f64::EPSILON, "{i} {j}");
        }
    }
}

#[test]
fn multiply_takes_operands_transposed_of_any_type_and_grid() {
    let place = Place::new();
    place.ok("matrix random a --rows 1100 --cols 70 --seed 1 --dtype f32");
    place.ok("matrix random b --rows 50 --cols 1100 --seed 2 --dtype f32");
    let c = place
        .json("matrix multiply a b --transpose-a --transpose-b --output c --verify --grid 1x1x2 --peers 3");
    assert_eq!((&c["output"]["rows"], &c["output"]["cols"]), (&json!(70), &json!(50)));
    assert_eq!(c["output"]["dtype"], "f32");
    assert_eq!(c["verification"]["passed"], true);
    assert_eq!(c["plan"]["grid"], json!({ "m": 1, "n": 1, "k": 2 }));
}

#[test]
fn explain_writes_nothing() {
    let place = Place::new();
    place.random("a", 100, 100);
    let plan = place.ok("matrix multiply a a --explain --memory 64MiB --peers 2");
    assert!(plan.contains("grid") && plan.contains("memory") && plan.contains("64"), "{plan}");
    assert!(place.ok("matrix multiply a a --explain -v").len() > plan.len());
    place.ok("matrix multiply a a --explain --output c");
    assert_eq!(place.names(), ["a"]);
}

#[test]
fn analyze_puts_measured_beside_planned() {
    let place = Place::new();
    place.random("a", 1200, 1200);
    let said = place.ok("matrix multiply a a --output c --analyze");
    assert!(
        said.contains("planned") && said.contains("measured") && said.contains("slowest supersteps"),
        "{said}"
    );
    let json = place.json("matrix multiply a a --output c --analyze --replace");
    let quantities = json["analysis"]["quantities"].as_array().unwrap();
    let quantity =
        |name: &str| quantities.iter().find(|q| q["name"].as_str().unwrap().contains(name)).unwrap();
    let (buffers, process) = (quantity("buffers"), quantity("process"));
    let bytes = |value: &Value| value.as_f64().unwrap();
    assert!(process["planned"].is_null(), "{process}");
    assert!(
        bytes(&buffers["measured"]) > 0.0 && bytes(&buffers["measured"]) <= bytes(&buffers["planned"]),
        "{buffers}"
    );
    assert!(bytes(&buffers["measured"]) < bytes(&process["measured"]), "{buffers} {process}");
    let records = json["analysis"]["supersteps"].as_array().unwrap();
    let work: u64 = records.iter().map(|record| record["work"].as_u64().unwrap()).sum();
    assert!(work >= 2 * 1200 * 1200 * 1200, "{work}");
    assert!(json["plan"]["estimate"]["total_s"].as_f64().unwrap() > 0.0);
}

#[test]
fn a_result_replaces_its_own_operand() {
    let place = Place::new();
    place.ok("matrix random a --rows 20 --cols 20");
    place.ok("matrix multiply a a --output square");
    place.ok("matrix multiply a a --output a --replace --verify");
    let values =
        |name: &str| place.json(&format!("matrix show {name} --rows .. --cols .."))["values"].clone();
    assert_eq!(values("a"), values("square"));
}

#[test]
fn blocked_and_unblocked_give_the_same_product() {
    let place = Place::new();
    place.random("a", 50, 60);
    place.random("bb", 60, 40);
    place.ok("matrix multiply a bb --output c");
    assert_eq!(place.ok("matrix blocking a 4"), "a: 4 x 4 blocks of at most 13 x 15\n");
    assert_eq!(place.json("matrix blocking a 4")["blocks"], json!([4, 4]));
    assert_eq!(place.json("matrix info a")["blocks"], json!([4, 4]));
    place.ok("matrix multiply a bb --output d --verify");
    let values =
        |name: &str| place.json(&format!("matrix show {name} --rows .. --cols .."))["values"].clone();
    assert_eq!(values("c"), values("d"));
}

#[test]
fn list_info_path_and_check_say_what_is_there() {
    let place = Place::new();
    place.random("a", 30, 2000);
    place.ok("matrix random single --rows 5 --cols 5 --dtype f32");
    let list = place.ok("matrix list");
    assert!(
        list.starts_with("a ") && list.contains("30 x 2000  f64") && list.contains("5 x 5  f32"),
        "{list}"
    );
    let info = place.ok("matrix info a");
    assert!(info.contains("30 x 2000 f64") && info.contains("tiles       1 x 2 of 30 x 1000"), "{info}");
    let path = place.ok("matrix path a");
    assert!(std::path::Path::new(path.trim_end()).join("zarr.json").is_file(), "{path}");
    assert_eq!(place.json("matrix info a")["path"], path.trim_end());
    let check = place.ok("matrix check a");
    assert!(check.contains("sound") && check.ends_with(" read of 2 tiles in 1 shard\n"), "{check}");
    assert!(list.lines().all(|line| line.ends_with(" of files")), "{list}");
}

#[test]
fn show_takes_ranges() {
    let place = Place::new();
    place.random("a", 1030, 12);
    let shown = place.json("matrix show a --rows 1022..1027 --cols 7");
    assert_eq!((&shown["row_range"], &shown["col_range"]), (&json!([1022, 1027]), &json!([7, 8])));
    let text = place.ok("matrix show a --rows 1028.. --cols ..2");
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].contains("1030 x 12 f64") && lines[4].starts_with("1028  0."), "{text}");
    assert_eq!(lines.len(), 6);
    assert_eq!(place.ok("matrix show a").lines().count(), 4 + 8);
}

#[test]
fn remove_removes() {
    let place = Place::new();
    place.random("a", 3, 3);
    place.random("b", 3, 3);
    place.random("c", 3, 3);
    place.ok("matrix remove a c");
    assert_eq!(place.names(), ["b"]);
    assert!(!place.stored("a").exists());
    place.random("a", 4, 4);
    assert_eq!(place.json("matrix remove a b a")["removed"], json!(["a", "b"]));
}

#[test]
fn the_store_is_the_options_before_the_environments_before_the_default() {
    let place = Place::new();
    let run = |line: &str, variable: &str| {
        let output = place.command(line).env("HAMA_STORE", variable).output().unwrap();
        crate::command::Reply::of(line, output).ok()
    };
    run("matrix random default --rows 2 --cols 2", "");
    run("matrix random variable --rows 2 --cols 2", "second");
    run("matrix random before --rows 2 --cols 2 --store third", "second");
    run("--store file:third matrix random after --rows 2 --cols 2", "second");
    let names = |store: &str| {
        let tables = place.json(&format!("matrix list --store {store}"))["tables"].clone();
        tables.as_array().unwrap().iter().map(|table| table["name"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(names("hama-data"), ["default"]);
    assert_eq!(names("second"), ["variable"]);
    assert_eq!(names("third"), ["after", "before"]);
}

#[test]
fn memory_given_is_memory_kept() {
    let place = Place::new();
    place.random("a", 3000, 3000);
    let plan = |line: &str| place.json(line)["plan"]["memory_given_bytes"].clone();
    assert_eq!(plan("--memory 80MiB matrix multiply a a --explain"), 80 << 20);
    assert!(plan("matrix multiply a a --explain").as_u64().unwrap() > 0);
    let done = place.json("matrix multiply a a --output c --memory 64MiB --verify");
    let peak = done["memory_bytes_peak"].as_u64().unwrap();
    assert!(peak <= (64 + 64) << 20, "{} MiB of resident memory", peak >> 20);
}

#[test]
fn diff_says_how_many_how_far_and_where() {
    let place = Place::new();
    place.ok("matrix random a --rows 1100 --cols 30 --seed 3");
    place.ok("matrix random same --rows 1100 --cols 30 --seed 3");
    place.ok("matrix random single --rows 1100 --cols 30 --seed 3 --dtype f32");
    let said = place.ok("matrix diff a same");
    assert_eq!(said, "a and same are equal: 33000 elements compared\n");
    let equal = place.json("matrix diff a same");
    assert_eq!(
        (&equal["same"], &equal["absolute"], &equal["compared"]),
        (&json!(true), &Value::Null, &json!(33000))
    );

    // Rounded, or drawn from other bits: not the same.
    let reply = place.run("matrix diff a single").ends_with(5);
    assert!(reply.out.starts_with("a and single differ in "), "{}", reply.out);
    assert!(
        reply.out.contains("largest absolute difference") && reply.err.is_empty(),
        "{} {}",
        reply.out,
        reply.err
    );
    let found = place.run("matrix diff a single --json").ends_with(5).json();
    assert_eq!((&found["command"], &found["same"]), (&json!("matrix diff"), &json!(false)));
    let (row, col) = (found["absolute"]["row"].as_u64().unwrap(), found["absolute"]["col"].as_u64().unwrap());
    let at = |name: &str| {
        place.json(&format!("matrix show {name} --rows {row} --cols {col}"))["values"][0][0].as_f64().unwrap()
    };
    let by = found["absolute"]["by"].as_f64().unwrap();
    assert_eq!(found["absolute"]["a"].as_f64().unwrap(), at("a"));
    assert!((by - (at("a") - at("single")).abs()).abs() < 1e-7, "{by}");
    let within = place.json(&format!("matrix diff a single --atol {}", by * 1.001));
    assert_eq!((&within["same"], &within["different"]), (&json!(true), &json!(0)));
    assert_eq!(
        within["absolute"], found["absolute"],
        "it is told where they are the same within the tolerance, too"
    );
}
