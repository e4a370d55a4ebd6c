//! The pending file: a manifest-to-be, and the fence of its writer.
//!
//! It lies in the table's directory from before the first byte of the generation is written, and its writer holds a
//! shared lock on it. To commit is to publish it as the next manifest; to end a writer is to delete it first. Whichever
//! comes first wins. The lock goes with the file, so that the writer becomes a reader of what it wrote without a gap.

use std::sync::Arc;
use std::time::Duration;

use hama_core::{Error, ErrorKind, Result};

use super::files::{TRIES, read_whole, repeated, write_whole};
use super::layout::Layout;
use super::remove::remove_empty;
use super::versions::{Versions, read_manifest};
use crate::generation::GenerationId;
use crate::manifest::{MANIFEST_BYTES_MAX, Manifest, NUMBER_MAX};
use crate::name::TableName;
use crate::store::{Durability, Lock, LockGuard, Store};

/// How often a writer begins anew because the table changed in the moments of beginning.
const BEGIN_TRIES: usize = 100;
const PAUSE: Duration = Duration::from_millis(2);

/// What must be true of a table for a writer to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Base {
    /// There is none.
    Absent,
    /// There may be one.
    Any,
    /// This is its version.
    Version(u64),
}

/// A pending file that lies in its table's directory, locked.
#[derive(Debug)]
pub(super) struct Pending {
    store: Arc<dyn Store>,
    layout: Layout,
    base: Base,
    manifest: Manifest,
    bytes: Vec<u8>,
    lock: Option<Box<dyn LockGuard>>,
    state: State,
    durability: Durability,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waiting,
    Published,
    /// Nobody can say whether it was published. What it names must stay.
    Unknown,
    /// It is left to another writer.
    Left,
}

impl Pending {
    /// Lays a pending file for the manifest that `make` gives for its number and id.
    pub(super) fn begin(
        store: &Arc<dyn Store>,
        name: &TableName,
        base: Base,
        durability: Durability,
        make: impl Fn(u64, GenerationId) -> Manifest,
    ) -> Result<Pending> {
        let begun = Pending::try_to_begin(store, name, base, durability, make);
        if begun.is_err() {
            // Not even the directory that was made for it stays.
            let _ = remove_empty(&**store, &Layout::new(name));
        }
        begun
    }

    fn try_to_begin(
        store: &Arc<dyn Store>,
        name: &TableName,
        base: Base,
        durability: Durability,
        make: impl Fn(u64, GenerationId) -> Manifest,
    ) -> Result<Pending> {
        let layout = Layout::new(name);
        for _ in 0..BEGIN_TRIES {
            let latest = Versions::list(&**store, &layout)?.latest();
            check_base(name, base, latest)?;
            let id = GenerationId::random();
            let manifest = make(next_number(name, latest)?, id);
            let pending = Pending::lay(store, &layout, base, durability, manifest)?;
            // A collector may have taken it for a dead writer's before it was locked; and whoever committed before it
            // lay there may have collected the number that it is to get.
            if pending.lock.is_some() && Versions::list(&**store, &layout)?.latest() == latest {
                return Ok(pending);
            }
            drop(pending);
            std::thread::sleep(PAUSE);
        }
        Err(Error::new(
            ErrorKind::Unavailable,
            format!("cannot begin to write table {name}: others keep changing it"),
        ))
    }

    fn lay(
        store: &Arc<dyn Store>,
        layout: &Layout,
        base: Base,
        durability: Durability,
        manifest: Manifest,
    ) -> Result<Pending> {
        let bytes = manifest.encode()?;
        let path = layout.pending(manifest.id);
        let mut pending = Pending {
            store: Arc::clone(store),
            layout: layout.clone(),
            base,
            manifest,
            bytes,
            lock: None,
            state: State::Waiting,
            durability,
        };
        let locked = write_whole(&**store, &path, &pending.bytes, durability)
            .and_then(|()| store.lock(&path, Lock::Shared));
        pending.lock = match locked {
            // Whoever removes the table takes its empty directory away; whoever collects takes what is not locked yet.
            Err(e) if e.kind() == ErrorKind::NotFound => None,
            other => other?,
        };
        Ok(pending)
    }

