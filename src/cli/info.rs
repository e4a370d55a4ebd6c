//! `hama matrix info`: what a matrix is and where it lies.

use std::fmt;
use std::sync::Arc;

use hama::table::store::Store;
use hama::table::{Attributes, Dimension, Extent, Table};
use serde::Serialize;

use super::Global;
use super::failure::Failure;
use super::output::Output;
use super::session::{Access, Session};
use super::size::Size;

/// Say what a matrix is: shape, element type, tiles, shards, blocks, version, and where it lies
#[derive(clap::Args)]
#[command(after_help = "Example:\n  hama matrix info demo-c")]
pub(crate) struct Info {
    /// The matrix
    name: String,
}

impl Info {
    pub(crate) fn run(self, global: &Global, output: &mut Output) -> Result<(), Failure> {
        let session = Session::open(global, Access::Existing)?;
        let table = session.table(&self.name)?;
        output.report(&InfoReport { table: Summary::of(&session, &table), details: Details::of(&table)? })
    }
}

/// A table in a line: what every answer about one has.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Summary {
    pub(crate) name: String,
    pub(crate) rows: u64,
    pub(crate) cols: u64,
    pub(crate) dtype: &'static str,
    pub(crate) bytes: u64,
    pub(crate) version: u64,
    pub(crate) path: Option<String>,
}

#[derive(Serialize)]
struct Details {
    generation: String,
    tile: Extent,
    tiles: Extent,
    shard_tiles: Extent,
    shards: usize,
    blocks: Option<Extent>,
    /// How many shards of the placed copy are out of date, and of how many, where there is one.
    copy_shards_stale: Option<(u64, u64)>,
    row_labels: bool,
    column_labels: bool,
    attributes: Attributes,
}

#[derive(Serialize)]
struct InfoReport {
    #[serde(flatten)]
    table: Summary,
    #[serde(flatten)]
    details: Details,
}

impl Summary {
    pub(crate) fn of(session: &Session, table: &Table) -> Summary {
        Summary::of_table(session.hama.store(), table)
    }

    /// The same of a table in another store.
    pub(crate) fn of_table(store: &Arc<dyn Store>, table: &Table) -> Summary {
        let spec = table.spec();
        let path = store.local_path(&table.values_path());
        Summary {
            name: table.name().to_string(),
            rows: spec.shape.rows,
            cols: spec.shape.cols,
            dtype: spec.element.name(),
            bytes: table.bytes(),
            version: table.version(),
            path: path.map(|path| path.display().to_string()),
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} x {} {}, {}", self.name, self.rows, self.cols, self.dtype, Size(self.bytes))
    }
}

impl Details {
    fn of(table: &Table) -> hama::Result<Details> {
        let spec = table.spec();
        Ok(Details {
            generation: table.generation().to_string(),
            tile: spec.tile,
            tiles: spec.tile_grid(),
            shard_tiles: spec.shard,
            shards: table.shards().len(),
            blocks: spec.blocking,
            copy_shards_stale: table.stale_copy_shards()?,
            row_labels: table.has_labels(Dimension::Rows),
            column_labels: table.has_labels(Dimension::Columns),
            attributes: spec.attributes.clone(),
        })
    }
}

impl fmt::Display for InfoReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (table, details) = (&self.table, &self.details);
        writeln!(f, "name        {}", table.name)?;
        writeln!(f, "shape       {} x {} {}", table.rows, table.cols, table.dtype)?;
        writeln!(f, "size        {} of files ({} bytes)", Size(table.bytes), table.bytes)?;
        writeln!(f, "tiles       {} of {} elements", details.tiles, details.tile)?;
        writeln!(f, "shards      {} of up to {} tiles", details.shards, details.shard_tiles)?;
        match details.blocks {
            Some(blocks) => writeln!(f, "blocks      {blocks}")?,
            None => writeln!(f, "blocks      none")?,
        }
        match details.copy_shards_stale {
            Some((0, of)) => writeln!(f, "copy        {of} shards, up to date")?,
            Some((stale, of)) => {
                writeln!(f, "copy        {of} shards, {stale} to be copied again before it is used")?
            }
            None => {}
        }
        writeln!(f, "version     {} (generation {})", table.version, details.generation)?;
        for (there, dimension) in [(details.row_labels, "rows"), (details.column_labels, "columns")] {
            if there {
                writeln!(f, "labels      of the {dimension}")?;
            }
        }
        for (key, value) in &details.attributes {
            writeln!(f, "attribute   {key} = {value}")?;
        }
        match &table.path {
            Some(path) => writeln!(f, "path        {path}"),
            None => Ok(()),
        }
    }
}
