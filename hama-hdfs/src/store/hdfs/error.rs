//! What HDFS says when it refuses, as errors of ours: what, where, why in one line, and what to try.

use std::fmt;
use std::io;
use std::time::Duration;

use hama_core::{Error, ErrorKind};
use hdfs_native::HdfsError;

use super::config::Configuration;

/// The longest line of a server that is shown.
const LINE_LEN_MAX: usize = 300;

/// What to try where blocks are damaged or gone.
pub(super) const FSCK: &str = "`hdfs fsck PATH -files -blocks -locations` tells more";
/// How the client begins to say that no DataNode gave a block.
const ALL_FAILED: &str = "All DataNodes failed";

/// How a call fails.
#[derive(Debug)]
pub(super) enum Failed {
    /// The client or the server said why.
    Said(HdfsError),
    /// The NameNode did not answer in time.
    TimedOut,
    /// The DataNodes took or gave nothing for so long.
    Stalled(Duration),
    /// The way to the DataNodes broke.
    Broken(io::Error),
    /// The client has a defect.
    Panicked,
    /// There is nothing to run it on.
    NoThreads(String),
}

impl Failed {
    /// The same of a step that talks to DataNodes, which were silent for so long.
    pub(super) fn of_data(self, stall: Duration) -> Failed {
        match self {
            Failed::TimedOut => Failed::Stalled(stall),
            Failed::Said(HdfsError::IOError(error)) => Failed::Broken(error),
            other => other,
        }
    }
}

/// The name of the Java class of a server's error, without its package, and the first line of what it says.
fn said(error: &HdfsError) -> Option<(&str, String)> {
    let (HdfsError::RPCError(class, text) | HdfsError::FatalRPCError(class, text)) = error else {
        return None;
    };
    Some((class.rsplit(['.', '$']).next().unwrap_or(class), first_line(text)))
}

/// The first line of a text, bounded, without the class that some begin with.
pub(super) fn first_line(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default().trim();
    let line = match line.split_once(": ") {
        Some((class, rest)) if class.starts_with("org.apache.") || class.starts_with("java.") => rest,
        _ => line,
    };
    line.chars().take(LINE_LEN_MAX).filter(|letter| !letter.is_control()).collect()
}

fn is_class(error: &HdfsError, classes: &[&str]) -> bool {
    said(error).is_some_and(|(class, _)| classes.contains(&class))
}

/// Whether a server said it.
pub(super) fn is_of_server(error: &HdfsError) -> bool {
    said(error).is_some()
}

/// Whether the NameNode is about to serve: it starts, or another one takes over.
pub(super) fn is_starting(error: &HdfsError) -> bool {
    is_class(error, &["RetriableException", "StandbyException", "ServerNotLeaderException"])
}

/// Whether the NameNode takes no changes.
pub(super) fn is_safe_mode(error: &HdfsError) -> bool {
    is_class(error, &["SafeModeException"])
}

/// What an error of ours has as its source where the NameNode took no change since it is in safe mode.
#[derive(Debug)]
pub(super) struct SafeMode;

impl fmt::Display for SafeMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("safe mode")
    }
}

impl std::error::Error for SafeMode {}

/// Whether the NameNode says that nobody has the file open to be written.
pub(super) fn is_not_open(error: &HdfsError) -> bool {
    is_class(error, &["LeaseExpiredException"])
}

/// Whether nobody listened, so that nothing was asked.
pub(super) fn is_refused(error: &HdfsError) -> bool {
    matches!(error, HdfsError::IOError(e) if e.kind() == io::ErrorKind::ConnectionRefused)
}

/// Whether a file that could not be written so may be written a moment later.
pub(super) fn may_pass(failed: &Failed) -> bool {
    let Failed::Said(error) = failed else { return true };
    let (kind, _) = reason(error);
    // Which blocks go where changes by the second: a dead DataNode is noticed, another one has room.
    kind == ErrorKind::Unavailable || has_no_place(error)
}

