//! The metadata by which other programs open a generation: Zarr v3, a group with the array `values`.

use hama_core::{Error, Result};
use serde_json::{Value, json};

use crate::labels::{Dimension, Labels};
use crate::spec::TableSpec;

/// The name of a group's or an array's metadata.
pub(crate) const METADATA: &str = "zarr.json";

/// The name of the one chunk of an array of labels.
pub(crate) const LABELS_CHUNK: &str = "c.0";

/// The name of the array with the table's elements in its group.
pub(crate) const VALUES: &str = "values";

/// The group's metadata.
pub(crate) fn group() -> Result<Vec<u8>> {
    bytes(&json!({ "zarr_format": 3, "node_type": "group", "attributes": {} }))
}

/// The metadata of the array with the table's elements. A shard is a chunk of it, a tile an inner chunk.
///
/// Only what never changes stands here: blocking may be changed over the same generation.
pub(crate) fn values(spec: &TableSpec) -> Result<Vec<u8>> {
    let chunk = [spec.shard.rows * spec.tile.rows, spec.shard.cols * spec.tile.cols];
    let sharding = json!({
        "name": "sharding_indexed",
        "configuration": {
            "chunk_shape": spec.tile,
            "codecs": [{ "name": "bytes", "configuration": { "endian": "little" } }, { "name": "crc32c" }],
            "index_codecs": [{ "name": "bytes", "configuration": { "endian": "little" } }, { "name": "crc32c" }],
            "index_location": "end",
        },
    });
    bytes(&json!({
        "zarr_format": 3,
        "node_type": "array",
        "shape": spec.shape,
        "data_type": spec.element.zarr_name(),
        "chunk_grid": { "name": "regular", "configuration": { "chunk_shape": chunk } },
        "chunk_key_encoding": { "name": "default", "configuration": { "separator": "." } },
        "fill_value": "NaN",
        "codecs": [sharding],
        "dimension_names": ["row", "column"],
        "attributes": spec.attributes,
    }))
}

/// The metadata of an array of labels along one dimension, in one chunk.
pub(crate) fn labels(dimension: Dimension, labels: &Labels) -> Result<Vec<u8>> {
    let little_endian = json!({ "name": "bytes", "configuration": { "endian": "little" } });
    let (data_type, fill_value, codec) = match labels {
        Labels::Text(_) => ("string", json!(""), json!({ "name": "vlen-utf8" })),
        Labels::Integers(_) => ("int64", json!(0), little_endian),
        Labels::Numbers(_) => ("float64", json!("NaN"), little_endian),
    };
    bytes(&json!({
        "zarr_format": 3,
        "node_type": "array",
        "shape": [labels.len()],
        "data_type": data_type,
        "chunk_grid": { "name": "regular", "configuration": { "chunk_shape": [labels.len()] } },
        "chunk_key_encoding": { "name": "default", "configuration": { "separator": "." } },
        "fill_value": fill_value,
        "codecs": [codec, { "name": "crc32c" }],
        "dimension_names": [dimension.name()],
        "attributes": {},
    }))
}

fn bytes(value: &Value) -> Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec_pretty(value)
        .map_err(|e| Error::internal("cannot write Zarr metadata as JSON").with_source(e))?;
    bytes.push(b'\n');
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::element::ElementType;
    use crate::extent::Extent;

    #[test]
    fn metadata_is_this() {
        let mut spec = TableSpec::new(Extent::new(1797, 64), ElementType::F32).unwrap();
        spec.attributes.insert("title".into(), "digits".into());
        let found: Value = serde_json::from_slice(&values(&spec).unwrap()).unwrap();
        let bytes_and_crc =
            json!([{ "name": "bytes", "configuration": { "endian": "little" } }, { "name": "crc32c" }]);
        let golden = json!({
            "zarr_format": 3,
            "node_type": "array",
            "shape": [1797, 64],
            "data_type": "float32",
            "chunk_grid": { "name": "regular", "configuration": { "chunk_shape": [1808, 64] } },
            "chunk_key_encoding": { "name": "default", "configuration": { "separator": "." } },
            "fill_value": "NaN",
            "codecs": [{ "name": "sharding_indexed", "configuration": {
                "chunk_shape": [904, 64], "codecs": bytes_and_crc, "index_codecs": bytes_and_crc,
                "index_location": "end" } }],
            "dimension_names": ["row", "column"],
            "attributes": { "title": "digits" },
        });
        assert_eq!(found, golden);
        let group: Value = serde_json::from_slice(&group().unwrap()).unwrap();
        assert_eq!(group, json!({ "zarr_format": 3, "node_type": "group", "attributes": {} }));
    }
}
