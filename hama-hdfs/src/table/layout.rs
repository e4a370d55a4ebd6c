//! Where a table's files lie in its store.

use crate::generation::GenerationId;
use crate::labels::Dimension;
use crate::manifest::NUMBER_MAX;
use crate::name::TableName;
use crate::path::StorePath;
use crate::zarr;

/// The paths of a table's files.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    dir: StorePath,
}

/// A file of a table's directory, known by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TableFile {
    Manifest(u64),
    Pending(GenerationId),
}

impl Layout {
    pub(super) fn new(name: &TableName) -> Layout {
        Layout { dir: inside(&StorePath::root(), name.as_str()) }
    }

    pub(super) fn dir(&self) -> &StorePath {
        &self.dir
    }

    pub(super) fn manifest(&self, number: u64) -> StorePath {
        inside(&self.dir, &format!("manifest-{number:08}.json"))
    }

    pub(super) fn pending(&self, id: GenerationId) -> StorePath {
        inside(&self.dir, &format!("pending-{id}.json"))
    }

    pub(super) fn current(&self) -> StorePath {
        inside(&self.dir, "current")
    }

    pub(super) fn generations(&self) -> StorePath {
        inside(&self.dir, "generations")
    }

    pub(super) fn generation(&self, id: GenerationId) -> StorePath {
        inside(&self.generations(), &id.to_string())
    }

    pub(super) fn index(&self, id: GenerationId) -> StorePath {
        inside(&self.generations(), &format!("{id}.json"))
    }

    pub(super) fn group_metadata(&self, id: GenerationId) -> StorePath {
        inside(&self.generation(id), zarr::METADATA)
    }

    pub(super) fn labels(&self, id: GenerationId, dimension: Dimension) -> StorePath {
        inside(&self.generation(id), dimension.name())
    }

    pub(super) fn values(&self, id: GenerationId) -> StorePath {
        inside(&self.generation(id), zarr::VALUES)
    }

    /// All directories of a generation.
    pub(super) fn dirs(&self, id: GenerationId) -> [StorePath; 4] {
        let [rows, columns] = Dimension::ALL.map(|dimension| self.labels(id, dimension));
        [self.generation(id), self.values(id), rows, columns]
    }

    pub(super) fn values_metadata(&self, id: GenerationId) -> StorePath {
        inside(&self.values(id), zarr::METADATA)
    }
}

/// What a file in a table's directory is, going by its name; `None` for what is no file of a table.
pub(super) fn table_file(name: &str) -> Option<TableFile> {
    let (kind, id) = name.strip_suffix(".json")?.split_once('-')?;
    match kind {
        "manifest" => {
            let valid = |number: &u64| (1..=NUMBER_MAX).contains(number) && format!("{number:08}") == id;
            let number = id.parse().ok().filter(valid)?;
            Some(TableFile::Manifest(number))
        }
        "pending" => id.parse().ok().map(TableFile::Pending),
        _ => None,
    }
}

/// The generation that an entry of the directory of generations belongs to.
pub(super) fn generation_of(name: &str) -> Option<GenerationId> {
    name.strip_suffix(".json").unwrap_or(name).parse().ok()
}

fn inside(dir: &StorePath, segment: &str) -> StorePath {
    dir.child(segment).expect("names, numbers and uuids make segments")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_read_back() {
        let layout = Layout::new(&TableName::new("a").unwrap());
        let id = GenerationId::random();
        for number in [1, 42, 123_456_789_012, NUMBER_MAX] {
            assert_eq!(
                table_file(layout.manifest(number).name().unwrap()),
                Some(TableFile::Manifest(number))
            );
        }
        assert_eq!(table_file(layout.pending(id).name().unwrap()), Some(TableFile::Pending(id)));
        assert_eq!(generation_of(layout.index(id).name().unwrap()), Some(id));
        assert_eq!(generation_of(layout.generation(id).name().unwrap()), Some(id));
        assert_eq!(layout.manifest(7).as_str(), "a/manifest-00000007.json");
    }

    #[test]
    fn foreign_names_are_none() {
        let foreign = [
            "manifest-1.json",
            "manifest-00000000.json",
            "manifest-+0000001.json",
            "manifest-00000001",
            "manifest-99999999999999999999.json",
            "manifest-18446744073709551615.json",
            "manifest-9007199254740993.json",
            "pending-x.json",
            "pending-.json",
            "notes.json",
            "current",
            "",
        ];
        for name in foreign {
            assert_eq!(table_file(name), None, "{name}");
        }
        assert_eq!(generation_of("0"), None);
        assert_eq!(generation_of("{6ba7b810-9dad-11d1-80b4-00c04fd430c8}"), None);
    }
}
