//! The ids of generations.

use std::fmt;
use std::str::FromStr;

use hama_core::{Error, Result};
use serde::{Deserialize, Serialize};
use uuid::{Uuid, Variant};

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
        let is_ours = |uuid: &Uuid| {
            uuid.get_version_num() == 4 && uuid.get_variant() == Variant::RFC4122 && uuid.to_string() == text
        };
        let uuid = Uuid::try_parse(text).ok().filter(is_ours);
        uuid.map(GenerationId).ok_or_else(|| {
            Error::invalid(format!("cannot use {text:.40?} as a generation: it is no version 4 uuid"))
        })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_version_4_in_its_usual_form_is_one() {
        let id = GenerationId::random();
        assert_eq!(id.to_string().parse::<GenerationId>().unwrap(), id);
        for bad in [
            "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
            "00000000-0000-0000-0000-000000000000",
            "d0176fde-20ad-4c28-0dbd-3ce6a739d208",
            "D0176FDE-20AD-4C28-ADBD-3CE6A739D208",
            "d0176fde20ad4c28adbd3ce6a739d208",
            "",
        ] {
            assert!(bad.parse::<GenerationId>().is_err(), "{bad}");
        }
    }
}
