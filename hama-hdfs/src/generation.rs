//! The ids of generations.

use std::fmt;
use std::str::FromStr;

use hama_core::{Error, Result};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A generation of a table: elements that were written once and never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct GenerationId(Uuid);

impl GenerationId {
    /// One that differs from all others.
    pub(crate) fn random() -> GenerationId {
        GenerationId(Uuid::new_v4())
    }
}

impl FromStr for GenerationId {
    type Err = Error;

    fn from_str(text: &str) -> Result<GenerationId> {
        let uuid = Uuid::try_parse(text).ok().filter(|uuid| uuid.to_string() == text);
        uuid.map(GenerationId)
            .ok_or_else(|| Error::invalid(format!("cannot use {text:.40?} as a generation: it is no uuid")))
    }
}

impl TryFrom<String> for GenerationId {
    type Error = Error;

    fn try_from(text: String) -> Result<GenerationId> {
        text.parse()
    }
}

impl From<GenerationId> for String {
    fn from(id: GenerationId) -> String {
        id.to_string()
    }
}

impl fmt::Display for GenerationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
