//! Finds the store that a URL means.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use hama_core::{Error, ErrorKind, Result};

use super::Store;
use super::directory::DirectoryStore;
#[cfg(feature = "hdfs")]
use super::hdfs;
use super::memory::MemoryStore;
use super::strict::{StrictRules, StrictStore};
use crate::url::{Place, StoreUrl};

static REGISTERED: LazyLock<Mutex<HashMap<StoreUrl, Arc<dyn Store>>>> = LazyLock::new(Mutex::default);

/// The store at `url`, which must exist.
///
/// Stores in memory belong to the process: two calls with one name give the same store.
///
/// # Errors
/// `NotFound` where there is none; `Invalid` where the path is a file or not readable.
pub fn open(url: &StoreUrl) -> Result<Arc<dyn Store>> {
    let url = url.absolute()?;
    if let Some(store) = registered().get(&url) {
        return Ok(Arc::clone(store));
    }
    match url.place() {
        Place::Directory(_) => Ok(Arc::new(DirectoryStore::open(url)?)),
        #[cfg(feature = "hdfs")]
        Place::Hdfs(_) => hdfs::open(url),
        #[cfg(not(feature = "hdfs"))]
        Place::Hdfs(_) => Err(no_hdfs(&url)),
        Place::Memory(_) | Place::Strict(_) => {
            Err(Error::new(ErrorKind::NotFound, format!("no store at {url} in this process")))
        }
    }
}

/// The store at `url`, made where it is missing: for what writes.
///
/// # Errors
/// `Invalid` where the path is a file or not writable.
pub fn create(url: &StoreUrl) -> Result<Arc<dyn Store>> {
    let url = url.absolute()?;
    if let Some(store) = registered().get(&url) {
        return Ok(Arc::clone(store));
    }
    let store: Arc<dyn Store> = match url.place() {
        // This waits for a disk, so nobody else may have to wait for it.
        Place::Directory(_) => return Ok(Arc::new(DirectoryStore::create(url)?)),
        #[cfg(feature = "hdfs")]
        Place::Hdfs(_) => return hdfs::create(url),
        #[cfg(not(feature = "hdfs"))]
        Place::Hdfs(_) => return Err(no_hdfs(&url)),
        Place::Memory(_) => Arc::new(MemoryStore::new(url.clone())),
        Place::Strict(name) => Arc::new(StrictStore::new(url.clone(), StrictRules::of_name(name))),
    };
    // Somebody may have been faster.
    Ok(Arc::clone(registered().entry(url).or_insert(store)))
}

/// Lets `url` mean `store` in this process, whatever it meant before: for decorators, and stores with rules.
///
/// # Errors
/// `Invalid` where this process has no current directory.
pub fn register(url: &StoreUrl, store: Arc<dyn Store>) -> Result<()> {
    registered().insert(url.absolute()?, store);
    Ok(())
}

/// Lets `url` mean nothing in memory any more; its bytes go when the last holder of the store does.
///
/// # Errors
/// `Invalid` where this process has no current directory.
pub fn forget(url: &StoreUrl) -> Result<()> {
    registered().remove(&url.absolute()?);
    Ok(())
}

#[cfg(not(feature = "hdfs"))]
fn no_hdfs(url: &StoreUrl) -> Error {
    Error::invalid(format!("cannot use the store {url}: this build of hama has no hdfs"))
}

fn registered() -> MutexGuard<'static, HashMap<StoreUrl, Arc<dyn Store>>> {
    REGISTERED.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_means_one_store() {
        let url: StoreUrl = "memory:registry-one".parse().unwrap();
        assert_eq!(open(&url).unwrap_err().kind(), ErrorKind::NotFound);
        let made = create(&url).unwrap();
        assert!(Arc::ptr_eq(&made, &open(&url).unwrap()));
        assert!(Arc::ptr_eq(&made, &create(&url).unwrap()));
        forget(&url).unwrap();
        assert!(open(&url).is_err());
    }

    #[test]
    fn a_registered_store_stands_before_what_the_url_says() {
        let inside: StoreUrl = "memory:registry-inside".parse().unwrap();
        let url: StoreUrl = "file:/nowhere/at/all".parse().unwrap();
        let error = open(&url).unwrap_err();
        assert_eq!((error.kind(), error.message()), (ErrorKind::NotFound, "no store at /nowhere/at/all"));
        register(&url, create(&inside).unwrap()).unwrap();
        assert_eq!(open(&url).unwrap().url(), &inside);
        forget(&url).unwrap();
        forget(&inside).unwrap();
    }
}
