//! Files that are converted for a command, in a folder that goes with it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hama::{AnyMatrix, Error, Hama, Result};

use super::bench::scratch::Scratch;

/// The folders begin with this. What a killed command leaves the next one clears.
const PREFIX: &str = ".hama-spill-";
/// Temporary files that may be large: unlike /tmp it is no memory anywhere.
const LARGE_FILES: &str = "/var/tmp";

/// What was converted so far, and where. The folder is made when the first file needs it.
#[derive(Default)]
pub(crate) struct Spill(RefCell<State>);

// What is converted closes its files before the folder goes.
#[derive(Default)]
struct State {
    matrices: BTreeMap<String, AnyMatrix>,
    hama: Option<Hama>,
    scratch: Option<Scratch>,
}

impl Spill {
    /// The memory and peers of `hama` with the store of this folder.
    pub(crate) fn hama(&self, hama: &Hama, wished: Option<&Path>) -> Result<Hama> {
        let mut state = self.0.borrow_mut();
        if let Some(spill) = &state.hama {
            return Ok(spill.clone());
        }
        let scratch = Scratch::make_in(&folder(wished)?, PREFIX)?;
        let spill = hama.with_store(&scratch.store()?)?;
        (state.scratch, state.hama) = (Some(scratch), Some(spill.clone()));
        Ok(spill)
    }

    /// The folder, as people are told.
    pub(crate) fn folder(&self) -> String {
        self.0
            .borrow()
            .scratch
            .as_ref()
            .map_or_else(String::new, |scratch| scratch.path().display().to_string())
    }

    /// A file that was converted before.
    pub(crate) fn converted(&self, path: &str) -> Option<AnyMatrix> {
        self.0.borrow().matrices.get(path).cloned()
    }

    pub(crate) fn keep(&self, path: &str, matrix: &AnyMatrix) {
        self.0.borrow_mut().matrices.insert(path.to_owned(), matrix.clone());
    }

    /// A name for what a file becomes, which says which file it is, and that nothing here has.
    pub(crate) fn name(&self, path: &str) -> String {
        let stem =
            Path::new(path).file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let letter = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
        let stem: String = stem.trim_start_matches('.').chars().take(100).map(letter).collect();
        format!("{}-{stem}", self.0.borrow().matrices.len() + 1)
    }
}

/// Where the folder is made.
fn folder(wished: Option<&Path>) -> Result<PathBuf> {
    if let Some(wished) = wished {
        if wished.is_dir() {
            return Ok(wished.to_owned());
        }
        let shown = wished.display();
        return Err(Error::invalid(format!("cannot use --spill-dir {shown}: there is no such folder")));
    }
    let given = std::env::var_os("TMPDIR").filter(|path| !path.is_empty()).map(PathBuf::from);
    let usual = given.unwrap_or_else(|| PathBuf::from(LARGE_FILES));
    Ok(if usual.is_dir() { usual } else { std::env::temp_dir() })
}
