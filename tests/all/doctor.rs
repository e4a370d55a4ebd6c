//! `hama doctor`, on stores of this machine.

use crate::command::Place;

#[test]
fn a_store_is_examined_and_left_as_it_was() {
    let place = Place::new();
    let said = place.ok("doctor");
    assert!(said.contains("hmm  store") && said.contains("try: ") && said.contains("--make"), "{said}");
    let said = place.ok("doctor --make");
    for about in ["store", "write", "read", "lock", "space"] {
        assert!(said.lines().any(|line| line.starts_with(&format!("ok   {about} "))), "{about} in {said}");
    }
    assert_eq!(place.names(), [""; 0]);
    let found = place.json("doctor");
    assert_eq!((&found["usable"], &found["findings"][1]["verdict"]), (&true.into(), &"good".into()));
    assert_eq!(std::fs::read_dir(place.stored("")).unwrap().count(), 0, "nothing stays");
}

#[test]
fn a_store_that_cannot_be_used_ends_as_any_command_would() {
    let place = Place::new();
    std::fs::write(place.path().join("file"), "").unwrap();
    let reply = place.run("doctor --store ./file").ends_with(2);
    assert!(reply.out.contains("BAD  store") && reply.out.contains("no directory"), "{}", reply.out);
    place.run("doctor --store memory:x").fails(2, &["would end with this command"]);
    place.run("doctor --store hdfs://127.0.0.1:1/x --timeout 2").ends_with(4);
}
