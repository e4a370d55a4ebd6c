//! What `zarr.json` says of an array: shape, chunks, numbers, and how a chunk is packed.

use hama_core::{Error, Result};
use hama_hdfs::Extent;
use serde_json::Value;

use super::codecs::{Step, Steps};
use crate::files::numbers::{Encoding, Numbers};

/// An array as its metadata describes it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Metadata {
    pub(crate) shape: Extent,
    /// The extent of a chunk, which is a file.
    pub(crate) chunk: Extent,
    pub(crate) keys: Keys,
    pub(crate) fill: f64,
    pub(crate) coding: Coding,
    /// Where a chunk is a shard: how it is cut into inner chunks, to which `coding` applies then.
    pub(crate) sharding: Option<Sharding>,
}

/// How the numbers of a chunk become bytes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Coding {
    pub(crate) encoding: Encoding,
    /// Whether a column lies in one piece, instead of a row.
    pub(crate) transposed: bool,
    pub(crate) steps: Steps,
}

/// How a shard is cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sharding {
    /// The extent of an inner chunk.
    pub(crate) chunk: Extent,
    pub(crate) index_at_start: bool,
    pub(crate) index_checksums: usize,
}

/// How the files of chunks are named: `c/0/1`, `c.0.1`, `0/1` or `0.1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Keys {
    pub(crate) prefix: bool,
    pub(crate) separator: char,
}

impl Keys {
    /// The name of a chunk's file, from the array's directory on.
    pub(crate) fn key(self, row: u64, col: u64) -> String {
        let separator = self.separator;
        if self.prefix {
            format!("c{separator}{row}{separator}{col}")
        } else {
            format!("{row}{separator}{col}")
        }
    }
}

/// Why an array is not read: what is in it.
pub(super) fn unsupported(what: impl std::fmt::Display) -> Error {
    Error::invalid(what.to_string())
}

/// The metadata in the bytes of a `zarr.json`.
///
/// # Errors
/// `Data` where it is none, `Invalid` where it is of a kind that is not read; the message says which.
pub(crate) fn parse(bytes: &[u8]) -> Result<Metadata> {
    let json: Value =
        serde_json::from_slice(bytes).map_err(|e| Error::data(format!("it is no JSON: {e}")))?;
    match &json["zarr_format"] {
        Value::Number(version) if version.as_u64() == Some(3) => {}
        other => return Err(Error::data(format!("it says version {other} of Zarr and should say 3"))),
    }
    if json["node_type"] != "array" {
        return Err(unsupported("it is a group: name one of its arrays, such as FOLDER/values"));
    }
    let shape = extent(&json["shape"], "shape")?;
    let chunk = extent(&json["chunk_grid"]["configuration"]["chunk_shape"], "chunk_shape")?;
    if json["chunk_grid"]["name"] != "regular" {
        return Err(unsupported(format!(
            "its chunk grid is {}, and regular ones are read",
            json["chunk_grid"]["name"]
        )));
    }
    if json["storage_transformers"].as_array().is_some_and(|list| !list.is_empty()) {
        return Err(unsupported("it has storage transformers, which are not read"));
    }
    let (numbers, name) = numbers(&json["data_type"])?;
    let (coding, sharding) = chain(&json["codecs"], numbers, Some(chunk))?;
    let fill = fill(&json["fill_value"], name)?;
    let metadata =
        Metadata { shape, chunk, keys: keys(&json["chunk_key_encoding"])?, fill, coding, sharding };
    metadata.check()?;
    Ok(metadata)
}

/// Whether the bytes of a `zarr.json` are those of an array.
pub(crate) fn is_array(bytes: &[u8]) -> bool {
    serde_json::from_slice::<Value>(bytes).is_ok_and(|json| json["node_type"] == "array")
}

