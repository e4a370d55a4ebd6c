//! Makes what was written without waiting for the disk survive a power loss, before something lasting is built on it.

use hama_core::{ErrorKind, Result};

use super::Table;
use super::layout::Layout;
use super::write::path_of;
use crate::labels::Dimension;
use crate::path::StorePath;
use crate::zarr;

impl Table {
    /// Waits until all files that this version names, and their names, would survive a power loss. Nothing to do where
    /// they do already.
    pub(super) fn settle(&self) -> Result<()> {
        let manifest = &self.inner.manifest;
        if manifest.is_settled {
            return Ok(());
        }
        let layout = Layout::new(self.name());
        let mut views = vec![self.dense()?];
        views.extend(self.copy_to_keep()?);
        for view in views {
            let id = view.generation();
            for record in view.shards() {
                self.store().settle(&path_of(self.name(), &record.file)?)?;
            }
            for file in [layout.index(id), layout.group_metadata(id), layout.values_metadata(id)] {
                self.store().settle(&file)?;
            }
            let labels = Dimension::ALL.map(|dimension| layout.labels(id, dimension));
            let labels = labels.iter().zip(Dimension::ALL).filter(|(_, dimension)| {
                id == manifest.generation && manifest.labels.of(*dimension).is_some()
            });
            for (dir, _) in labels {
                for name in [zarr::METADATA, zarr::LABELS_CHUNK] {
                    self.store().settle(&dir.child(name)?)?;
                }
                self.store().sync(dir)?;
            }
            for dir in [layout.values(id), layout.generation(id)] {
                self.store().sync(&dir)?;
            }
        }
        for id in &manifest.borrowed {
            match self.store().sync(&layout.values(*id)) {
                Err(e) if e.kind() != ErrorKind::NotFound => return Err(e),
                _ => {}
            }
        }
        self.store().sync(&layout.generations())?;
        self.store().sync(&StorePath::root())
    }
}
