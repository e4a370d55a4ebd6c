//! The manifest's bytes, and what is none.

use proptest::prelude::*;

use super::*;
use crate::element::ElementType;

const GENERATION: &str = "d0176fde-20ad-4c28-adbd-3ce6a739d208";

fn manifest() -> Manifest {
    let generation = GENERATION.parse().unwrap();
    let spec = TableSpec::new(Extent::new(1797, 64), ElementType::F64).unwrap();
    let spec = spec.with_blocking(Some(Extent::new(4, 2))).unwrap();
    let ids = ManifestIds { number: 3, id: generation, generation, created_unix: 1_700_000_000 };
    let mut manifest = Manifest::new(name("digits"), &spec, ids);
    manifest.spec.attributes.insert("title".into(), "8 x 8".into());
    manifest.writer = "hama 0.1.0".into();
    manifest
}

fn name(text: &str) -> TableName {
    TableName::new(text).unwrap()
}

fn decode(bytes: &[u8]) -> Result<Manifest> {
    Manifest::decode(bytes, &name("digits"), &"m.json")
}

/// A valid envelope around any body.
fn sealed(body: &str) -> Vec<u8> {
    format!("{{\"body\":{body},\"crc32c\":\"{:08x}\"}}", crc32c::crc32c(body.as_bytes())).into_bytes()
}

fn body() -> String {
    let text = String::from_utf8(manifest().encode().unwrap()).unwrap();
    text.strip_prefix("{\"body\":").and_then(|t| t.split_once(",\"crc32c\"")).unwrap().0.to_owned()
}

#[test]
fn bytes_are_these() {
    let golden = concat!(
        r#"{"body":{"format":"hama-table","version":2,"table":"digits","number":3,"since":3,"#,
        r#""id":"d0176fde-20ad-4c28-adbd-3ce6a739d208","generation":"d0176fde-20ad-4c28-adbd-3ce6a739d208","#,
        r#""shape":[1797,64],"element":"float64","tile":[904,64],"shard":[2,1],"blocking":[4,2],"#,
        r#""attributes":{"title":"8 x 8"},"copies":[],"borrowed":[],"#,
        r#""labels":{"row":null,"column":null},"is_settled":true,"change":"written","created_unix":1700000000,"writer":"hama 0.1.0"},"#,
        r#""crc32c":"5ca55346"}"#,
        "\n"
    );
    assert_eq!(String::from_utf8(manifest().encode().unwrap()).unwrap(), golden);
    assert_eq!(decode(golden.as_bytes()).unwrap(), manifest());
}

/// As version 1 of the format had it.
const VERSION_1: &str = concat!(
    r#"{"body":{"format":"hama-table","version":1,"table":"digits","number":3,"#,
    r#""id":"d0176fde-20ad-4c28-adbd-3ce6a739d208","generation":"d0176fde-20ad-4c28-adbd-3ce6a739d208","#,
    r#""shape":[1797,64],"element":"float64","tile":[904,64],"shard":[2,1],"blocking":[4,2],"#,
    r#""attributes":{"title":"8 x 8"},"copies":[],"created_unix":1700000000,"writer":"hama 0.1.0"},"#,
    r#""crc32c":"75818754"}"#,
    "\n"
);

#[test]
fn version_1_is_read() {
    let read = decode(VERSION_1.as_bytes()).unwrap();
    assert_eq!(Manifest { change: "written".into(), ..read }, manifest());
}

#[test]
fn placed_copies_are_read() {
    let copy = |stale: &str| {
        let copy = format!(
            r#"[{{"generation":"{GENERATION}","source":"{GENERATION}","blocking":[2,2],"shard":[1,1],"stale":{stale}}}]"#
        );
        decode(&sealed(&body().replace("\"copies\":[]", &format!("\"copies\":{copy}"))))
    };
    assert_eq!(copy("[]").unwrap().copies[0].blocking, Extent::new(2, 2));
    assert!(copy("[[1,3]]").unwrap().copies[0].is_stale(2));
    assert!(copy("[[1]]").is_err());
}