impl Metadata {
    /// Fails where extents cannot be.
    pub(super) fn check(&self) -> Result<()> {
        let Extent { rows, cols } = self.chunk;
        if self.chunk.is_empty() || self.inner().is_empty() {
            return Err(Error::data("its chunks have no elements"));
        }
        if self.chunk_bytes().is_none() {
            return Err(Error::data(format!("its chunks of {rows} x {cols} elements are too large")));
        }
        if self.sharding.is_none() {
            return Ok(());
        }
        let inner = self.inner();
        if rows % inner.rows != 0 || cols % inner.cols != 0 {
            return Err(Error::data(format!(
                "its shards of {rows} x {cols} are no multiple of chunks of {inner}"
            )));
        }
        if self.chunk.div_ceil(inner).count().is_none_or(|count| count > super::shard::CHUNKS_MAX) {
            return Err(unsupported(format!(
                "its shards of {rows} x {cols} have more than {} chunks",
                super::shard::CHUNKS_MAX
            )));
        }
        Ok(())
    }

    /// The extent of what is packed by itself.
    pub(crate) fn inner(&self) -> Extent {
        self.sharding.as_ref().map_or(self.chunk, |sharding| sharding.chunk)
    }

    /// The bytes of its numbers.
    pub(crate) fn chunk_bytes(&self) -> Option<usize> {
        let bytes = self.inner().count()?.checked_mul(self.coding.encoding.size_bytes() as u64)?;
        usize::try_from(bytes).ok().filter(|bytes| *bytes < 1 << 40)
    }
}

fn extent(json: &Value, what: &str) -> Result<Extent> {
    let list = json.as_array().ok_or_else(|| Error::data(format!("it has no {what}")))?;
    let numbers: Option<Vec<u64>> = list.iter().map(Value::as_u64).collect();
    match numbers.as_deref() {
        Some([rows, cols]) => Ok(Extent { rows: *rows, cols: *cols }),
        Some(other) => Err(unsupported(format!("it has {} dimensions, and a matrix has 2", other.len()))),
        None => Err(Error::data(format!("its {what} is not of numbers"))),
    }
}

fn numbers(json: &Value) -> Result<(Numbers, &str)> {
    let numbers = match json.as_str().unwrap_or_default() {
        "float64" => Numbers::F64,
        "float32" => Numbers::F32,
        "int8" => Numbers::Signed(1),
        "int16" => Numbers::Signed(2),
        "int32" => Numbers::Signed(4),
        "int64" => Numbers::Signed(8),
        "uint8" => Numbers::Unsigned(1),
        "uint16" => Numbers::Unsigned(2),
        "uint32" => Numbers::Unsigned(4),
        "uint64" => Numbers::Unsigned(8),
        "bool" => Numbers::Bool,
        _ => {
            return Err(unsupported(format!(
                "its elements are {json}, and float64, float32, integers and bool are read"
            )));
        }
    };
    Ok((numbers, json.as_str().unwrap_or_default()))
}

fn keys(json: &Value) -> Result<Keys> {
    let (prefix, separator) = match json["name"].as_str() {
        Some("default") => (true, "/"),
        Some("v2") => (false, "."),
        _ => {
            return Err(unsupported(format!(
                "its chunks are named by {}, and default and v2 are known",
                json["name"]
            )));
        }
    };
    let separator = match &json["configuration"]["separator"] {
        Value::Null => separator,
        other => other.as_str().unwrap_or_default(),
    };
    self::separator(separator).map(|separator| Keys { prefix, separator })
}

/// One of the two characters that separate the parts of a key.
pub(super) fn separator(text: &str) -> Result<char> {
    match text {
        "/" => Ok('/'),
        "." => Ok('.'),
        other => Err(Error::data(format!("its keys are separated by {other:?} and should be by / or ."))),
    }
}

/// The fill value: a number, a word of JSON's lacking ones, or the bits in hexadecimal.
pub(super) fn fill(json: &Value, type_name: &str) -> Result<f64> {
    let wrong = || Error::data(format!("its fill value {json} is no number"));
    match json {
        Value::Null => Ok(f64::NAN),
        Value::Bool(value) => Ok(f64::from(u8::from(*value))),
        Value::Number(number) => {
            let value = number.as_f64().ok_or_else(wrong)?;
            let integer = number.as_i64().map(i128::from).or(number.as_u64().map(i128::from));
            match integer.filter(|integer| type_name.contains("int") && value as i128 != *integer) {
                Some(integer) => {
                    Err(Error::data(format!("its fill value is {integer}, which f64 cannot hold exactly")))
                }
                None => Ok(value),
            }
        }
        Value::String(text) => match text.as_str() {
            "NaN" => Ok(f64::NAN),
            "Infinity" => Ok(f64::INFINITY),
            "-Infinity" => Ok(f64::NEG_INFINITY),
            text => {
                let bits = text
                    .strip_prefix("0x")
                    .and_then(|hex| u64::from_str_radix(hex, 16).ok())
                    .ok_or_else(wrong)?;
                match (type_name, u32::try_from(bits)) {
                    ("float64", _) => Ok(f64::from_bits(bits)),
                    ("float32", Ok(bits)) => Ok(f32::from_bits(bits).into()),
                    _ => Err(wrong()),
                }
            }
        },
        _ => Err(wrong()),
    }
}

