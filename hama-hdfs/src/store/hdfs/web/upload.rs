//! Writes a file over the web server: the NameNode names a DataNode, whose own client then runs the pipeline.

use std::io::{self, Read};
use std::net::ToSocketAddrs;
use std::time::{Duration, Instant};

use hama_core::{Error, ErrorKind, Result};

use super::{Answer, Web, answer, encoded, read};
use crate::path::StorePath;

/// How many DataNodes are tried that cannot be reached.
const NODES_MAX: usize = 4;
/// What a server has at least.
const LEFT_MIN: Duration = Duration::from_millis(100);

/// How a file is written.
#[derive(Clone, Debug)]
pub(in crate::store::hdfs) struct Upload {
    /// Its length.
    pub(in crate::store::hdfs) len: u64,
    /// The size of its blocks.
    pub(in crate::store::hdfs) block_size: u64,
    /// How many DataNodes hold it; `None` leaves that to the NameNode.
    pub(in crate::store::hdfs) replication: Option<u16>,
    /// Its permissions.
    pub(in crate::store::hdfs) mode: u32,
    /// DataNodes that are not to be used: `IP:PORT`, the port for blocks, or `IP`.
    pub(in crate::store::hdfs) excluded: Vec<String>,
    /// Until when the servers have to have answered; the bytes may take longer, as long as some go.
    pub(in crate::store::hdfs) end: Instant,
}

impl Web {
    /// Writes a new file of the bytes that `body` gives, which is read once.
    ///
    /// # Errors
    /// `Exists`; `NotFound` where its directory is not there; `Invalid` and `OutOfSpace` where it is refused; `Unavailable`
    /// where no server answers, or the file may be there in part.
    pub(in crate::store::hdfs) fn create(
        &self,
        path: &StorePath,
        upload: &Upload,
        body: &mut dyn Read,
    ) -> Result<()> {
        let doing = || format!("cannot write {path} over the NameNode's web server");
        let mut body = Counted { body, bytes: 0 };
        let mut excluded = upload.excluded.clone();
        let mut why = String::new();
        for tried in 0..NODES_MAX {
            if tried > 0 && Instant::now() >= upload.end {
                break;
            }
            let url = self.data_node(path, upload, &excluded).map_err(|e| e.said(&doing()))?;
            match self.put(&url, upload, &mut body) {
                Ok(Answer { status: 201, .. }) => return Ok(()),
                Ok(answer) => return Err(Refused::Answer(answer).said(&doing())),
                Err(error) => why = format!("{}: {error}", host_of(&url)),
            }
            // Nothing was taken, so another one may have it.
            if body.bytes > 0 {
                break;
            }
            excluded.extend(address_of(&url));
        }
        Err(Error::new(ErrorKind::Unavailable, format!("{}: {why}", doing())))
    }

    /// The URL of the DataNode that is to take the bytes.
    fn data_node(&self, path: &StorePath, upload: &Upload, excluded: &[String]) -> Result<String, Refused> {
        // The second way to say the permissions keeps the DataNode from taking its own mask off.
        let mode = format!("permission={0:o}&unmaskedpermission={0:o}", upload.mode);
        let mut query = format!(
            "op=CREATE&noredirect=true&overwrite=false&createparent=false&{mode}&blocksize={}",
            upload.block_size
        );
        if let Some(replication) = upload.replication {
            query.push_str(&format!("&replication={replication}"));
        }
        if !excluded.is_empty() {
            query.push_str(&format!("&excludedatanodes={}", encoded(&excluded.join(","), b"")));
        }
        let call = |url: &str| {
            self.agent.put(url).config().timeout_global(Some(self.left(upload))).build().send_empty()
        };
        let answer = self.each(path, &query, call).map_err(Refused::Silence)?;
        let url = match answer.status {
            200 | 201 => answer::redirect(&answer.body),
            307 => answer.location.clone(),
            _ => return Err(Refused::Answer(answer)),
        };
        url.filter(|url| url.starts_with("http://")).map(|url| ascii(&url)).ok_or(Refused::Answer(answer))
    }

    /// How long a server may say nothing.
    fn left(&self, upload: &Upload) -> Duration {
        upload.end.saturating_duration_since(Instant::now()).clamp(LEFT_MIN, self.timeout.max(LEFT_MIN))
    }

    fn put(&self, url: &str, upload: &Upload, body: &mut Counted<'_>) -> Result<Answer, ureq::Error> {
        let stall = Some(self.left(upload));
        let request = self.agent.put(url).config().timeout_per_read(stall).timeout_per_write(stall).build();
        let request = request
            .header("content-type", "application/octet-stream")
            .header("content-length", upload.len.to_string());
        request.send(ureq::SendBody::from_reader(body)).and_then(read)
    }
}

/// Why there is no file.
enum Refused {
    /// No server answered.
    Silence(String),
    /// One answered something else.
    Answer(Answer),
}

impl Refused {
    fn said(self, doing: &str) -> Error {
        let answer = match self {
            Refused::Silence(why) => return Error::new(ErrorKind::Unavailable, format!("{doing}: {why}")),
            Refused::Answer(answer) => answer,
        };
        let Some(refusal) = answer::refusal(&answer.body) else {
            let status = answer.status;
            return Error::new(ErrorKind::Unavailable, format!("{doing}: it answers HTTP {status}"));
        };
        let kind = match refusal.exception.as_str() {
            "FileAlreadyExistsException" => ErrorKind::Exists,
            "FileNotFoundException" => ErrorKind::NotFound,
            "AccessControlException" | "SecurityException" | "InvalidPathException" => ErrorKind::Invalid,
            name if name.contains("QuotaExceeded") => ErrorKind::OutOfSpace,
            _ => ErrorKind::Unavailable,
        };
        let line: String = refusal.message.lines().next().unwrap_or_default().chars().take(200).collect();
        Error::new(
            kind,
            format!("{doing}: {}: {line}", refusal.exception.chars().take(80).collect::<String>()),
        )
    }
}

/// Knows how much of a body was taken.
struct Counted<'a> {
    body: &'a mut dyn Read,
    bytes: u64,
}

impl Read for Counted<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.body.read(into)?;
        self.bytes += read as u64;
        Ok(read)
    }
}

/// A URL as it may be sent: servers leave letters of other alphabets in it as they are.
fn ascii(url: &str) -> String {
    let graphic: Vec<u8> = (b'!'..=b'~').collect();
    encoded(url, &graphic)
}

/// The `HOST:PORT` of a URL.
fn host_of(url: &str) -> &str {
    let rest = url.strip_prefix("http://").unwrap_or(url);
    rest.split(['/', '?']).next().unwrap_or_default()
}

/// The address by which the NameNode knows a DataNode.
fn address_of(url: &str) -> Option<String> {
    host_of(url).to_socket_addrs().ok()?.next().map(|address| address.ip().to_string())
}