#[test]
fn what_is_out_of_date_is_kept_as_runs() {
    let mut copy = PlacedCopy {
        generation: GENERATION.parse().unwrap(),
        source: GENERATION.parse().unwrap(),
        blocking: Extent::new(2, 2),
        shard: Extent::new(1, 1),
        stale: Vec::new(),
    };
    copy.add_stale([5, 3, 4, 9]);
    assert_eq!(copy.stale, [(3, 6), (9, 10)]);
    copy.add_stale([4, 8, 6]);
    assert_eq!(copy.stale, [(3, 7), (8, 10)]);
    assert!(copy.is_stale(6) && !copy.is_stale(7) && copy.is_stale(9));
    copy.add_stale((0..3000).map(|number| 2 * number));
    assert_eq!(copy.stale, [(0, 5999)], "too many runs are one");
}

#[test]
fn a_newer_version_is_refused() {
    let newer =
        body().replace("\"version\":2", "\"version\":3").replace("\"shape\":[1797,64]", "\"shape\":\"new\"");
    let said = decode(&sealed(&newer)).unwrap_err().to_string();
    assert_eq!(said, "cannot read m.json: made by a newer hama, its version is 3 and this one reads up to 2");
}

#[test]
fn hostile_values_are_refused() {
    for (good, bad) in [
        ("[1797,64]", "[0,64]"),
        ("[1797,64]", "[1797]"),
        ("[1797,64]", "[-1,64]"),
        ("[1797,64]", "[1797,64,1]"),
        ("[1797,64]", "[18446744073709551615,18446744073709551615]"),
        ("[1797,64]", "[1099511627775,1]"),
        ("[1797,64]", "[1e300,64]"),
        ("[904,64]", "[0,0]"),
        ("[904,64]", "[1,1]],\"tile\":[1,1"),
        ("[904,64]", "[1000000,64]"),
        ("\"shard\":[2,1]", "\"shard\":[0,1]"),
        ("\"shard\":[2,1]", "\"shard\":[9999999999,9999999999]"),
        ("[4,2]", "[0,2]"),
        ("[4,2]", "[4,65]"),
        ("float64", "complex128"),
        ("\"digits\"", "\"../digits\""),
        ("\"digits\"", "\"other\""),
        (GENERATION, "../../etc"),
        (GENERATION, "D0176FDE-20AD-4C28-ADBD-3CE6A739D208"),
        ("\"number\":3", "\"number\":-3"),
        ("\"number\":3", "\"number\":0"),
        ("\"number\":3", "\"number\":18446744073709551615"),
        ("\"since\":3", "\"since\":4"),
        ("\"since\":3", "\"since\":-1"),
        ("\"borrowed\":[]", "\"borrowed\":[\"x\"]"),
        ("\"row\":null", "\"row\":{\"kind\":\"text\"}"),
        ("\"element\"", "\"shape\":[1,1],\"element\""),
        ("\"copies\":[]", "\"copies\":[{}]"),
        ("\"copies\":[]", "\"copies\":null"),
        (",\"created_unix\":1700000000", ""),
    ] {
        let body = body().replace(good, bad);
        let error = decode(&sealed(&body)).unwrap_err();
        assert_eq!(error.kind(), hama_core::ErrorKind::Data, "{bad}: {error}");
        assert!(error.to_string().contains("m.json"), "{error}");
    }
}

#[test]
fn large_attributes_are_not_written() {
    let mut large = manifest();
    large.spec.attributes.insert("x".into(), "y".repeat(2 << 20).into());
    assert_eq!(large.encode().unwrap_err().kind(), hama_core::ErrorKind::Invalid);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_bytes_are_an_error_or_a_manifest(at in 0..400usize, bytes in prop::collection::vec(any::<u8>(), 0..12)) {
        let mut body = body().into_bytes();
        let at = at.min(body.len());
        let end = (at + bytes.len()).min(body.len());
        body.splice(at..end, bytes);
        if let Ok(text) = String::from_utf8(body)
            && let Ok(manifest) = decode(&sealed(&text))
        {
            prop_assert!(manifest.spec.validate().is_ok());
        }
    }
}