/// What a list of codecs says: how numbers become bytes, and whether they do so in shards.
fn chain(json: &Value, numbers: Numbers, shard: Option<Extent>) -> Result<(Coding, Option<Sharding>)> {
    let list = json.as_array().ok_or_else(|| Error::data("it has no list of codecs"))?;
    let mut transposed = false;
    let mut steps = Steps::default();
    let mut big_endian = None;
    for (index, codec) in list.iter().enumerate() {
        let options = &codec["configuration"];
        // A codec without options may stand as its name alone.
        let name = codec["name"].as_str().or(codec.as_str()).unwrap_or_default();
        let step = match name {
            "sharding_indexed" if shard.is_some() && index == 0 && list.len() == 1 => {
                return sharded(options, numbers);
            }
            "transpose" if big_endian.is_none() => {
                transposed ^= turns(&options["order"])?;
                continue;
            }
            "bytes" if big_endian.is_none() => {
                big_endian = Some(options["endian"] == "big");
                continue;
            }
            "crc32c" => Step::Crc32c,
            "gzip" => Step::Gzip,
            "zlib" | "numcodecs.zlib" => Step::Zlib,
            "zstd" => Step::Zstd,
            other => {
                return Err(unsupported(format!(
                    "it uses the codec {other:?} there, and bytes, crc32c, gzip, zstd, transpose and sharding_indexed by itself are read: \
                     write it again with one of them, such as zarr.save"
                )));
            }
        };
        if big_endian.is_none() || !steps.push(step) {
            return Err(unsupported(format!("its codec {name:?} comes where it is not read")));
        }
    }
    let big_endian = big_endian.ok_or_else(|| Error::data("its codecs lack bytes"))?;
    Ok((Coding { encoding: Encoding { numbers, big_endian }, transposed, steps }, None))
}

fn sharded(options: &Value, numbers: Numbers) -> Result<(Coding, Option<Sharding>)> {
    let (coding, _) = chain(&options["codecs"], numbers, None)?;
    let (index, _) = chain(&options["index_codecs"], Numbers::Unsigned(8), None)?;
    let index_checksums = index.steps.packed_bytes(0);
    let plain =
        !index.encoding.big_endian && !index.transposed && index_checksums.start() == index_checksums.end();
    if !plain {
        return Err(unsupported(
            "the index of its shards is packed otherwise than as little-endian bytes with crc32c",
        ));
    }
    let index_at_start = match &options["index_location"] {
        Value::Null => false,
        place if place == "end" => false,
        place if place == "start" => true,
        other => return Err(Error::data(format!("the index of its shards is at {other}"))),
    };
    let chunk = extent(&options["chunk_shape"], "chunk_shape of shards")?;
    Ok((coding, Some(Sharding { chunk, index_at_start, index_checksums: index_checksums.end() / 4 })))
}

/// Whether an order of dimensions exchanges rows and columns.
fn turns(order: &Value) -> Result<bool> {
    if *order == serde_json::json!([0, 1]) || order == "C" {
        Ok(false)
    } else if *order == serde_json::json!([1, 0]) || order == "F" {
        Ok(true)
    } else {
        Err(Error::data(format!("its codec transpose has the order {order}")))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fill_values_of_integers_are_exact() {
        let most = 1u64 << 53;
        assert_eq!(fill(&json!(most), "int64").unwrap(), 9007199254740992.0);
        for wrong in [json!(most + 1), json!(u64::MAX), json!(i64::MIN + 1)] {
            let error = fill(&wrong, "uint64").unwrap_err();
            assert!(error.message().contains("exactly"), "{error}");
        }
        assert!(fill(&json!(most + 1), "float64").is_ok());
    }
}