    /// Takes over the pending file `id` of a writer that is gone, where its manifest is what `fits`. `None` where it is not,
    /// its writer lives, or others are faster.
    pub(super) fn adopt(
        store: &Arc<dyn Store>,
        name: &TableName,
        base: Base,
        id: GenerationId,
        fits: impl Fn(&Manifest) -> bool,
    ) -> Result<Option<Pending>> {
        let layout = Layout::new(name);
        let path = layout.pending(id);
        let found = |result: Result<Option<Box<dyn LockGuard>>>| match result {
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            other => other,
        };
        // Nobody holds what is locked like this, so its writer is gone.
        if found(store.lock(&path, Lock::Exclusive))?.is_none() {
            return Ok(None);
        }
        let Some(lock) = found(store.lock(&path, Lock::Shared))? else { return Ok(None) };
        let manifest = match read_manifest(&**store, &path, name) {
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::Data) => return Ok(None),
            other => other?,
        };
        let latest = Versions::list(&**store, &layout)?.latest();
        check_base(name, base, latest)?;
        if manifest.number != next_number(name, latest)? || !fits(&manifest) {
            return Ok(None);
        }
        let durability = if manifest.is_settled { Durability::Full } else { Durability::None };
        let bytes = manifest.encode()?;
        let (store, state, lock) = (Arc::clone(store), State::Waiting, Some(lock));
        Ok(Some(Pending { store, layout, base, manifest, bytes, lock, state, durability }))
    }

    /// Leaves it to be taken over, or to be collected.
    pub(super) fn leave(&mut self) {
        self.state = State::Left;
        self.lock = None;
    }

    /// The manifest that it is to become.
    pub(super) fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Makes it the table's manifest, and that durable. An ambiguous reply is settled by reading that.
    pub(super) fn publish(&mut self) -> Result<()> {
        let from = self.layout.pending(self.manifest.id);
        let to = self.layout.manifest(self.manifest.number);
        let mut ambiguous = None;
        for _ in 0..TRIES {
            let error = match self.store.publish(&from, &to) {
                Ok(()) => return self.settle_durably(),
                Err(error) => error,
            };
            // These two are plain, unless a try before may have been done late.
            let is_plain = matches!(error.kind(), ErrorKind::Exists | ErrorKind::NotFound);
            if ambiguous.is_some() || !is_plain {
                match self.is_published() {
                    Err(_) => return self.settle(State::Unknown, Some(unknown(error))),
                    Ok(true) => return self.settle_durably(),
                    Ok(false) => {}
                }
            }
            match error.kind() {
                ErrorKind::Unavailable => ambiguous = Some(error),
                ErrorKind::Exists => return self.settle(State::Waiting, Some(self.lost())),
                ErrorKind::NotFound => return self.settle(State::Waiting, Some(self.ended())),
                _ => return self.settle(State::Waiting, Some(error)),
            }
        }
        self.settle(State::Unknown, ambiguous)
    }

    /// It is the table's manifest: makes that durable.
    fn settle_durably(&mut self) -> Result<()> {
        self.state = State::Published;
        if self.durability == Durability::None {
            return Ok(());
        }
        self.store.sync(self.layout.dir()).map_err(|e| {
            let (table, number) = (&self.manifest.table, self.manifest.number);
            Error::new(
                ErrorKind::Unavailable,
                format!(
                    "cannot make version {number} of table {table} durable: it is visible, but may not survive a power \
                     loss"
                ),
            )
            .with_source(e)
        })
    }

    /// Whether the table's manifest is this one.
    fn is_published(&self) -> Result<bool> {
        match read_whole(&*self.store, &self.layout.manifest(self.manifest.number), MANIFEST_BYTES_MAX) {
            Ok(bytes) => Ok(bytes == self.bytes),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(false),
            Err(e) => Err(e),
        }
    }

    fn settle(&mut self, state: State, error: Option<Error>) -> Result<()> {
        self.state = state;
        error.map_or(Ok(()), Err)
    }

    fn lost(&self) -> Error {
        let (table, number) = (&self.manifest.table, self.manifest.number);
        match self.base {
            Base::Absent => Error::new(
                ErrorKind::Exists,
                format!("cannot commit table {table}: somebody else made it meanwhile"),
            ),
            Base::Any | Base::Version(_) => Error::new(
                ErrorKind::Conflict,
                format!("cannot commit version {number} of table {table}: somebody else did meanwhile"),
            ),
        }
    }

    fn ended(&self) -> Error {
        ended(&self.manifest.table)
    }

    /// The lock, which from the commit on keeps the table that was written.
    pub(super) fn take_lock(&mut self) -> Option<Arc<dyn LockGuard>> {
        self.lock.take().map(Arc::from)
    }

    /// Takes the pending file away, unless it was published. Whether what it names can go too.
    pub(super) fn withdraw(&mut self) -> bool {
        if self.state != State::Waiting {
            return false;
        }
        let path = self.layout.pending(self.manifest.id);
        match repeated(|| self.store.delete(&path)) {
            Ok(()) => {
                // It is gone: there is nothing to be withdrawn twice.
                self.state = State::Unknown;
                // Whoever took it over, since this writer slept for too long, may have published it.
                !self.is_published().unwrap_or(true)
            }
            Err(error) => {
                tracing::warn!(table = %self.manifest.table, %error, "the next writer has to clear a pending file");
                false
            }
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.withdraw();
    }
}

fn ended(table: &TableName) -> Error {
    Error::new(
        ErrorKind::Conflict,
        format!("cannot commit table {table}: somebody ended this writer, its pending file is gone"),
    )
}

/// The error of a writer whose files were not what it made them: that it was ended, where it was.
pub(super) fn ended_or(store: &dyn Store, table: &TableName, id: GenerationId, error: Error) -> Error {
    let is_ended = matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Invalid | ErrorKind::Exists)
        && store.open(&Layout::new(table).pending(id)).is_err_and(|e| e.kind() == ErrorKind::NotFound);
    if is_ended { ended(table).with_source(error) } else { error }
}

/// The number after the latest.
fn next_number(name: &TableName, latest: Option<u64>) -> Result<u64> {
    let next = latest.unwrap_or(0) + 1;
    if next > NUMBER_MAX {
        return Err(Error::data(format!(
            "cannot write table {name}: its version has the last number that there is, {NUMBER_MAX}"
        )));
    }
    Ok(next)
}

/// The error of who cannot say whether a version was committed.
fn unknown(error: Error) -> Error {
    Error::new(ErrorKind::Unavailable, "cannot tell whether the commit took place").with_source(error)
}

fn check_base(name: &TableName, base: Base, latest: Option<u64>) -> Result<()> {
    match (base, latest) {
        (Base::Absent, Some(_)) => {
            Err(Error::new(ErrorKind::Exists, format!("cannot make table {name}: it exists")))
        }
        (Base::Version(version), _) if latest != Some(version) => Err(Error::new(
            ErrorKind::Conflict,
            format!(
                "cannot change version {version} of table {name}: {}",
                latest.map_or("it was removed".to_owned(), |latest| format!("its version is {latest} now"))
            ),
        )),
        _ => Ok(()),
    }
}
