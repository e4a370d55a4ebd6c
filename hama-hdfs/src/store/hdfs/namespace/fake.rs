//! A namespace in memory, with a clock that tests set, calls that fail, and turns.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use hama_core::{Error, ErrorKind, Result};

use super::{Named, Namespace};
use crate::path::StorePath;
use crate::store::hdfs::error::SafeMode;

/// What the NameNode knows.
#[derive(Debug, Default)]
pub(in crate::store::hdfs) struct NameNode {
    /// With the time, and whether it is a directory.
    tree: Mutex<BTreeMap<StorePath, (u64, bool)>>,
    pub(in crate::store::hdfs) now_ms: AtomicU64,
    turns: Turns,
}

/// One process's way to it.
#[derive(Debug)]
pub(in crate::store::hdfs) struct Client {
    pub(in crate::store::hdfs) name_node: Arc<NameNode>,
    process: usize,
    pub(in crate::store::hdfs) calls: AtomicUsize,
    pub(in crate::store::hdfs) fails: Mutex<Fails>,
}

/// How calls that change something fail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::store::hdfs) enum Fails {
    #[default]
    Never,
    /// Nothing is done.
    Refused(ErrorKind),
    /// Nothing is done, for a while.
    SafeMode,
    /// It is done, and the answer is lost.
    Late,
}

impl NameNode {
    pub(in crate::store::hdfs) fn client(self: &Arc<NameNode>, process: usize) -> Arc<Client> {
        let name_node = Arc::clone(self);
        Arc::new(Client { name_node, process, calls: AtomicUsize::new(0), fails: Mutex::default() })
    }

    pub(in crate::store::hdfs) fn turns(&self) -> &Turns {
        &self.turns
    }

    pub(in crate::store::hdfs) fn advance(&self, ms: u64) {
        self.now_ms.fetch_add(ms, Ordering::SeqCst);
    }

    /// Everything that is there.
    pub(in crate::store::hdfs) fn names(&self) -> Vec<String> {
        self.tree().keys().map(ToString::to_string).collect()
    }

    pub(in crate::store::hdfs) fn make(&self, path: &StorePath, is_dir: bool) {
        let now = self.now_ms.load(Ordering::SeqCst);
        let mut tree = self.tree();
        let mut above = path.parent();
        while let Some(dir) = above.filter(|dir| !dir.as_str().is_empty()) {
            above = dir.parent();
            tree.entry(dir).or_insert((now, true));
        }
        tree.insert(path.clone(), (now, is_dir));
    }

    pub(in crate::store::hdfs) fn rename(&self, from: &StorePath, to: &StorePath) -> Result<()> {
        let mut tree = self.tree();
        if tree.contains_key(to) {
            return Err(Error::new(ErrorKind::Exists, "it is there"));
        }
        let node = tree.remove(from).ok_or_else(|| Error::new(ErrorKind::NotFound, "it is not there"))?;
        tree.insert(to.clone(), node);
        Ok(())
    }

    fn tree(&self) -> MutexGuard<'_, BTreeMap<StorePath, (u64, bool)>> {
        self.tree.lock().unwrap()
    }
}

impl Client {
    pub(in crate::store::hdfs) fn fail(&self, fails: Fails) {
        *self.fails.lock().unwrap() = fails;
    }

    fn look(&self) {
        self.calls.fetch_add(1, Ordering::SeqCst);
        self.name_node.turns.wait(self.process);
    }

    fn change(&self, change: impl FnOnce() -> Result<()>) -> Result<()> {
        self.look();
        let fails = *self.fails.lock().unwrap();
        match fails {
            Fails::Never => change(),
            Fails::Refused(kind) => Err(Error::new(kind, "refused")),
            Fails::SafeMode => Err(Error::new(ErrorKind::Unavailable, "refused").with_source(SafeMode)),
            Fails::Late => {
                change().unwrap();
                Err(Error::new(ErrorKind::Unavailable, "no answer"))
            }
        }
    }
}

impl Namespace for Client {
    fn put(&self, path: &StorePath) -> Result<()> {
        self.change(|| {
            self.name_node.make(path, false);
            Ok(())
        })
    }

    fn renew(&self, path: &StorePath) -> Result<bool> {
        if !self.exists(path)? {
            return Ok(false);
        }
        self.put(path).map(|()| true)
    }

    fn make_dir(&self, path: &StorePath) -> Result<()> {
        self.change(|| {
            self.name_node.make(path, true);
            Ok(())
        })
    }

    fn entries(&self, dir: &StorePath) -> Result<Vec<Named>> {
        self.look();
        let tree = self.name_node.tree();
        match tree.get(dir) {
            None if !dir.as_str().is_empty() => Err(Error::new(ErrorKind::NotFound, "it is not there")),
            Some((_, false)) => Err(Error::invalid("it is a file")),
            _ => {
                let inside = tree.iter().filter(|(path, _)| path.parent().as_ref() == Some(dir));
                Ok(inside
                    .map(|(path, (modified_ms, _))| Named {
                        name: path.name().unwrap().to_owned(),
                        modified_ms: *modified_ms,
                    })
                    .collect())
            }
        }
    }

    fn exists(&self, path: &StorePath) -> Result<bool> {
        self.look();
        Ok(self.name_node.tree().contains_key(path))
    }

    fn remove(&self, path: &StorePath) -> Result<()> {
        self.change(|| {
            let mut tree = self.name_node.tree();
            if tree.keys().any(|other| other.parent().as_ref() == Some(path)) {
                return Err(Error::invalid("it is not empty"));
            }
            tree.remove(path);
            Ok(())
        })
    }
}

/// Lets processes make their calls one at a time, in an order that is drawn: each call waits until all processes that take
/// turns have one to make or are done.
#[derive(Debug, Default)]
pub(in crate::store::hdfs) struct Turns {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// What each process does; empty where nobody takes turns.
    processes: Vec<Does>,
    next: Option<usize>,
    seed: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Does {
    Something,
    Waits,
    Nothing,
}

impl Turns {
    pub(in crate::store::hdfs) fn start(&self, processes: usize, seed: u64) {
        let processes = vec![Does::Something; processes];
        *self.state.lock().unwrap() = State { processes, next: None, seed };
    }

    /// A process makes no call any more.
    pub(in crate::store::hdfs) fn leave(&self, process: usize) {
        let mut state = self.state.lock().unwrap();
        state.processes[process] = Does::Nothing;
        state.draw();
        drop(state);
        self.changed.notify_all();
    }

    fn wait(&self, process: usize) {
        let mut state = self.state.lock().unwrap();
        if state.processes.get(process).is_none_or(|does| *does == Does::Nothing) {
            return;
        }
        state.processes[process] = Does::Waits;
        state.draw();
        self.changed.notify_all();
        while state.next != Some(process) {
            state = self.changed.wait(state).unwrap();
        }
        state.next = None;
        state.processes[process] = Does::Something;
    }
}

impl State {
    fn draw(&mut self) {
        if self.next.is_some() || self.processes.contains(&Does::Something) {
            return;
        }
        let waiting: Vec<_> =
            (0..self.processes.len()).filter(|process| self.processes[*process] == Does::Waits).collect();
        if waiting.is_empty() {
            return;
        }
        // A linear congruential generator is random enough for a coin.
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.next = Some(waiting[(self.seed >> 33) as usize % waiting.len()]);
    }
}
