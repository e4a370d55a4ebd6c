//! Every parser of a table's files, each as a function that takes any bytes: what it accepts it has to write again as it
//! was, and no element is read that was not written.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use hama_core::{Cancel, ErrorKind, Host};

use crate::generation::GenerationId;
use crate::index::GenerationIndex;
use crate::labels::{LabelKind, Labels};
use crate::manifest::Manifest;
use crate::store::located::Located;
use crate::store::{self, CreateHint, Durability, EntryKind, Store};
use crate::{
    ElementType, Extent, OnExists, ShardWriter, StorePath, StoreUrl, Table, TableName, TableSpec, TableWriter,
};

/// The generation that files of the corpus name.
const GENERATION: &str = "d0176fde-20ad-4c28-adbd-3ce6a739d208";
/// One that it may borrow from.
const BORROWED: &str = "0f0f9ea8-58a6-4a37-8b1f-4c3c9ab4f3a1";
/// Larger tiles are not read: it takes long and finds nothing.
const TILE_BYTES_MAX: usize = 1 << 20;

/// A manifest: the bytes as they are, and as a body with the right checksum.
///
/// # Panics
/// When what was read is not valid, or written as something else.
pub fn manifest(bytes: &[u8]) {
    for bytes in [bytes, &sealed(bytes)] {
        let Ok(read) = Manifest::decode(bytes, &name(), &"m.json") else { continue };
        assert!(read.spec.validate().is_ok(), "a table that cannot be is read");
        let written = read.encode().expect("what was read can be written");
        let again = Manifest::decode(&written, &name(), &"m.json");
        assert!(again.is_ok_and(|again| again == read), "a manifest changed");
    }
}

/// The index of a generation, in the same two ways.
///
/// # Panics
/// When what was read is written as something else, or is longer than an index can be.
pub fn index(bytes: &[u8]) {
    let spec = spec();
    let of = (&name(), GENERATION.parse().expect("it is one"), &spec);
    let borrowed = BTreeSet::from([BORROWED.parse().expect("it is one")]);
    for bytes in [bytes, &sealed(bytes)] {
        let Ok(read) = GenerationIndex::decode(bytes, of, &borrowed, &"g.json") else { continue };
        let written = read.encode(&spec).expect("what was read can be written");
        let again = GenerationIndex::decode(&written, of, &borrowed, &"g.json");
        assert!(again.is_ok_and(|again| again == read), "an index changed");
    }
}

/// The labels of rows or columns: the first byte says of which kind, the second how many there should be.
///
/// # Panics
/// When what was read is written as something else.
pub fn labels(bytes: &[u8]) {
    let [kind, count, bytes @ ..] = bytes else { return };
    let kind = [LabelKind::Text, LabelKind::Integers, LabelKind::Numbers][usize::from(*kind) % 3];
    let count = u64::from(*count);
    let right = [bytes, &crc32c::crc32c(bytes).to_le_bytes()].concat();
    for bytes in [bytes, &right] {
        let Ok(read) = Labels::decode(bytes, kind, count, &"c.0") else { continue };
        let written = read.encode().expect("what was read can be written");
        assert!(written == bytes, "labels changed");
    }
}

/// Where a NameNode's web server says that blocks lie.
///
/// # Panics
/// When a block is nowhere, or ends where no number reaches.
pub fn locations(bytes: &[u8]) {
    let Some(located) = Located::parse(bytes) else { return };
    for block in &located.blocks {
        assert!(!block.hosts.is_empty() && block.len > 0 && block.offset.checked_add(block.len).is_some());
    }
    assert!(located.blocks.is_sorted_by_key(|block| block.offset), "blocks in no order");
    assert!(located.racks.iter().all(|(_, rack)| rack.starts_with('/')), "racks that are none");
}

/// Names of tables, URLs of stores, ids of generations.
///
/// # Panics
/// When what was read is written as something else.
pub fn names(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(name) = TableName::new(text) {
        assert!(name.as_str() == text && !text.contains(['/', '.']) && text.len() <= 128, "{text:?}");
    }
    if let Ok(url) = text.parse::<StoreUrl>() {
        assert_eq!(url.to_string().parse::<StoreUrl>().ok(), Some(url), "{text:?}");
    }
    if let Ok(id) = text.parse::<GenerationId>() {
        assert_eq!(id.to_string(), text);
    }
}

