//! The generation index's bytes, and what is none.

use proptest::prelude::*;

use super::*;
use crate::element::ElementType;
use crate::extent::Extent;
use hama_core::ErrorKind;

const GENERATION: &str = "d0176fde-20ad-4c28-adbd-3ce6a739d208";

const LENDER: &str = "a0176fde-20ad-4c28-adbd-3ce6a739d208";

fn borrowed() -> BTreeSet<GenerationId> {
    [LENDER.parse().unwrap()].into()
}

/// 5 x 3 elements in tiles of 2 x 3: shards of 2 tiles, the second with one of them outside.
fn spec() -> TableSpec {
    let mut spec = TableSpec::new(Extent::new(5, 3), ElementType::F64).unwrap();
    (spec.tile, spec.shard) = (Extent::new(2, 3), Extent::new(2, 1));
    spec.validate().unwrap();
    spec
}

fn record(row: u64, tiles: Vec<Option<TileRecord>>) -> ShardRecord {
    ShardRecord {
        shard: ShardIndex::new(row, 0),
        file: format!("generations/{GENERATION}/values/c.{row}.0"),
        len: 2 * 4096 + 36,
        host: Host::new("node-1"),
        tiles,
    }
}

fn tile(offset: u64, crc32c: u32) -> Option<TileRecord> {
    Some(TileRecord { offset, crc32c })
}

fn index() -> GenerationIndex {
    GenerationIndex {
        table: TableName::new("t").unwrap(),
        generation: GENERATION.parse().unwrap(),
        shards: vec![record(0, vec![tile(4096, 7), tile(0, u32::MAX)]), record(1, vec![tile(0, 9), None])],
    }
}

fn decode(bytes: &[u8]) -> Result<GenerationIndex> {
    let table = TableName::new("t").unwrap();
    GenerationIndex::decode(bytes, (&table, GENERATION.parse().unwrap(), &spec()), &borrowed(), &"i.json")
}

fn sealed(body: &str) -> Vec<u8> {
    format!("{{\"body\":{body},\"crc32c\":\"{:08x}\"}}", crc32c::crc32c(body.as_bytes())).into_bytes()
}

fn body() -> String {
    let text = String::from_utf8(index().encode(&spec()).unwrap()).unwrap();
    text.strip_prefix("{\"body\":").and_then(|t| t.split_once(",\"crc32c\"")).unwrap().0.to_owned()
}

#[test]
fn bytes_are_these() {
    let golden = concat!(
        r#"{"body":{"format":"hama-generation","version":2,"table":"t","#,
        r#""generation":"d0176fde-20ad-4c28-adbd-3ce6a739d208","shards":["#,
        r#"{"shard":[0,0],"file":"generations/d0176fde-20ad-4c28-adbd-3ce6a739d208/values/c.0.0","#,
        r#""len":8228,"host":"node-1","tiles":[[4096,7],[0,4294967295]]},"#,
        r#"{"shard":[1,0],"file":"generations/d0176fde-20ad-4c28-adbd-3ce6a739d208/values/c.1.0","#,
        r#""len":8228,"host":"node-1","tiles":[[0,9],null]}]},"crc32c":"6be07743"}"#,
        "\n"
    );
    assert_eq!(String::from_utf8(index().encode(&spec()).unwrap()).unwrap(), golden);
    assert_eq!(decode(golden.as_bytes()).unwrap(), index());
}

#[test]
fn files_may_be_borrowed_from_generations_that_the_manifest_names() {
    let mut lent = index();
    lent.shards[1].file = lent.shards[1].file.replace(GENERATION, LENDER);
    assert_eq!(decode(&lent.encode(&spec()).unwrap()).unwrap(), lent);
    assert_eq!(generation_of_file(&lent.shards[1]), Some(LENDER.parse().unwrap()));
    lent.shards[1].file = lent.shards[0].file.replace(GENERATION, LENDER);
    assert!(decode(&lent.encode(&spec()).unwrap()).is_err(), "it is of another shard");
}

#[test]
fn an_index_of_version_1_is_read() {
    let old = body().replace("\"version\":2", "\"version\":1");
    assert_eq!(decode(&sealed(&old)).unwrap(), index());
}

