//! The generations that a manifest names, wherever it names them.

use std::collections::BTreeSet;

use serde_json::Value;

/// Every generation that a manifest names, placed copies among them.
pub(crate) fn generations_in(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match member {
                    Value::String(id) if name == "generation" => drop(into.insert(id.clone())),
                    other if name != "attributes" => generations_in(other, into),
                    _ => {}
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| generations_in(item, into)),
        _ => {}
    }
}
