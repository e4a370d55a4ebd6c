//! Where matrices lie, and plans for several hosts, as a person asks for them.

use serde_json::{Value, json};

use crate::command::Place;

/// `a` (3000 x 900) by dn1, and `b` (900 x 30) by nobody in particular.
fn place() -> Place {
    let place = Place::new();
    place.ok("matrix random a --rows 3000 --cols 900 --seed 1 --host dn1");
    place.ok("matrix random b --rows 900 --cols 30 --seed 2");
    place
}

#[test]
fn info_says_which_hosts_hold_a_matrix() {
    let place = place();
    let text = place.ok("matrix info a --locations --host dn1");
    for line in [
        "locations   1 shard of 1 replica each: 1 by who wrote them\n",
        "host        dn1: 20.7MiB (100 %) in 1 shard, this host\n",
        "local       20.7MiB (100 %) on dn1\n",
    ] {
        assert!(text.contains(line), "{text}");
    }
    assert!(place.ok("matrix info a --locations").contains("local       0B (0 %) on localhost\n"));
    assert!(place.ok("matrix info b --locations").contains("(100 %) on localhost\n"));
    assert!(
        place.ok("matrix info a --locations -v").contains("shard       c.0.0: 20.7MiB on dn1 (Writer)\n")
    );
    let locations = place.json("matrix info a --locations")["locations"].clone();
    assert_eq!((&locations["host"], &locations["local_bytes"]), (&json!("localhost"), &json!(0)));
    assert_eq!((&locations["replicas"], &locations["unknown_bytes"]), (&json!([1, 1]), &json!(0)));
    assert_eq!(locations["hosts"][0]["host"], "dn1");
    assert_eq!(locations["hosts"][0]["bytes"], locations["bytes"]);
    let shard = &locations["shards"][0];
    assert_eq!((&shard["shard"], &shard["source"]), (&json!([0, 0]), &json!("writer")));
    assert_eq!(shard["replicas"][0]["host"], "dn1");
    let without = place.json("matrix info a");
    assert_eq!((&without["locations"], &without["copy_locations"]), (&Value::Null, &Value::Null));
    place.ok("matrix blocking a 3 --copy --hosts dn1,dn2,dn3");
    let text = place.ok("matrix info a --locations --host dn2");
    assert!(text.contains("placed copy, which products read:\nlocations   3 shards of 1 replica"), "{text}");
    assert!(text.contains("host        dn2: ") && text.contains("(33 %) in 1 shard, this host"), "{text}");
    std::fs::write(place.path().join("a.npy"), "").unwrap();
    place.run("matrix info ./a.npy --locations").fails(2, &["it is a file"]);
    place.run("matrix info c --locations").fails(1, &["no table c"]);
    std::fs::remove_file(place.stored("a/current/values/c.0.0")).unwrap();
    place.run("matrix info a --locations").fails(5, &["shard c.0.0 is missing"]);
}

#[test]
fn a_plan_for_hosts_says_what_each_would_read() {
    let place = place();
    let line = "matrix multiply a b --explain --peers 3 --grid 3x1x1 --hosts";
    let text = place.ok(&format!("{line} dn1,dn2,dn3"));
    for part in [
        "hosts     3 compute; the busiest sends or receives ",
        "reads     6.9MiB local, 14MiB remote of 20.9MiB\n",
        "  dn1: peer ",
        "advice    a placed copy of A would make 13.8MiB more local for a rewrite of 41.3MiB: pays after 4 uses: \
         hama matrix blocking a 3 --copy --hosts dn1,dn2,dn3\n",
    ] {
        assert!(text.contains(part), "{part:?} in {text}");
    }
    assert!(!text.contains("rack"), "{text}");
    let racks = place.ok(&format!("{line} /r1/dn1,/r1/dn2,/r2/dn3"));
    assert!(racks.contains("in the same rack") && racks.contains("  /r2/dn3: peer "), "{racks}");
    let document = place.json(&format!("{line} dn3,dn2,dn1"));
    let placement = &document["placement"];
    let local = placement["reads"]["local_bytes"].as_u64().unwrap();
    assert_eq!((placement["reads"]["rack_bytes"].clone(), local), (Value::Null, 900 * 1000 * 8));
    let names: Vec<_> =
        placement["hosts"].as_array().unwrap().iter().map(|host| host["host"].clone()).collect();
    assert_eq!(names, ["dn1", "dn2", "dn3", "localhost"], "who only holds comes last");
    let advice = &document["advice"][0];
    assert_eq!(
        (&advice["operand"], &advice["blocks"], &advice["pays_after"]),
        (&json!("A"), &json!(3), &json!(4))
    );
    let more = advice["local_bytes_more"].as_u64().unwrap();
    let made = place.ok("matrix blocking a 3 --copy --hosts dn1,dn2,dn3");
    assert!(made.contains("placed copy: 3 of 3 shards copied, 20.7MiB read and as much written\n"), "{made}");
    assert!(made.contains("owners: dn1 1 block, dn2 1 block, dn3 1 block\n"), "{made}");
    let after = place.json(&format!("{line} dn1,dn2,dn3"));
    assert_eq!(after["placement"]["reads"]["local_bytes"], local + more);
    let advised: Vec<_> =
        after["advice"].as_array().unwrap().iter().map(|advice| &advice["operand"]).collect();
    assert_eq!(advised, ["B"], "A has one");
    place.ok("matrix multiply a b --output c --verify");
    // Nothing of it without hosts.
    let here = place.json("matrix multiply a b --explain");
    assert_eq!((&here["placement"], &here["advice"]), (&Value::Null, &json!([])));
    assert_eq!(place.json("matrix multiply a b --explain --hosts x,y --peers 4")["plan"]["peers_given"], 4);
    // A file is somewhere.
    place.ok("matrix export a a.npy");
    let file = place.ok("matrix multiply ./a.npy b --explain --hosts dn1,dn2");
    assert!(file.contains("nobody knows where"), "{file}");
    assert_eq!(place.names(), ["a", "b", "c"]);
}