/// One file of a table, with other bytes: the first says which file and, from 128 on, that the others are a body that
/// gets the right checksum.
///
/// # Panics
/// When elements are read that were not written, or damage of a shard is not found.
pub fn table(bytes: &[u8]) {
    let Some((&which, bytes)) = bytes.split_first() else { return };
    let sample = Sample::get();
    // One at a time: they share a store.
    let files = sample.files.lock().unwrap_or_else(PoisonError::into_inner);
    let (path, original) = &files[usize::from(which) % files.len()];
    let text = std::str::from_utf8(bytes).map(|text| text.replace(GENERATION, &sample.generation));
    let is_sealed = which >= 128;
    let bytes = text.map_or_else(|_| bytes.to_vec(), String::into_bytes);
    let bytes = if is_sealed { sealed(&bytes) } else { bytes };
    put(&sample.store, path, &bytes);
    let read = sample.read();
    put(&sample.store, path, original);
    match read {
        Err(kind) => assert!(matches!(kind, ErrorKind::Data | ErrorKind::NotFound), "{path}: {kind:?}"),
        Ok(Read { elements, is_sound }) => {
            assert!(
                is_sealed || elements.is_none_or(|read| read == sample.elements),
                "{path}: other elements"
            );
            let is_shard = path.as_str().contains("/c.");
            assert!(!(is_shard && is_sound) || bytes == *original, "{path}: damage was not found");
        }
    }
}

/// A table that is there, file by file.
struct Sample {
    store: Arc<dyn Store>,
    generation: String,
    files: Mutex<Vec<(StorePath, Vec<u8>)>>,
    elements: Vec<Vec<u8>>,
}

struct Read {
    /// Tile by tile, where all could be read.
    elements: Option<Vec<Vec<u8>>>,
    is_sound: bool,
}

impl Sample {
    fn get() -> &'static Sample {
        static SAMPLE: OnceLock<Sample> = OnceLock::new();
        SAMPLE.get_or_init(|| Sample::make().expect("a small table can be written into memory"))
    }

    fn make() -> hama_core::Result<Sample> {
        let store = store::create(&"memory:hama-testing-parse".parse()?)?;
        let writer = TableWriter::create(&store, &name(), spec(), OnExists::Fail)?;
        let (target, mut shards, mut elements) = (writer.target().clone(), Vec::new(), Vec::new());
        for shard in target.spec.shards() {
            let mut writer = ShardWriter::create(&target, shard, &Host::local())?;
            for tile in target.spec.tiles_of(shard) {
                let bytes = vec![1 + elements.len() as u8; target.spec.tile_bytes()];
                writer.write_tile(tile, &bytes)?;
                elements.push(bytes);
            }
            shards.push(writer.finish()?);
        }
        let generation = writer.commit(shards)?.generation().to_string();
        let mut files = Vec::new();
        files_below(&*store, &StorePath::root(), &mut files)?;
        Ok(Sample { store, generation, files: Mutex::new(files), elements })
    }

    fn read(&self) -> Result<Read, ErrorKind> {
        let table = Table::open(&self.store, &name()).map_err(|error| error.kind())?;
        let spec = table.spec();
        if spec.tile_bytes() > TILE_BYTES_MAX {
            return Ok(Read { elements: None, is_sound: false });
        }
        let tiles = spec.shards().flat_map(|shard| spec.tiles_of(shard));
        let read = tiles.map(|tile| {
            let mut bytes = vec![0; spec.tile_bytes()];
            table.read_tile(tile, &mut bytes).map(|()| bytes)
        });
        let elements = read.collect::<hama_core::Result<_>>().ok();
        let report = table.check(&|_| {}, &Cancel::new()).map_err(|error| error.kind())?;
        Ok(Read { elements, is_sound: report.faults.is_empty() && report.unreachable.is_empty() })
    }
}

fn name() -> TableName {
    TableName::new("digits").expect("it is one")
}

/// 6 x 4 elements in two tiles, each a shard.
fn spec() -> TableSpec {
    let mut spec = TableSpec::new(Extent::new(6, 4), ElementType::F64).expect("it is small");
    spec.tile = Extent::new(3, 4);
    spec.with_shard(Extent::new(1, 1)).expect("it has two tiles")
}

/// Checksummed JSON around a body.
fn sealed(body: &[u8]) -> Vec<u8> {
    let end = format!(",\"crc32c\":\"{:08x}\"}}", crc32c::crc32c(body));
    [b"{\"body\":", body, end.as_bytes()].concat()
}

fn files_below(
    store: &dyn Store,
    dir: &StorePath,
    files: &mut Vec<(StorePath, Vec<u8>)>,
) -> hama_core::Result<()> {
    for entry in store.list(dir)? {
        let path = dir.child(&entry.name)?;
        match entry.kind {
            EntryKind::Directory => files_below(store, &path, files)?,
            EntryKind::File => {
                let reader = store.open(&path)?;
                let mut bytes = vec![0; reader.len() as usize];
                reader.read_at(0, &mut bytes)?;
                files.push((path, bytes));
            }
        }
    }
    Ok(())
}

/// Puts other bytes in a file's place.
fn put(store: &Arc<dyn Store>, path: &StorePath, bytes: &[u8]) {
    let write = || {
        store.delete(path)?;
        let (len, host) = (bytes.len() as u64, &Host::local());
        let mut writer = store.create(path, CreateHint { len, host, durability: Durability::None })?;
        writer.write(bytes)?;
        writer.close()
    };
    write().expect("memory can be written");
}