#[test]
fn its_bound_holds_for_the_longest() {
    let mut longest = index();
    for record in &mut longest.shards {
        record.len = SHARD_LEN_END - 1;
        record.host = Host::new("h".repeat(HOST_BYTES_MAX));
        record.tiles.fill(tile(SHARD_LEN_END - 1, u32::MAX));
    }
    let bytes = longest.encode(&spec()).unwrap().len() as u64;
    assert!(bytes <= GenerationIndex::bytes_max(&spec()));
    // A record with the longest numbers that a shard may have.
    let mut record = record(0, vec![]);
    record.shard = ShardIndex::new(crate::spec::TILES_MAX, crate::spec::TILES_MAX);
    record.file = shard_file(GENERATION.parse().unwrap(), record.shard);
    (record.len, record.host) = (SHARD_LEN_END - 1, Host::new("h".repeat(HOST_BYTES_MAX)));
    assert!(serde_json::to_vec(&record).unwrap().len() < RECORD_BYTES_MAX as usize);
}

#[test]
fn no_table_has_an_index_of_more_than_a_gibibyte() {
    let mut full = TableSpec::new(Extent::new(1 << 22, 1 << 21), ElementType::F64).unwrap();
    full.shape = Extent::new(1 << 22, 1 << 22);
    let most = GenerationIndex::bytes_max(&full.clone().with_shard(Extent::new(4, 4)).unwrap());
    assert!((900 << 20..=1 << 30).contains(&most), "the largest table's fits: {most}");
    assert!(full.with_shard(Extent::new(1, 1)).is_err(), "too many shards");
    let long = "x".repeat(20_000);
    let mut large = index();
    large.shards[0].host = Host::new(long);
    assert_eq!(large.encode(&spec()).unwrap_err().kind(), ErrorKind::Invalid);
}

#[test]
fn shards_that_do_not_fit_the_table_are_refused() {
    type Edit = fn(&mut Vec<ShardRecord>);
    let edits: [(&str, Edit); 18] = [
        ("there are 1 shards and should be 2", |s| s.truncate(1)),
        ("there are 3 shards", |s| s.push(s[0].clone())),
        ("shard c.1.0 is where c.0.0 should be", |s| s.swap(0, 1)),
        ("is where", |s| s[1] = s[0].clone()),
        ("it lists 1 tiles and should 2", |s| s[0].tiles.truncate(1)),
        ("its place 0 says None", |s| s[0].tiles[0] = None),
        ("its place 1 says Some", |s| s[1].tiles[1] = tile(4096, 0)),
        ("its place 0 says", |s| s[0].tiles[0] = tile(8192, 0)),
        ("its place 0 says", |s| s[0].tiles[0] = tile(u64::MAX, 0)),
        ("its 35 bytes do not hold an index", |s| s[0].len = 35),
        ("it has 8796093022208 bytes", |s| s[0].len = 1 << 43),
        ("it has 18446744073709551615 bytes", |s| s[1].len = u64::MAX),
        ("its host's name has 300 bytes", |s| s[0].host = Host::new("h".repeat(300))),
        ("its host cannot be", |s| s[0].host = Host::new("a\u{1}")),
        ("its host cannot be", |s| s[0].host = Host::new("a\"")),
        ("its file is", |s| s[0].file = s[1].file.clone()),
        ("its file is", |s| s[0].file = s[0].file.replace("d0176fde", "e0176fde")),
        ("its file is", |s| s[0].file = "generations/../../c.0.0".into()),
    ];
    for (said, edit) in edits {
        let mut bad = index();
        edit(&mut bad.shards);
        let error = decode(&bad.encode(&spec()).unwrap()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Data);
        assert!(error.to_string().contains("i.json") && error.to_string().contains(said), "{error}");
    }
}

#[test]
fn the_index_of_another_generation_or_table_is_refused() {
    let other = "00000000-0000-4000-8000-000000000000";
    for bad in [body().replacen(GENERATION, other, 1), body().replace("\"t\"", "\"u\"")] {
        assert!(decode(&sealed(&bad)).unwrap_err().to_string().contains("not of"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_bytes_are_an_error_or_an_index_that_fits(at in 0..600usize, bytes in prop::collection::vec(any::<u8>(), 0..12)) {
        let mut body = body().into_bytes();
        let at = at.min(body.len());
        let end = (at + bytes.len()).min(body.len());
        body.splice(at..end, bytes);
        if let Ok(text) = String::from_utf8(body)
            && let Ok(index) = decode(&sealed(&text))
        {
            prop_assert!(check_shards(&spec(), index.generation, &borrowed(), &index.shards).is_ok());
        }
    }
}
