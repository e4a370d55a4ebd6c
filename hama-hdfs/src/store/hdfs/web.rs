//! The NameNode's web server: what its RPC does not tell, where blocks lie, and the second way to write a file.
//!
//! Plain HTTP, one request a file. Where blocks lie is a hint: a server that is not there, refuses, or says something odd
//! makes it unknown, and is not asked again for a while.

mod answer;
mod damage;
mod upload;

use std::collections::HashMap;
use std::io::Read;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hama_core::Host;
use ureq::Agent;
use ureq::http::Response;

use super::config::Configuration;
use crate::path::StorePath;
use crate::store::BlockHosts;
use crate::store::located::Located;

pub(super) use upload::Upload;

/// The port of a NameNode's web server where nothing else is said.
const PORT: u16 = 9870;
/// The longest answer that is read: some thousand blocks.
const ANSWER_BYTES_MAX: u64 = 4 << 20;
/// How long a server that did not answer is left alone.
const SILENCE: Duration = Duration::from_secs(30);
/// How long a connection may take, and a hint.
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// How long a hint may take.
const HINT_MAX: Duration = Duration::from_secs(2);
/// How many ask at once at most, on connections that are kept.
const CONNECTIONS_MAX: usize = 32;

/// The web server of one NameNode, or of those that stand in for each other.
#[derive(Debug)]
pub(super) struct Web {
    agent: Agent,
    timeout: Duration,
    /// Each as `HOST:PORT`.
    addresses: Vec<String>,
    /// The one that answered last.
    active: AtomicUsize,
    user: Option<String>,
    /// The directory of the store in HDFS.
    root: String,
    known: Mutex<Known>,
}

/// What was learned, for the life of the store.
#[derive(Debug, Default)]
struct Known {
    blocks: HashMap<StorePath, Vec<BlockHosts>>,
    racks: HashMap<Host, String>,
    silent_until: Option<Instant>,
}

/// An answer, whatever it says.
#[derive(Debug)]
struct Answer {
    status: u16,
    location: Option<String>,
    body: Vec<u8>,
}

/// In whose name HDFS is asked where the URL does not say.
pub(super) fn user_name() -> Option<String> {
    let given = std::env::var("HADOOP_USER_NAME").ok().filter(|name| !name.is_empty());
    given.or_else(|| whoami::username().ok())
}

impl Web {
    /// The web servers of the NameNode that a configuration leads to.
    pub(super) fn of(configuration: &Configuration) -> Web {
        let Configuration { place, timeout, .. } = configuration;
        let addresses = addresses_of(configuration);
        // Whom the other client says it is.
        let user = place.user.clone().or_else(user_name);
        Web::new(addresses, user, &place.path, *timeout)
    }

    /// The web servers at `addresses`, each `HOST:PORT`, for the store in the directory `root` of HDFS.
    fn new(addresses: Vec<String>, user: Option<String>, root: &str, timeout: Duration) -> Web {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .timeout_resolve(Some(timeout.min(CONNECT_MAX)))
            .timeout_connect(Some(timeout.min(CONNECT_MAX)))
            .max_idle_connections(CONNECTIONS_MAX)
            .max_idle_connections_per_host(CONNECTIONS_MAX)
            .build();
        Web {
            agent: Agent::new_with_config(config),
            timeout,
            addresses,
            active: AtomicUsize::new(0),
            user,
            root: root.trim_end_matches('/').to_owned(),
            known: Mutex::default(),
        }
    }

    /// Which hosts hold which part of a file, the best first; `None` where that is unknown, also because the file is not
    /// there. Many threads may ask at once. What was found is remembered.
    pub(super) fn hosts(&self, path: &StorePath) -> Option<Vec<BlockHosts>> {
        if let Some(blocks) = self.known().blocks.get(path) {
            return Some(blocks.clone());
        }
        if self.known().silent_until.is_some_and(|until| Instant::now() < until) {
            return None;
        }
        let located = self.located(path)?;
        let mut known = self.known();
        known.racks.extend(located.racks);
        known.blocks.insert(path.clone(), located.blocks.clone());
        Some(located.blocks)
    }