#[test]
fn hosts_that_cannot_be_are_told() {
    let place = place();
    for (line, parts) in [
        ("multiply a b --explain --hosts dn1,dn1", &["dn1", "twice"][..]),
        ("multiply a b --explain --hosts dn1,,dn2", &["name of a host"]),
        ("multiply a b --explain --hosts rack/dn1", &["/rack1/dn1"]),
        ("multiply a b --output c --hosts dn1", &["--explain"]),
        ("multiply a b --explain --hosts dn1 --plan p.json", &["--plan"]),
        ("multiply a b --explain --hosts dn1,dn2 --grid 7x1x1", &["7x1x1"]),
        ("blocking a 2 --hosts dn1", &["--copy"]),
        ("blocking a 2 --uses 3", &["--hosts"]),
        ("blocking a 2 --uses -3 --hosts dn1,dn2", &["-3"]),
        ("blocking a 2 --uses 3 --hosts dn1,dn1", &["twice"]),
        ("blocking a 2 --copy --hosts dn1,dn1", &["twice"]),
        ("blocking a 0 --copy --hosts dn1", &["0"]),
        ("info a --host a,b", &["a,b"]),
    ] {
        place.run(&format!("matrix {line}")).fails(2, parts);
    }
    let small = place.run("matrix multiply a a --transpose-b --explain --hosts x,y --memory 1MiB");
    small.fails(1, &["try --memory"]);
    let output = place.command("matrix list").env("HAMA_HOST", "a b").output().unwrap();
    crate::command::Reply::of("HAMA_HOST", output).fails(2, &["in the variable HAMA_HOST: ", "a b"]);
    assert_eq!(place.json("matrix info a")["copy_shards_stale"], Value::Null);
}

#[test]
fn a_copy_is_made_where_it_pays_for_the_uses_that_are_expected() {
    let place = place();
    // One host has all of it.
    let said = place.ok("matrix blocking b 3 --uses 1000000 --hosts localhost");
    assert!(said.contains("a placed copy does not pay for 1000000 uses: a use reads 0B remotely"), "{said}");
    assert!(said.contains("it never pays\n") && !said.contains("shards copied"), "{said}");
    // dn1 has all of a, and owns a third: 14.4 MB of 21.6 MB are remote. Equal sums do not pay, and files are a little more.
    let line = "matrix blocking a 3 --hosts dn1,dn2,dn3 --uses";
    let document = place.json(&format!("{line} 3"));
    let payoff = &document["payoff"];
    assert_eq!(
        (&payoff["pays"], &payoff["uses"], &document["copied"]),
        (&json!(false), &json!(3), &Value::Null)
    );
    assert_eq!(payoff["remote_bytes"], 2 * 900 * 1000 * 8);
    assert_eq!(payoff["read_bytes"], payoff["written_bytes"]);
    let rewrite = payoff["rewrite_bytes"].as_u64().unwrap();
    assert!(
        rewrite == 2 * payoff["read_bytes"].as_u64().unwrap() && rewrite >= 2 * 900 * 3000 * 8,
        "{payoff}"
    );
    assert_eq!(payoff["pays_after"], 4);
    assert_eq!(place.json("matrix info a")["copy_shards_stale"], Value::Null);
    let said = place.ok(&format!("{line} 4"));
    assert!(
        said.contains(
            "a placed copy pays for 4 uses: a use reads 13.8MiB remotely, a copy reads 20.7MiB and writes 20.7MiB: it pays \
             from 4 uses on\nplaced copy: 3 of 3 shards copied"
        ),
        "{said}"
    );
    // It is there: nothing is remote any more, and nothing is lost where that is asked again.
    let again = place.json(&format!("{line} 1000"));
    assert_eq!((&again["payoff"]["remote_bytes"], &again["payoff"]["pays"]), (&json!(0), &json!(false)));
    assert_eq!(place.json("matrix info a")["copy_shards_stale"], json!([0, 3]));
    // Who says --copy gets one, with the numbers.
    let said = place.ok("matrix blocking b 2 --copy --uses 1 --hosts localhost,dn2");
    assert!(
        said.contains("a placed copy does not pay for 1 use: ") && said.contains("shards copied"),
        "{said}"
    );
    assert_eq!(place.json("matrix blocking b 2")["payoff"], Value::Null);
}
