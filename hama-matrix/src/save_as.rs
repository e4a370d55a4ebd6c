//! The name that a result is saved under, and what happens where that exists.

/// A name for a result. A plain name must not exist; see [`replace`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SaveAs {
    pub(crate) name: String,
    pub(crate) replace: bool,
}

/// A name that takes the place of what has it now, if anything has. What it replaces stays as it is until
/// the new one is whole.
pub fn replace(name: impl Into<String>) -> SaveAs {
    SaveAs { name: name.into(), replace: true }
}

impl SaveAs {
    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl From<&str> for SaveAs {
    fn from(name: &str) -> SaveAs {
        SaveAs { name: name.into(), replace: false }
    }
}

impl From<String> for SaveAs {
    fn from(name: String) -> SaveAs {
        SaveAs { name, replace: false }
    }
}
