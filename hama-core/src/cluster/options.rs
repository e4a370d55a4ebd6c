//! What the daemons and clients of a cluster are told when they start.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::blobs::Blobs;
use crate::cluster::rpc::door::Token;
use crate::cluster::zookeeper;
use crate::error::{Error, Result};
use crate::ids::Host;

/// The port of a master where nothing else is said.
pub const MASTER_PORT: u16 = 7070;

/// What clients are told in their environment.
const MASTER: &str = "HAMA_MASTER";
const TOKEN_FILE: &str = "HAMA_TOKEN_FILE";

/// Which ZooKeeper a cluster meets in, and as whom.
#[derive(Clone)]
pub struct ZooKeeperOptions {
    /// `HOST:PORT` of every server, with commas between.
    pub servers: String,
    /// The node below which everything of this cluster lies.
    pub root: String,
    /// How long the servers keep a session of which they hear nothing: so long a groom that is cut off keeps its jobs.
    pub session: Duration,
    /// `USER:PASSWORD`. With it only who has the same may read and write what this cluster makes.
    pub auth: Option<String>,
}

impl ZooKeeperOptions {
    /// Those of these servers: the node `/hama`, sessions of 6 s, no password.
    pub fn new(servers: impl Into<String>) -> ZooKeeperOptions {
        let zookeeper::Settings { servers, root, session, auth } = zookeeper::Settings::new(servers);
        ZooKeeperOptions { servers, root, session, auth }
    }

    pub(crate) fn settings(&self) -> zookeeper::Settings {
        let ZooKeeperOptions { servers, root, session, auth } = self.clone();
        zookeeper::Settings { servers, root, session, auth }
    }
}

impl std::fmt::Debug for ZooKeeperOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ZooKeeperOptions { servers, root, session, auth: _ } = self;
        f.debug_struct("ZooKeeperOptions")
            .field("servers", servers)
            .field("root", root)
            .field("session", session)
            .finish_non_exhaustive()
    }
}

/// How a BSPMaster runs.
#[derive(Clone, Debug)]
pub struct MasterOptions {
    /// Where it listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The file with the cluster's token. Without one only this machine can be a cluster.
    pub token_file: Option<PathBuf>,
    /// Whether others may read the network: there is no TLS.
    pub insecure_network: bool,
    /// Where masters and grooms meet.
    pub zookeeper: ZooKeeperOptions,
    /// The folder of executables and of the programs of jobs that have not ended, made where it is missing.
    pub folder: PathBuf,
    /// Where the history of jobs that have ended lies; in the folder where nothing is said.
    pub history: Option<Arc<dyn Blobs>>,
}

impl MasterOptions {
    /// A master on this machine alone.
    pub fn new(zookeeper: ZooKeeperOptions, folder: impl Into<PathBuf>) -> MasterOptions {
        MasterOptions {
            listen: (Ipv4Addr::LOCALHOST, MASTER_PORT).into(),
            token_file: None,
            insecure_network: false,
            zookeeper,
            folder: folder.into(),
            history: None,
        }
    }
}

/// How a GroomServer runs.
#[derive(Clone, Debug)]
pub struct GroomOptions {
    /// Its name, which stays when it is started again. Letters, digits and `-_.:`, at most 255.
    pub name: String,
    /// The host that it is on, as HDFS calls it.
    pub host: Host,
    /// The master, as `HOST:PORT`.
    pub master: String,
    /// The file with the cluster's token.
    pub token_file: Option<PathBuf>,
    /// What its peers listen on for other peers.
    pub data_address: IpAddr,
    /// Whether others may read the network: there is no TLS.
    pub insecure_network: bool,
    /// Where masters and grooms meet.
    pub zookeeper: ZooKeeperOptions,
    /// How many peers it runs at once.
    pub slots: u32,
    /// The memory that it has for peers, in bytes.
    pub memory_bytes: u64,
    /// The rack that it is in.
    pub rack: Option<String>,
    /// What programs want to know of its host, at most 16, each name and value at most 255 bytes.
    pub labels: BTreeMap<String, String>,
    /// The folder of its peers' directories, logs and executables, made where it is missing.
    pub folder: PathBuf,
}

impl GroomOptions {
    /// A groom on this machine alone, named as its host, with a slot for each core and three quarters of the memory.
    pub fn new(
        master: impl Into<String>,
        zookeeper: ZooKeeperOptions,
        folder: impl Into<PathBuf>,
    ) -> GroomOptions {
        let host = Host::local();
        let cores = std::thread::available_parallelism().map_or(1, |count| count.get());
        GroomOptions {
            name: host.name().to_owned(),
            host,
            master: master.into(),
            token_file: None,
            data_address: Ipv4Addr::LOCALHOST.into(),
            insecure_network: false,
            zookeeper,
            slots: u32::try_from(cores).unwrap_or(u32::MAX),
            memory_bytes: crate::cluster::groom::host::memory_bytes() / 4 * 3,
            rack: None,
            labels: BTreeMap::new(),
            folder: folder.into(),
        }
    }
}

