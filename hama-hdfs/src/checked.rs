//! Checksummed JSON: `{"body": ..., "crc32c": "..."}`, the checksum over the exact bytes of the body.
//!
//! Manifests and generation indexes are stored so. Whoever reads one checks the checksum, then the head that tells
//! format and version, and only then the rest, so that a file of a newer version says so and not that a field is odd.

use hama_core::{Error, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// What a kind of document is called, and the version of it that is written here.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Format {
    pub(crate) name: &'static str,
    pub(crate) version: u32,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    body: &'a RawValue,
    crc32c: &'a str,
}

#[derive(Deserialize)]
struct Head {
    format: String,
    version: u32,
}

#[derive(Serialize)]
struct Document<'a, T> {
    format: &'a str,
    version: u32,
    #[serde(flatten)]
    rest: &'a T,
}

/// The bytes of a document.
pub(crate) fn encode<T: Serialize>(format: Format, rest: &T) -> Result<Vec<u8>> {
    let document = Document { format: format.name, version: format.version, rest };
    let body = serde_json::to_string(&document)
        .map_err(|e| Error::internal(format!("cannot write a {} as JSON", format.name)).with_source(e))?;
    let crc32c = crc32c::crc32c(body.as_bytes());
    Ok(format!("{{\"body\":{body},\"crc32c\":\"{crc32c:08x}\"}}\n").into_bytes())
}

/// The document in `bytes`, which lie in the file `shown`.
pub(crate) fn decode<T: DeserializeOwned>(
    format: Format,
    bytes: &[u8],
    shown: &dyn std::fmt::Display,
) -> Result<T> {
    let name = format.name;
    let bad = |e| Error::data(format!("cannot read {shown}: it is no {name}")).with_source(e);
    let envelope: Envelope<'_> = serde_json::from_slice(bytes).map_err(bad)?;
    let body = envelope.body.get();
    let (is, said) = (format!("{:08x}", crc32c::crc32c(body.as_bytes())), envelope.crc32c);
    if is != said {
        return Err(Error::data(format!(
            "cannot read {shown}: it is damaged, its checksum is {is} and should be {said:.16}"
        )));
    }
    let head: Head = serde_json::from_str(body).map_err(bad)?;
    if head.format != name {
        return Err(Error::data(format!("cannot read {shown}: it is a {:.40?}, not a {name}", head.format)));
    }
    if head.version > format.version {
        return Err(Error::data(format!(
            "cannot read {shown}: made by a newer hama, its version is {} and this one reads up to {}",
            head.version, format.version
        )));
    }
    serde_json::from_str(body).map_err(bad)
}

#[cfg(test)]
mod tests {
    use hama_core::ErrorKind;

    use super::*;

    const FORMAT: Format = Format { name: "test-note", version: 2 };

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Note {
        text: String,
    }

    fn sealed(body: &str) -> Vec<u8> {
        let crc32c = crc32c::crc32c(body.as_bytes());
        format!("{{\"body\":{body},\"crc32c\":\"{crc32c:08x}\"}}").into_bytes()
    }

    fn refusal(bytes: &[u8]) -> String {
        let error = decode::<Note>(FORMAT, bytes, &"n.json").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Data);
        error.to_string()
    }

    #[test]
    fn bytes_are_these() {
        let bytes = encode(FORMAT, &Note { text: "a".into() }).unwrap();
        let golden =
            "{\"body\":{\"format\":\"test-note\",\"version\":2,\"text\":\"a\"},\"crc32c\":\"69b989c2\"}\n";
        assert_eq!(String::from_utf8(bytes.clone()).unwrap(), golden);
        assert_eq!(decode::<Note>(FORMAT, &bytes, &"n.json").unwrap().text, "a");
    }

    #[test]
    fn a_flipped_byte_anywhere_is_an_error() {
        let bytes = encode(FORMAT, &Note { text: "abc".into() }).unwrap();
        for at in 0..bytes.len() - 1 {
            for bit in [0x01, 0x20, 0x80] {
                let mut bad = bytes.clone();
                bad[at] ^= bit;
                refusal(&bad);
            }
        }
    }

    #[test]
    fn a_newer_version_says_so_whatever_else_it_holds() {
        let newer = refusal(&sealed(r#"{"format":"test-note","version":3,"other":[1]}"#));
        assert!(
            newer.contains("made by a newer hama, its version is 3 and this one reads up to 2"),
            "{newer}"
        );
        assert!(refusal(&sealed(r#"{"format":"else","version":1,"text":""}"#)).contains("not a test-note"));
    }

    #[test]
    fn what_is_no_document_is_refused() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        for bad in [
            "",
            "{}",
            "null",
            "[]",
            "{\"body\":1}",
            "{\"body\":{},\"crc32c\":\"00000000\"",
            "\u{feff}{}",
            &deep,
        ] {
            refusal(bad.as_bytes());
        }
        refusal(&sealed("1"));
        refusal(&sealed(r#"{"format":"test-note","version":2}"#));
        refusal(&sealed(r#"{"format":"test-note","version":-1,"text":""}"#));
        refusal(&sealed(r#"{"format":"test-note","version":1e99,"text":""}"#));
        refusal(&[0xff, 0xfe]);
    }
}
