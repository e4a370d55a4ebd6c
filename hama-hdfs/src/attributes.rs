//! How a table's attributes travel: as they are in JSON, as the text of that JSON in formats without types.

use std::collections::BTreeMap;

use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// What a table's user wants to know of it: JSON values by name, at most 64 KiB.
pub type Attributes = BTreeMap<String, Value>;

pub(crate) fn serialize<S: Serializer>(attributes: &Attributes, serializer: S) -> Result<S::Ok, S::Error> {
    if serializer.is_human_readable() {
        return attributes.serialize(serializer);
    }
    serde_json::to_string(attributes).map_err(S::Error::custom)?.serialize(serializer)
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Attributes, D::Error> {
    if deserializer.is_human_readable() {
        return Attributes::deserialize(deserializer);
    }
    serde_json::from_str(&String::deserialize(deserializer)?).map_err(D::Error::custom)
}