/// How a client finds its cluster.
#[derive(Clone, Debug)]
pub struct ConnectOptions {
    /// The master, as `HOST:PORT`.
    pub master: String,
    /// The file with the cluster's token.
    pub token_file: Option<PathBuf>,
}

impl ConnectOptions {
    /// The master at `HOST:PORT` of a cluster without a token.
    pub fn new(master: impl Into<String>) -> ConnectOptions {
        ConnectOptions { master: master.into(), token_file: None }
    }

    /// The variables that say the same, for processes that find files by the same names.
    ///
    /// # Errors
    /// `Invalid` where the token's file has a name that is no text.
    pub(crate) fn to_env(&self) -> Result<Vec<(String, String)>> {
        let mut variables = vec![(MASTER.to_owned(), self.master.clone())];
        if let Some(file) = &self.token_file {
            let path = std::path::absolute(file)
                .map_err(|e| Error::io(format!("cannot find {}", file.display()), e))?;
            let Ok(path) = path.into_os_string().into_string() else {
                return Err(Error::invalid(format!(
                    "cannot pass on the token file {}: its name is no text",
                    file.display()
                )));
            };
            variables.push((TOKEN_FILE.to_owned(), path));
        }
        Ok(variables)
    }

    /// What the variables `HAMA_MASTER` and `HAMA_TOKEN_FILE` say; `hama job submit` sets them. An empty one says nothing.
    ///
    /// # Errors
    /// `Invalid` where no master is named, or its name is no text.
    pub fn from_env() -> Result<ConnectOptions> {
        ConnectOptions::of_variables(|name| std::env::var_os(name))
    }

    fn of_variables(variable: impl Fn(&str) -> Option<OsString>) -> Result<ConnectOptions> {
        let said = |name| variable(name).filter(|value| !value.is_empty());
        let Some(master) = said(MASTER) else {
            return Err(Error::invalid(format!(
                "cannot find a cluster: the variable {MASTER} does not say HOST:PORT of its master (`hama job submit` sets \
                 it)"
            )));
        };
        let Ok(master) = master.into_string() else {
            return Err(Error::invalid(format!(
                "cannot find a cluster: what the variable {MASTER} says is no text"
            )));
        };
        Ok(ConnectOptions { master, token_file: said(TOKEN_FILE).map(PathBuf::from) })
    }
}

/// The token that a file holds, or the one of a cluster that has none.
pub(crate) fn token(file: Option<&Path>) -> Result<Token> {
    file.map_or(Ok(Token::none()), Token::read)
}

/// Fails where others than this machine could come in at `address`, and the user has not said so or they would need no
/// token.
pub(crate) fn check_open(address: IpAddr, token: &Token, insecure_network: bool) -> Result<()> {
    if address.is_loopback() {
        return Ok(());
    }
    if token.is_none() {
        return Err(Error::invalid(format!(
            "cannot listen on {address}: beyond this machine everybody needs a token (--token-file FILE)"
        )));
    }
    if !insecure_network {
        return Err(Error::invalid(format!(
            "cannot listen on {address}: hama has no TLS yet, so who reads your network reads its token and your \
             matrices (--insecure-network says that you trust it)"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    use super::*;

    #[test]
    fn clients_go_by_their_environment() {
        let of = |master: &[u8], file: &str| {
            let (master, file) = (OsString::from_vec(master.to_vec()), OsString::from(file));
            ConnectOptions::of_variables(|name| match name {
                "HAMA_MASTER" => Some(master.clone()),
                "HAMA_TOKEN_FILE" => Some(file.clone()),
                _ => None,
            })
        };
        let both = of(b"m:7070", "/t").unwrap();
        assert_eq!((&*both.master, both.token_file.as_deref()), ("m:7070", Some(Path::new("/t"))));
        assert_eq!(of(b"m:7070", "").unwrap().token_file, None);
        for wrong in [of(b"", "/t"), of(b"m\xff:1", ""), ConnectOptions::of_variables(|_| None)] {
            let error = wrong.unwrap_err();
            assert!(error.kind() == crate::error::ErrorKind::Invalid, "{error}");
            assert!(error.message().contains("HAMA_MASTER"), "{error}");
        }
    }
}
