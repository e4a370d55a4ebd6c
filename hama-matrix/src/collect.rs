//! Clears the history of many tables, and what killed writers left: the peers take turns at the tables.

use std::collections::BTreeSet;
use std::time::Duration;

use hama_core::{BoxError, Bsp, Peer, Result};
use hama_hdfs::{Collected, StoreUrl, TableName, collect_swept, store, sweep};
use serde::{Deserialize, Serialize};

use crate::hama::Hama;
use crate::told::Told;

/// What clearing each of several tables of a store deleted, in their order: as [`hama_hdfs::collect`], by all peers. A name
/// that is there twice is cleared once. One that cannot be cleared is no reason to leave the others.
///
/// # Cost
/// A few small files for each version, and a listing for each generation.
///
/// # Errors
/// Those of the store's root, and of a job; those of one table are beside its name.
pub fn collect(
    hama: &Hama,
    names: &[TableName],
    older_than: Duration,
) -> Result<Vec<(TableName, Result<Collected>)>> {
    hama.check_store()?;
    let mut seen = BTreeSet::new();
    let names: Vec<TableName> = names.iter().filter(|name| seen.insert(*name)).cloned().collect();
    let peers = hama.peers().min(names.len());
    // Here, once: it is of the store, not of a table.
    sweep(&**hama.store())?;
    if peers == 0 {
        return Ok(Vec::new());
    }
    let program = CollectTables { url: hama.store().url().clone(), names, older_than };
    let outcome = hama.run(&program).peers(peers).map_err(|e| hama.said(e))?;
    let mut of_peers: Vec<_> = outcome.outputs.into_iter().map(Vec::into_iter).collect();
    let names = program.names.into_iter().enumerate();
    let found = names.map(|(index, name)| {
        let found = of_peers.get_mut(index % peers).and_then(Iterator::next);
        let found = found.ok_or_else(|| lost(&name))?;
        Ok((name, found.map_err(Into::into)))
    });
    found.collect()
}

fn lost(name: &TableName) -> hama_core::Error {
    hama_core::Error::internal(format!("no peer says what it cleared of table {name}"))
}

/// The program: the peers take turns at the names.
#[derive(Serialize, Deserialize)]
pub(crate) struct CollectTables {
    url: StoreUrl,
    names: Vec<TableName>,
    older_than: Duration,
}

impl Bsp for CollectTables {
    const NAME: &'static str = "gc";
    type Message = ();
    /// Of its names, in their order.
    type Output = Vec<std::result::Result<Collected, Told>>;

    fn bsp(&self, peer: &mut Peer<()>) -> std::result::Result<Self::Output, BoxError> {
        let store = store::open(&self.url)?;
        let own = self.names.iter().skip(peer.index()).step_by(peer.count());
        let collected = own.map(|name| {
            peer.cancel().check()?;
            Ok(collect_swept(&*store, name, self.older_than).map_err(Told::from))
        });
        Ok(collected.collect::<Result<_>>()?)
    }
}
