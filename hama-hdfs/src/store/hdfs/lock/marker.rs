//! A marker: `{s,x}-SESSION-NUMBER` in the folder of the file that it locks.

use crate::path::StorePath;
use crate::store::Lock;
use crate::store::hdfs::session::{SessionId, inside, locks_dir};

/// The longest name that HDFS takes.
const NAME_LEN_MAX: usize = 255;

/// One lock of one file by one session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Marker {
    folder: StorePath,
    lock: Lock,
    session: SessionId,
    number: u64,
}

impl Marker {
    /// The marker of a lock of the file at `path`.
    pub(super) fn new(path: &StorePath, lock: Lock, session: SessionId, number: u64) -> Marker {
        Marker { folder: folder_of(path), lock, session, number }
    }

    /// The marker that something in a folder is, going by its name.
    pub(super) fn parse(folder: &StorePath, name: &str) -> Option<Marker> {
        let (lock, rest) = name.split_once('-')?;
        let lock = match lock {
            "s" => Lock::Shared,
            "x" => Lock::Exclusive,
            _ => return None,
        };
        let (session, number) = rest.rsplit_once('-')?;
        let session = SessionId::parse(session)?;
        let marker = Marker { folder: folder.clone(), lock, session, number: number.parse().ok()? };
        (marker.name() == name).then_some(marker)
    }

    /// The same for another session.
    pub(super) fn of_session(&self, session: SessionId) -> Marker {
        Marker { session, ..self.clone() }
    }

    pub(super) fn lock(&self) -> Lock {
        self.lock
    }

    pub(super) fn session(&self) -> &SessionId {
        &self.session
    }

    /// What tells it from the others of its process, whose sessions may change.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn folder(&self) -> &StorePath {
        &self.folder
    }

    /// Where it lies.
    pub(super) fn path(&self) -> StorePath {
        inside(&self.folder, &self.name())
    }

    fn name(&self) -> String {
        let lock = match self.lock {
            Lock::Shared => 's',
            Lock::Exclusive => 'x',
        };
        format!("{lock}-{}-{}", self.session, self.number)
    }
}

/// Where the markers of a file lie. Two files may share a folder where their paths are very long or have two points in
/// them: then they are locked together.
pub(super) fn folder_of(path: &StorePath) -> StorePath {
    let name = path.as_str().replace('/', "..");
    inside(&locks_dir(), &name[name.len().saturating_sub(NAME_LEN_MAX)..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> StorePath {
        StorePath::new(text).unwrap()
    }

    #[test]
    fn a_marker_reads_back_and_nothing_else_does() {
        let session = SessionId::new();
        for lock in [Lock::Shared, Lock::Exclusive] {
            let marker = Marker::new(&path("a/manifest-1.json"), lock, session.clone(), 12);
            let at = marker.path();
            assert_eq!(at.parent().unwrap().as_str(), ".hama/locks/a..manifest-1.json");
            assert_eq!(Marker::parse(&at.parent().unwrap(), at.name().unwrap()), Some(marker));
        }
        let name = format!("s-{session}-12");
        let folder = folder_of(&path("a"));
        assert!(Marker::parse(&folder, &name).is_some());
        for bad in ["", "s", "s-", "s--", "s-1", "y-", &name[1..], &name[..name.len() - 3], "s-a-b-c-d-e-1"] {
            assert_eq!(Marker::parse(&folder, bad), None, "{bad:?}");
        }
        for bad in [format!("{name}x"), format!("s-{session}-012"), format!("s-{session}-+1")] {
            assert_eq!(Marker::parse(&folder, &bad), None, "{bad:?}");
        }
    }

    #[test]
    fn every_path_has_a_folder() {
        let long = ["a".repeat(255).as_str(), "b".repeat(254).as_str()].join("/");
        assert_eq!(folder_of(&path(&long)).name().unwrap().len(), NAME_LEN_MAX);
        assert_eq!(folder_of(&path("a/b/c")).as_str(), ".hama/locks/a..b..c");
        assert_ne!(folder_of(&path("a")), folder_of(&path("b")));
    }
}