    /// The rack of a host that holds a block of a file that was asked for.
    pub(super) fn rack(&self, host: &Host) -> Option<String> {
        self.known().racks.get(host).cloned()
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn located(&self, path: &StorePath) -> Option<Located> {
        for operation in ["GETFILEBLOCKLOCATIONS", "GET_BLOCK_LOCATIONS"] {
            let query = format!("op={operation}");
            match self.ask(path, &query) {
                Ok(Answer { status: 200, body, .. }) => return Located::parse(&body),
                // Not every server knows the first one.
                Ok(Answer { status: 400 | 500 | 501, .. }) => {}
                Ok(answer) => {
                    tracing::debug!(%path, status = answer.status, "where its blocks lie is unknown");
                    return None;
                }
                Err(why) => {
                    tracing::debug!(%path, why, "where its blocks lie is unknown");
                    self.known().silent_until = Some(Instant::now() + SILENCE);
                    return None;
                }
            }
        }
        None
    }

    /// Asks one server after the other until one answers that is not a standby.
    fn ask(&self, path: &StorePath, query: &str) -> Result<Answer, String> {
        let agent = &self.agent;
        self.each(path, query, |url| {
            agent.get(url).config().timeout_global(Some(self.timeout.min(HINT_MAX))).build().call()
        })
    }

    fn each(
        &self,
        path: &StorePath,
        query: &str,
        call: impl Fn(&str) -> Result<Response<ureq::Body>, ureq::Error>,
    ) -> Result<Answer, String> {
        let first = self.active.load(Ordering::Relaxed);
        let mut why = "the NameNode's web address is unknown (--webhdfs HOST:PORT)".to_owned();
        for index in (first..first + self.addresses.len()).map(|index| index % self.addresses.len()) {
            let address = &self.addresses[index];
            let url = self.url(address, path, query);
            // A connection that was kept may have been closed by the server: the second try makes one.
            let answered = call(&url).or_else(|error| match error {
                ureq::Error::Timeout(_) => Err(error),
                _ => call(&url),
            });
            match answered.and_then(read) {
                Ok(answer) if answer::is_standby(answer.status, &answer.body) => {
                    why = format!("{address} is a standby");
                }
                Ok(answer) => {
                    self.active.store(index, Ordering::Relaxed);
                    return Ok(answer);
                }
                Err(error) => why = format!("{address}: {error}"),
            }
        }
        Err(why)
    }

    fn url(&self, address: &str, path: &StorePath, query: &str) -> String {
        let path = encoded(&format!("{}/{}", self.root, path.as_str()), b"/");
        let user = self.user.as_ref().map(|user| format!("&user.name={}", encoded(user, b"")));
        format!("http://{address}/webhdfs/v1{path}?{query}{}", user.unwrap_or_default())
    }
}

/// The web servers that are asked: the one that was named, else those of the configuration.
pub(super) fn addresses_of(Configuration { place, options, keys, .. }: &Configuration) -> Vec<String> {
    options.web.clone().map_or_else(|| addresses(keys, &place.host), |web| vec![web])
}

/// The web servers that a configuration leads to, where the store's URL names `host`.
///
/// Those of another cluster than the URL's are none of it. A cluster that serves HTTPS only has none that can be asked.
fn addresses(keys: &HashMap<String, String>, host: &str) -> Vec<String> {
    let get = |key: &str| keys.get(key).map(String::as_str).filter(|value| !value.is_empty());
    if get("dfs.http.policy") == Some("HTTPS_ONLY") {
        return Vec::new();
    }
    if let Some(names) = get(&format!("dfs.ha.namenodes.{host}")) {
        let names = names.split(',').map(str::trim);
        return names
            .filter_map(|name| get(&format!("dfs.namenode.http-address.{host}.{name}")).map(str::to_owned))
            .collect();
    }
    let named = get("dfs.namenode.http-address").and_then(|address| address.rsplit_once(':'));
    let port = match named {
        Some((at, port)) if ["0.0.0.0", "", host].contains(&at) => port.to_owned(),
        Some((at, port)) if is_default(get("fs.defaultFS"), host) => return vec![format!("{at}:{port}")],
        _ => PORT.to_string(),
    };
    vec![format!("{host}:{port}")]
}

/// Whether the cluster that a configuration is of is the one at `host`.
fn is_default(default: Option<&str>, host: &str) -> bool {
    let authority =
        default.and_then(|url| url.strip_prefix("hdfs://")).and_then(|rest| rest.split('/').next());
    authority.and_then(|authority| authority.split(':').next()) == Some(host)
}

/// The head of an answer and its body, which is not longer than it may be.
fn read(response: Response<ureq::Body>) -> Result<Answer, ureq::Error> {
    let (status, headers) = (response.status().as_u16(), response.headers());
    let location = headers.get("location").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let mut body = Vec::new();
    let mut reader = response.into_body().into_with_config().limit(ANSWER_BYTES_MAX).reader();
    reader.read_to_end(&mut body)?;
    Ok(Answer { status, location, body })
}

/// Text as it stands in a URL: letters, digits, `-._~` and what is in `plain` as they are.
fn encoded(text: &str, plain: &[u8]) -> String {
    let mut url = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || plain.contains(&byte) {
            url.push(char::from(byte));
        } else {
            url.push_str(&format!("%{byte:02X}"));
        }
    }
    url
}

#[cfg(test)]
mod tests;