fn has_no_place(error: &HdfsError) -> bool {
    said(error).is_some_and(|(_, line)| line.contains("could only be written to"))
}

/// Whether none of the DataNodes that are said to hold a block gave its bytes.
pub(super) fn is_refused_by_all(failed: &Failed) -> bool {
    matches!(failed, Failed::Said(HdfsError::DataTransferError(text)) if text.starts_with(ALL_FAILED))
}

/// The kind of an error, and why in words.
pub(super) fn reason(error: &HdfsError) -> (ErrorKind, String) {
    use ErrorKind::{Data, Exists, Internal, Invalid, NotFound, OutOfSpace, Unavailable};
    if let Some((class, line)) = said(error) {
        return match class {
            "FileNotFoundException" if line.contains("not a file") => (Invalid, "it is a directory".into()),
            "FileNotFoundException" => (NotFound, "it is not there".into()),
            "FileAlreadyExistsException" | "AlreadyBeingCreatedException" => {
                (Exists, "it is there already".into())
            }
            "ParentNotDirectoryException" => (Invalid, "a part of its path is a file".into()),
            "PathIsNotEmptyDirectoryException" => (Invalid, "it is not empty".into()),
            "AccessControlException" | "AuthorizationException" => {
                (Invalid, format!("{line}; hdfs://USER@HOST/.. or HADOOP_USER_NAME says who you are"))
            }
            "NSQuotaExceededException" => (OutOfSpace, format!("too many names for the quota: {line}")),
            "DSQuotaExceededException" | "QuotaByStorageTypeExceededException" | "QuotaExceededException" => {
                (OutOfSpace, format!("too many bytes for the quota: {line}"))
            }
            "SafeModeException" => (
                Unavailable,
                format!(
                    "the NameNode is in safe mode and takes no changes: {line}; `hdfs dfsadmin -safemode get` tells when it has left"
                ),
            ),
            "InvalidPathException" => (Invalid, format!("HDFS takes no such path: {line}")),
            "PathComponentTooLongException" => (Invalid, format!("a name in its path is too long: {line}")),
            "MaxDirectoryItemsExceededException" => (OutOfSpace, format!("its directory is full: {line}")),
            "StandbyException" => (Unavailable, "none of the NameNodes is the active one".into()),
            _ if line.contains("is less than configured minimum value") => (
                Invalid,
                format!(
                    "{line}; hdfs-site.xml in HADOOP_CONF_DIR says dfs.namenode.fs-limits.min-block-size"
                ),
            ),
            _ if line.contains("0 datanode(s) running") => {
                (Unavailable, format!("no DataNode is there: {line}"))
            }
            _ if line.contains("could only be written to") => {
                (OutOfSpace, format!("no DataNode takes the block, since all are full or too few: {line}"))
            }
            _ => (Unavailable, format!("the NameNode says {class}: {line}")),
        };
    }
    match error {
        HdfsError::FileNotFound(_) => (NotFound, "it is not there".into()),
        HdfsError::AlreadyExists(_) => (Exists, "it is there already".into()),
        HdfsError::IsADirectoryError(_) => (Invalid, "it is a directory".into()),
        HdfsError::InvalidPath(text) | HdfsError::InvalidArgument(text) => (Invalid, first_line(text)),
        HdfsError::UrlParseError(e) => (Invalid, e.to_string()),
        HdfsError::XmlParseError(e) => (Invalid, format!("the configuration of Hadoop cannot be read: {e}")),
        HdfsError::ChecksumError => (Data, "its bytes do not have HDFS's checksum".into()),
        HdfsError::DataTransferError(text) if text.starts_with(ALL_FAILED) => (Unavailable, unread(text)),
        HdfsError::BlocksNotFound(_) => (Unavailable, "HDFS knows none of its blocks".into()),
        HdfsError::IOError(e) if e.kind() == io::ErrorKind::ConnectionRefused => {
            (Unavailable, "nobody listens there".into())
        }
        HdfsError::IOError(e) => (Unavailable, e.to_string()),
        HdfsError::UnsupportedFeature(text) | HdfsError::UnsupportedErasureCodingPolicy(text) => {
            (Invalid, first_line(text))
        }
        HdfsError::InternalError(text) => (Internal, first_line(text)),
        HdfsError::SASLError(_) | HdfsError::GSSAPIError(..) | HdfsError::NoSASLMechanism => {
            (Invalid, format!("the server wants another authentication than this client has: {error}"))
        }
        other => (Unavailable, first_line(&other.to_string())),
    }
}

