//! Where the shards of a table lie: as the store says, else with who wrote them.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use hama_core::{Cancel, Error, ErrorKind, Host, Result};
use serde::Serialize;

use super::Table;
use super::write::path_of;
use crate::extent::ShardIndex;
use crate::index::ShardRecord;
use crate::store::BlockHosts;

/// How many questions the store answers at once: one takes some milliseconds, nearly all of them waiting.
const ASKED_AT_ONCE: usize = 32;

/// Where a shard lies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ShardLocation {
    /// Which one.
    pub shard: ShardIndex,
    /// The length of its file.
    pub bytes: u64,
    /// The hosts that hold it or a part of it: those with most of it first, of equals in the store's order.
    pub replicas: Vec<Replica>,
    /// Who says so.
    pub source: LocationSource,
}

/// A host that holds a shard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Replica {
    /// The host.
    pub host: Host,
    /// The rack it stands in, where that is known.
    pub rack: Option<String>,
    /// How many bytes of the shard's file it holds.
    pub bytes: u64,
}

/// Who says where a shard lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LocationSource {
    /// The store, now.
    Store,
    /// The index: it was written there, which holds as long as nobody has moved it.
    Writer,
    /// Nobody.
    Unknown,
}

impl ShardLocation {
    /// The hosts that hold all of it; where none does, those that hold most.
    pub fn holders(&self) -> impl Iterator<Item = &Replica> {
        let most = self.replicas.first().map_or(0, |replica| replica.bytes);
        self.replicas.iter().filter(move |replica| replica.bytes == most)
    }
}

impl Table {
    /// Where each of its shards lies, row by row. The store is asked the first time, and the answer kept as long as this
    /// table is open.
    ///
    /// # Cost
    /// A question to the store for each shard, 32 at once.
    ///
    /// # Errors
    /// `Data` where the file of a shard is missing; `Cancelled`. A store that does not answer is no error: a warning says
    /// so, and what the index knows counts.
    pub fn locations(&self, cancel: &Cancel) -> Result<&[ShardLocation]> {
        if let Some(found) = self.inner.locations.get() {
            return Ok(found);
        }
        let found = Locating::of(self, cancel).all()?;
        Ok(self.inner.locations.get_or_init(|| found))
    }
}

/// Shards that are being looked for.
struct Locating<'a> {
    table: &'a Table,
    cancel: &'a Cancel,
    /// The shard that is asked for next.
    next: AtomicUsize,
    /// Whether the store has failed to answer: it may take its time for each.
    silent: AtomicBool,
}

impl<'a> Locating<'a> {
    fn of(table: &'a Table, cancel: &'a Cancel) -> Locating<'a> {
        Locating { table, cancel, next: AtomicUsize::new(0), silent: AtomicBool::new(false) }
    }

    fn all(&self) -> Result<Vec<ShardLocation>> {
        let helpers = self.table.shards().len().min(ASKED_AT_ONCE).saturating_sub(1);
        let parts: Vec<Result<Vec<_>>> = thread::scope(|scope| {
            // Where the system has no more threads those that there are do it.
            let spawn = |_| thread::Builder::new().spawn_scoped(scope, || self.some()).ok();
            let threads: Vec<_> = (0..helpers).map_while(spawn).collect();
            let own = self.some();
            let lost = |_| Err(Error::internal("a thread that asks where shards lie has ended by itself"));
            threads.into_iter().map(|thread| thread.join().unwrap_or_else(lost)).chain([own]).collect()
        });
        let mut found: Vec<ShardLocation> =
            parts.into_iter().collect::<Result<Vec<_>>>()?.into_iter().flatten().collect();
        found.sort_by_key(|location| location.shard);
        Ok(found)
    }

    /// Asks for one shard after another until there is none that nobody has asked for.
    fn some(&self) -> Result<Vec<ShardLocation>> {
        let mut found = Vec::new();
        while let Some(record) = self.table.shards().get(self.next.fetch_add(1, Ordering::Relaxed)) {
            let located = self.cancel.check().and_then(|()| self.locate(record));
            // Nobody needs the rest of what the others ask for.
            let end = |_: &Error| self.next.store(self.table.shards().len(), Ordering::Relaxed);
            found.push(located.inspect_err(end)?);
        }
        Ok(found)
    }

    fn locate(&self, record: &ShardRecord) -> Result<ShardLocation> {
        let replicas = self.replicas(&self.ask(record)?);
        let located =
            |replicas, source| ShardLocation { shard: record.shard, bytes: record.len, replicas, source };
        if !replicas.is_empty() {
            return Ok(located(replicas, LocationSource::Store));
        }
        let store = self.table.store();
        // What everything is on when nothing is said means nothing beyond this host.
        if record.host == Host::local() && store.local_path(&self.table.values_path()).is_none() {
            return Ok(located(Vec::new(), LocationSource::Unknown));
        }
        let rack = store.rack(&record.host);
        let writer = Replica { host: record.host.clone(), rack, bytes: record.len };
        Ok(located(vec![writer], LocationSource::Writer))
    }

    fn ask(&self, record: &ShardRecord) -> Result<Vec<BlockHosts>> {
        if self.silent.load(Ordering::Relaxed) {
            return Ok(Vec::new());
        }
        let table = self.table;
        match table.store().hosts(&path_of(table.name(), &record.file)?) {
            Ok(blocks) => Ok(blocks),
            Err(error) => match error.kind() {
                ErrorKind::Cancelled => Err(error),
                ErrorKind::NotFound => {
                    let (name, shard) = (table.name(), record.shard);
                    let message = format!("cannot tell where table {name} lies: shard {shard} is missing");
                    Err(Error::data(message).with_source(error))
                }
                _ => {
                    if !self.silent.swap(true, Ordering::Relaxed) {
                        tracing::warn!(table = %table.name(), %error, "the store does not say where the shards lie");
                    }
                    Ok(Vec::new())
                }
            },
        }
    }

    fn replicas(&self, blocks: &[BlockHosts]) -> Vec<Replica> {
        let mut replicas: Vec<Replica> = Vec::new();
        for block in blocks {
            for host in &block.hosts {
                match replicas.iter_mut().find(|replica| replica.host == *host) {
                    Some(replica) => replica.bytes = replica.bytes.saturating_add(block.len),
                    None => {
                        let rack = self.table.store().rack(host);
                        replicas.push(Replica { host: host.clone(), rack, bytes: block.len });
                    }
                }
            }
        }
        replicas.sort_by_key(|replica| std::cmp::Reverse(replica.bytes));
        replicas
    }
}
