//! What `.zarray` says of an array of version 2.

use hama_core::{Error, Result};
use hama_hdfs::Extent;
use serde_json::Value;

use super::codecs::{Step, Steps};
use super::metadata::{Coding, Keys, Metadata, fill, separator, unsupported};
use crate::files::numbers::Numbers;
use crate::npy::header;

/// The metadata in the bytes of a `.zarray`.
///
/// # Errors
/// Those of [`parse`](super::metadata::parse).
pub(crate) fn parse(bytes: &[u8]) -> Result<Metadata> {
    let json: Value =
        serde_json::from_slice(bytes).map_err(|e| Error::data(format!("it is no JSON: {e}")))?;
    if json["zarr_format"] != 2 {
        return Err(Error::data(format!("it says version {} of Zarr and should say 2", json["zarr_format"])));
    }
    if json["filters"].as_array().is_some_and(|filters| !filters.is_empty()) {
        return Err(unsupported(format!("it has filters, {}, which are not read", json["filters"])));
    }
    let encoding = header::encoding(json["dtype"].as_str().unwrap_or_default()).map_err(unsupported)?;
    let mut steps = Steps::default();
    match &json["compressor"] {
        Value::Null => {}
        compressor => {
            steps.push(match compressor["id"].as_str().unwrap_or_default() {
                "zstd" => Step::Zstd,
                "gzip" => Step::Gzip,
                "zlib" => Step::Zlib,
                other => {
                    return Err(unsupported(format!(
                        "it is compressed by {other:?}, and zstd, gzip and zlib are read: write it again with one of them"
                    )));
                }
            });
        }
    }
    let separator = separator(json["dimension_separator"].as_str().unwrap_or("."))?;
    let integers = matches!(encoding.numbers, Numbers::Signed(_) | Numbers::Unsigned(_));
    let metadata = Metadata {
        shape: extent(&json["shape"])?,
        chunk: extent(&json["chunks"])?,
        keys: Keys { prefix: false, separator },
        fill: fill(&json["fill_value"], if integers { "int64" } else { "" })?,
        coding: Coding { encoding, transposed: json["order"] == "F", steps },
        sharding: None,
    };
    metadata.check()?;
    Ok(metadata)
}

fn extent(json: &Value) -> Result<Extent> {
    serde_json::from_value::<Vec<u64>>(json.clone())
        .map_err(|_| Error::data("its shape or its chunks are not of numbers"))
        .and_then(|list| match list[..] {
            [rows, cols] => Ok(Extent { rows, cols }),
            _ => Err(unsupported(format!("it has {} dimensions, and a matrix has 2", list.len()))),
        })
}