/// Why a block could not be read, with the hosts that were tried.
fn unread(text: &str) -> String {
    let mut hosts: Vec<&str> =
        text.split("host_name: \"").skip(1).filter_map(|rest| rest.split('"').next()).take(16).collect();
    hosts.dedup();
    if hosts.is_empty() {
        return format!("no DataNode that is alive holds it: {FSCK}");
    }
    format!("no DataNode gave sound bytes of it, tried on {}: {FSCK}", hosts.join(", "))
}

/// The error of what failed for good while `doing` something. `listens` says what was found where the NameNode should be,
/// `again` that the call may be repeated, so that nobody has to know whether it was done.
pub(super) fn error(
    doing: &str,
    failed: Failed,
    configuration: &Configuration,
    listens: &str,
    again: bool,
) -> Error {
    let address = configuration.shown_address();
    let seconds = configuration.timeout.as_secs_f64();
    let ambiguous = if again { "" } else { "; nobody can say whether it was done" };
    match failed {
        Failed::TimedOut => Error::new(
            ErrorKind::Unavailable,
            format!("{doing}: no answer of {address} within {seconds} s (--timeout){listens}{ambiguous}"),
        ),
        Failed::Stalled(stall) => Error::new(
            ErrorKind::Unavailable,
            format!(
                "{doing}: no byte went between here and its DataNodes for {} s, {seconds} s in all (--timeout)",
                stall.as_secs_f64()
            ),
        ),
        Failed::Broken(why) => Error::new(
            ErrorKind::Unavailable,
            format!("{doing}: cannot talk to the DataNodes that {address} names, or not to it: {why}"),
        ),
        Failed::Panicked => Error::new(
            ErrorKind::Unavailable,
            format!("{doing}: the client of HDFS failed, which is a defect of it{ambiguous}"),
        ),
        Failed::NoThreads(why) => Error::new(ErrorKind::Unavailable, format!("{doing}: {why}")),
        Failed::Said(error @ HdfsError::IOError(_)) => {
            let (kind, why) = reason(&error);
            let ambiguous = if is_refused(&error) { "" } else { ambiguous };
            Error::new(
                kind,
                format!("{doing}: cannot talk to the NameNode at {address}: {why}{listens}{ambiguous}"),
            )
        }
        Failed::Said(error) => {
            let (kind, why) = reason(&error);
            let of_ours = Error::new(kind, format!("{doing}: {why}"));
            if is_safe_mode(&error) { of_ours.with_source(SafeMode) } else { of_ours }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::hdfs::config::tests::configuration;

    fn rpc(class: &str, text: &str) -> HdfsError {
        HdfsError::RPCError(class.into(), text.into())
    }

    #[test]
    fn java_classes_become_kinds_and_one_line() {
        for (class, text, kind, said) in [
            (
                "java.io.FileNotFoundException",
                "File does not exist: /x\n\tat a.b",
                ErrorKind::NotFound,
                "not there",
            ),
            ("org.apache.hadoop.fs.FileAlreadyExistsException", "/x", ErrorKind::Exists, "already"),
            (
                "org.apache.hadoop.security.AccessControlException",
                "Permission denied: user=u\n\tat",
                ErrorKind::Invalid,
                "user=u;",
            ),
            (
                "org.apache.hadoop.hdfs.protocol.NSQuotaExceededException",
                "The NameSpace quota",
                ErrorKind::OutOfSpace,
                "names",
            ),
            (
                "org.apache.hadoop.hdfs.protocol.DSQuotaExceededException",
                "The DiskSpace quota",
                ErrorKind::OutOfSpace,
                "bytes",
            ),
            (
                "org.apache.hadoop.hdfs.server.namenode.SafeModeException",
                "Cannot create",
                ErrorKind::Unavailable,
                "safe mode",
            ),
            (
                "org.apache.hadoop.hdfs.protocol.FSLimitException$PathComponentTooLongException",
                "The maximum",
                ErrorKind::Invalid,
                "too long",
            ),
            (
                "java.io.IOException",
                "File /x could only be written to 0 of the 1 minReplication nodes.",
                ErrorKind::OutOfSpace,
                "full",
            ),
            (
                "java.io.IOException",
                "File /x could only be written to 0 of the 1: There are 0 datanode(s) running",
                ErrorKind::Unavailable,
                "no DataNode is there",
            ),
            (
                "java.io.FileNotFoundException",
                "Path is not a file: /x\n\tat",
                ErrorKind::Invalid,
                "a directory",
            ),
            (
                "java.io.IOException",
                "Specified block size is less than configured minimum value (dfs.namenode.fs-limits.min-block-size): 1 < 2",
                ErrorKind::Invalid,
                "1 < 2",
            ),
            ("what.Ever", "java.io.IOException: odd\nstack", ErrorKind::Unavailable, "Ever: odd"),
        ] {
            let (is, why) = reason(&rpc(class, text));
            assert_eq!(is, kind, "{class}");
            assert!(why.contains(said) && !why.contains('\n'), "{class}: {why}");
        }
    }

    #[test]
    fn trouble_of_datanodes_is_not_said_of_the_namenode() {
        let configuration = configuration("hdfs://nn:1/x", &[]);
        let stall = Duration::from_secs(5);
        let refused = || HdfsError::IOError(io::ErrorKind::ConnectionRefused.into());
        let said = |failed: Failed| error("cannot write x", failed, &configuration, "", true).to_string();
        for (failed, part) in [
            (Failed::TimedOut, "DataNodes for 5 s"),
            (Failed::Said(refused()), "cannot talk to the DataNodes"),
        ] {
            let said = said(failed.of_data(stall));
            assert!(said.contains(part) && !said.contains("no answer of"), "{said}");
        }
        assert!(said(Failed::Said(refused())).contains("talk to the NameNode at nn:1"));
        let full = rpc("java.io.IOException", "File /x could only be written to 0 nodes");
        assert!(said(Failed::Said(full).of_data(stall)).contains("no DataNode takes"));
    }

    #[test]
    fn hostile_texts_stay_one_bounded_line() {
        let long = "x".repeat(1 << 20);
        assert!(first_line(&long).len() <= LINE_LEN_MAX);
        assert_eq!(first_line(""), "");
        assert_eq!(first_line("a\u{1b}[31mb\nc"), "a[31mb");
    }

    #[test]
    fn a_block_that_nobody_gives_names_the_hosts() {
        let text = "All DataNodes failed: [DatanodeInfoProto { id: DatanodeIdProto { host_name: \"dn1\", x: 1 } }, \
                    DatanodeInfoProto { id: DatanodeIdProto { host_name: \"dn2\" } }]";
        let (_, why) = reason(&HdfsError::DataTransferError(text.into()));
        assert!(why.contains("tried on dn1, dn2"), "{why}");
        let (_, why) = reason(&HdfsError::DataTransferError("All DataNodes failed: []".into()));
        assert!(why.contains("no DataNode that is alive"), "{why}");
    }
}
