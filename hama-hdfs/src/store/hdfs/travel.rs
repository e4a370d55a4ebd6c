//! What of this process's options its jobs' peers need where they are processes of their own: a variable carries it.

use std::time::Duration;

use hama_core::{Error, Result};
use serde::{Deserialize, Serialize};

use super::config::{HdfsOptions, check, hdfs_options};
use super::web::user_name;

/// Only peers have it.
const VARIABLE: &str = "HAMA_PEER_HDFS";
/// In whose name HDFS is asked, as Hadoop calls it.
const USER: &str = "HADOOP_USER_NAME";

/// Options that mean the same on every host. Where bytes wait is each host's own business.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Travelling {
    timeout_ms: u64,
    replication: Option<u16>,
    web: Option<String>,
}

/// Variables that peers of jobs need, where they are processes of their own, to use stores as this process does: whose name
/// it asks HDFS in, and the options that it was told.
pub fn peer_environment() -> Vec<(String, String)> {
    let mut variables = Vec::new();
    // Nothing in it refuses to be text.
    if let Ok(text) = serde_json::to_string(&Travelling::of(hdfs_options())) {
        variables.push((VARIABLE.to_owned(), text));
    }
    variables.extend(user_name().map(|name| (USER.to_owned(), name)));
    variables
}

/// The options that hold at first: those of the client where this process is a peer.
pub(super) fn first_options() -> HdfsOptions {
    let Ok(text) = std::env::var(VARIABLE) else { return HdfsOptions::DEFAULT };
    read(&text).unwrap_or_else(|error| {
        tracing::warn!(%error, "the options for HDFS are those that hold where nothing is said");
        HdfsOptions::DEFAULT
    })
}

fn read(text: &str) -> Result<HdfsOptions> {
    let options = serde_json::from_str::<Travelling>(text).map_err(|e| {
        Error::invalid(format!("cannot read {VARIABLE} as the options of a client")).with_source(e)
    })?;
    let options = HdfsOptions::from(options);
    check(&options)?;
    Ok(options)
}

impl Travelling {
    fn of(options: HdfsOptions) -> Travelling {
        let timeout_ms = u64::try_from(options.timeout.as_millis()).unwrap_or(u64::MAX);
        Travelling { timeout_ms, replication: options.replication, web: options.web }
    }
}

impl From<Travelling> for HdfsOptions {
    fn from(travelling: Travelling) -> HdfsOptions {
        let Travelling { timeout_ms, replication, web } = travelling;
        HdfsOptions { timeout: Duration::from_millis(timeout_ms), replication, web, spill_dir: None }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use hama_core::ErrorKind;

    use super::*;

    #[test]
    fn a_peer_has_the_options_of_its_client() {
        let options = HdfsOptions {
            timeout: Duration::from_millis(2500),
            replication: Some(2),
            web: Some("nn:9870".into()),
            spill_dir: Some(PathBuf::from("/fast")),
        };
        let text = serde_json::to_string(&Travelling::of(options.clone())).unwrap();
        assert_eq!(text, r#"{"timeout_ms":2500,"replication":2,"web":"nn:9870"}"#);
        assert_eq!(read(&text).unwrap(), HdfsOptions { spill_dir: None, ..options });
        let text = serde_json::to_string(&Travelling::of(HdfsOptions::DEFAULT)).unwrap();
        assert_eq!(read(&text).unwrap(), HdfsOptions::DEFAULT);
    }

    #[test]
    fn what_no_client_says_is_refused() {
        for text in [
            "",
            "{}",
            "null",
            r#"{"timeout_ms":0,"replication":null,"web":null}"#,
            r#"{"timeout_ms":18446744073709551615,"replication":null,"web":null}"#,
            r#"{"timeout_ms":1000,"replication":0,"web":null}"#,
            r#"{"timeout_ms":1000,"replication":70000,"web":null}"#,
            r#"{"timeout_ms":1000,"replication":1,"web":null,"more":1}"#,
        ] {
            assert_eq!(read(text).unwrap_err().kind(), ErrorKind::Invalid, "{text}");
        }
    }

    #[test]
    fn its_variables_say_who_asks() {
        let variables = peer_environment();
        let names: Vec<&str> = variables.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, [VARIABLE, USER]);
        assert!(read(&variables[0].1).is_ok() && !variables[1].1.is_empty());
    }
}
