//! `hama matrix info`: what a matrix is and where it lies.

use std::fmt;
use std::sync::Arc;

use hama::table::store::Store;
use hama::table::{Attributes, Dimension, Extent, Table};
use hama::{AnyMatrix, files};
use serde::Serialize;

use super::Global;
use super::failure::Failure;
use super::locations::Locations;
use super::output::Output;
use super::session::{Access, Session, not_a_file};
use super::size::Size;

const EXAMPLES: &str = "\
Examples:
  hama matrix info demo-c
  hama matrix info ./a.npy
  hama matrix info a --locations --host dn1   which hosts hold it; with -v shard by shard";

/// Say what a matrix is: shape, element type, tiles, shards, blocks, version, and where it lies
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Info {
    /// The matrix
    name: String,
    /// Say where its shards lie, host by host
    #[arg(long)]
    locations: bool,
}

impl Info {
    pub(crate) fn run(self, global: &Global, output: &mut Output) -> Result<(), Failure> {
        if files::is_path(&self.name) {
            if self.locations {
                not_a_file(&self.name)?;
            }
            let session = Session::open_for(global, [self.name.as_str()], None, |builder| builder)?;
            let matrix = session.matrix(&self.name)?;
            return output.report(&FileReport(Summary::of_file(&self.name, &matrix)));
        }
        let session = Session::open(global, Access::Existing)?;
        let table = session.table(&self.name)?;
        let locate = |table: &Table| {
            let (hama, every_shard) = (&session.hama, global.verbose > 0);
            Locations::of(table, hama.host(), hama.cancel(), every_shard)
        };
        let wanted = Some(&table).filter(|_| self.locations);
        let locations = wanted.map(locate).transpose()?;
        let copy = wanted.map(Table::through_copy).transpose()?.flatten();
        let copy_locations = copy.as_ref().map(locate).transpose()?;
        let (table, details) = (Summary::of(&session, &table), Details::of(&table)?);
        output.report(&InfoReport { table, details, locations, copy_locations })
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
    /// None of a file.
    pub(crate) version: Option<u64>,
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
    /// With `--locations`.
    locations: Option<Locations>,
    /// Those of the placed copy, which products read, where it is up to date.
    copy_locations: Option<Locations>,
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
            version: Some(table.version()),
            path: path.map(|path| path.display().to_string()),
        }
    }
}

impl Summary {
    /// Of a file, whose size is that of the file or of all files of an array.
    pub(crate) fn of_file(path: &str, matrix: &AnyMatrix) -> Summary {
        let (rows, cols) = matrix.shape();
        // An address is one wherever one is.
        let absolute = if path.contains("://") { None } else { std::path::absolute(path).ok() };
        let absolute = absolute.map_or_else(|| path.to_owned(), |path| path.display().to_string());
        let bytes = std::fs::metadata(path).ok().filter(|meta| meta.is_file()).map(|meta| meta.len());
        Summary {
            name: path.to_owned(),
            rows,
            cols,
            dtype: matrix.element().name(),
            bytes: bytes.unwrap_or_else(|| matrix.stored_bytes()),
            version: None,
            path: Some(absolute),
        }
    }
}

/// What `info` says of a file.
#[derive(Serialize)]
#[serde(transparent)]
struct FileReport(Summary);

impl fmt::Display for FileReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let FileReport(file) = self;
        writeln!(f, "file        {}", file.name)?;
        writeln!(f, "shape       {} x {} {}", file.rows, file.cols, file.dtype)?;
        writeln!(f, "size        {} ({} bytes)", Size(file.bytes), file.bytes)
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
        writeln!(f, "version     {} (generation {})", table.version.unwrap_or_default(), details.generation)?;
        for (there, dimension) in [(details.row_labels, "rows"), (details.column_labels, "columns")] {
            if there {
                writeln!(f, "labels      of the {dimension}")?;
            }
        }
        for (key, value) in &details.attributes {
            writeln!(f, "attribute   {key} = {value}")?;
        }
        if let Some(path) = &table.path {
            writeln!(f, "path        {path}")?;
        }
        if let Some(locations) = &self.locations {
            write!(f, "{locations}")?;
        }
        match &self.copy_locations {
            Some(locations) => write!(f, "placed copy, which products read:\n{locations}"),
            None => Ok(()),
        }
    }
}
