//! `matrix multiply --plan FILE`: a plan that was printed, run again.

use std::fs;

use serde_json::{Value, json};

use crate::command::Place;

fn place() -> Place {
    let place = Place::new();
    place.ok("matrix random a --rows 2100 --cols 1100 --seed 1");
    place.ok("matrix random b --rows 1100 --cols 1500 --seed 2");
    place
}

fn save(place: &Place, name: &str, content: impl AsRef<[u8]>) {
    fs::write(place.path().join(name), content).unwrap();
}

#[test]
fn a_saved_plan_is_the_one_that_runs() {
    let place = place();
    let explained = place.ok("matrix multiply a b --explain --grid 1x1x2 --peers 2 --memory 100MiB --json");
    save(&place, "plan.json", &explained);
    let document: Value = serde_json::from_str(&explained).unwrap();
    let done = place.json("matrix multiply a b -o c --plan plan.json --verify --memory 200MiB");
    for part in ["problem", "grid", "stationary", "piece", "panel", "shard", "kernel", "memory"] {
        assert_eq!(done["plan"][part], document["plan"][part], "{part}");
    }
    assert_eq!((&done["plan"]["grid"]["k"], &done["verification"]["passed"]), (&json!(2), &json!(true)));
    // The bare plan, and that of a product that was run, are as good; the bits are the same.
    save(&place, "bare.json", document["plan"].to_string());
    save(&place, "done.json", done.to_string());
    for file in ["bare.json", "done.json"] {
        place.ok(&format!("matrix multiply a b -o d --plan {file} --replace"));
        assert!(place.ok("matrix diff c d").contains("are equal"), "{file}");
    }
    // What it says of its cost is not believed.
    let mut lies = document["plan"].clone();
    lies["estimate"]["total_s"] = json!(1e300);
    lies["memory"]["sums_bytes"] = json!(u64::MAX);
    lies["memory_given_bytes"] = json!(7);
    save(&place, "lies.json", lies.to_string());
    let told = place.json("matrix multiply a b --explain --plan lies.json --memory 100MiB")["plan"].clone();
    assert_eq!(
        (&told["memory"], &told["memory_given_bytes"]),
        (&document["plan"]["memory"], &json!(100 << 20))
    );
    assert!(told["estimate"]["total_s"].as_f64().unwrap() < 1e6);
    place.ok("matrix multiply a b -o d --plan lies.json --replace --analyze");
}

#[test]
fn a_plan_that_does_not_fit_is_refused() {
    let place = place();
    let explained = place.json("matrix multiply a b --explain --memory 100MiB");
    save(&place, "plan.json", explained.to_string());
    let line = "matrix multiply a b -o c --plan";
    place.run("matrix multiply b a -o c --plan plan.json").fails(2, &["inner dimensions"]);
    place
        .run("matrix multiply a a -o c --transpose-a --plan plan.json")
        .fails(2, &["cannot run the plan", "1500", "2100"]);
    place.run(&format!("{line} plan.json --memory 1MiB")).fails(1, &["it needs", "try --memory"]);
    place.run(&format!("{line} plan.json --grid 1x1x1")).fails(2, &["--grid"]);
    place.run(&format!("{line} plan.json --peers 1")).fails(2, &["--peers"]);
    place.run(&format!("{line} none.json")).fails(1, &["none.json"]);
    place.run(&format!("{line} .")).fails(2, &["no regular file"]);
    place.run(&format!("{line} /dev/zero")).fails(2, &["no regular file"]);
    for (content, status, part) in [
        ("", 5, "damaged"),
        ("{\"plan\":", 5, "damaged"),
        ("\u{0}", 5, "damaged"),
        ("[1, 2]", 5, "damaged"),
        ("{\"plan\": {}}", 5, "missing field"),
        ("{}", 2, "it holds none"),
        ("{\"schema\": 1, \"error\": {\"kind\": \"invalid\"}}", 2, "it holds none"),
        ("{\"schema\": 9, \"plan\": {}}", 2, "schema is 9"),
    ] {
        save(&place, "bad.json", content);
        place.run(&format!("{line} bad.json")).fails(status, &["bad.json", part]);
    }
    save(&place, "long.json", vec![b' '; (16 << 20) + 1]);
    place.run(&format!("{line} long.json")).fails(2, &["16 MiB"]);
    // Numbers that no plan has: an error each, no panic, and nothing is made.
    for (at, value) in [
        ("/grid/m", json!(0)),
        ("/grid/m", json!(u64::MAX)),
        ("/grid/k", json!(1u64 << 40)),
        ("/piece/0", json!(0)),
        ("/piece/1", json!(u64::MAX)),
        ("/panel", json!(0)),
        ("/panel", json!(u64::MAX)),
        ("/shard/0", json!(u64::MAX)),
        ("/shard/1", json!(0)),
        ("/kernel", json!("abacus")),
        ("/problem/element", json!("float32")),
        ("/problem/m", json!(u64::MAX)),
    ] {
        let mut plan = explained["plan"].clone();
        *plan.pointer_mut(at).unwrap() = value;
        save(&place, "bad.json", plan.to_string());
        let reply = place.run(&format!("{line} bad.json"));
        assert!(matches!(reply.status, Some(1 | 2 | 5)), "{at}: {reply:?}");
        reply.ends_with_failure();
    }
    assert_eq!(place.names(), ["a", "b"]);
}
