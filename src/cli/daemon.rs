//! What the daemons of a cluster, master and groom, are told alike.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use hama::{Error, Result, ZooKeeperOptions};

use super::Global;
use super::failure::Failure;
use super::seconds::Seconds;

/// No file that is longer holds USER:PASSWORD.
const AUTH_BYTES_MAX: u64 = 4096;

/// What both are told.
#[derive(clap::Args, Debug, Default, PartialEq)]
pub(crate) struct Daemon {
    /// HOST:PORT of every server of ZooKeeper, with commas between
    #[arg(long, value_name = "SERVERS")]
    zookeeper: Option<String>,
    /// The node of ZooKeeper below which this cluster lies [default: /hama]
    #[arg(long, value_name = "NODE")]
    zookeeper_root: Option<String>,
    /// A file with USER:PASSWORD for ZooKeeper, which nobody else may read [default: none, everybody may read and write]
    #[arg(long, value_name = "FILE")]
    zookeeper_auth_file: Option<PathBuf>,
    /// How long ZooKeeper keeps the session of a daemon that it does not hear, in seconds, 0.5 to 60 [default: 6]
    #[arg(long, value_name = "SECONDS", allow_hyphen_values = true)]
    session: Option<Seconds>,
    /// The folder for all that it writes, made where it is missing; each daemon has its own
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Trust the network: there is no TLS yet, and who reads it reads the token and the matrices
    #[arg(long)]
    insecure_network: bool,
}

impl Daemon {
    /// Its folder.
    pub(crate) fn folder(&self) -> Result<PathBuf, Failure> {
        let missing = || Failure::from(Error::invalid("cannot start without a folder for what it writes"));
        self.dir.clone().ok_or_else(|| missing().or_try("--dir DIR, such as --dir /var/lib/hama"))
    }

    pub(crate) fn insecure_network(&self, global: &Global) -> bool {
        self.insecure_network || global.settings.insecure_network.value
    }

    /// Where it meets the others.
    pub(crate) fn zookeeper(&self, global: &Global) -> Result<ZooKeeperOptions, Failure> {
        let settings = &global.settings;
        let Some(servers) = self.zookeeper.clone().or_else(|| settings.zookeeper.value.clone()) else {
            let missing = Error::invalid("cannot start without ZooKeeper: no server is named");
            return Err(Failure::from(missing).or_try("--zookeeper HOST:PORT,.. or HAMA_ZOOKEEPER"));
        };
        let mut options = ZooKeeperOptions::new(servers);
        if let Some(root) = self.zookeeper_root.clone().or_else(|| settings.zookeeper_root.value.clone()) {
            options.root = root;
        }
        if let Some(session) = self.session {
            options.session = session.duration();
        }
        let file = self.zookeeper_auth_file.as_ref().or(settings.zookeeper_auth_file.value.as_ref());
        options.auth = file.map(|path| authentication(path)).transpose()?;
        Ok(options)
    }
}

/// USER:PASSWORD out of a file that nobody else may read. White space at its ends does not count.
fn authentication(path: &Path) -> Result<String> {
    let doing = || format!("cannot read the file for ZooKeeper's authentication {}", path.display());
    let refused = |why: &str| Err(Error::invalid(format!("{}: {why}", doing())));
    let failed = |error| Error::io(doing(), error);
    // Asked before it is opened: opening a pipe waits for somebody to write into it.
    let found = std::fs::metadata(path).map_err(failed)?;
    if !found.is_file() {
        return refused("it is no regular file");
    }
    let mode = found.mode() & 0o777;
    if mode & 0o077 != 0 {
        return refused(&format!(
            "its permissions are {mode:o}, others may use it: `chmod 600` makes it yours"
        ));
    }
    let mut bytes = Vec::new();
    File::open(path).map_err(failed)?.take(AUTH_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
    let text = std::str::from_utf8(&bytes).map(str::trim).unwrap_or_default();
    let is_pair =
        text.split_once(':').is_some_and(|(user, password)| !user.is_empty() && !password.is_empty());
    if !is_pair || bytes.len() as u64 > AUTH_BYTES_MAX || text.contains(char::is_control) {
        // Not what it says: it is a secret.
        return refused(&format!("a line USER:PASSWORD of at most {AUTH_BYTES_MAX} bytes is wanted"));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_password_comes_from_a_file_of_ones_own() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("auth");
        let with = |bytes: &[u8], mode| {
            std::fs::write(&path, bytes).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            authentication(&path)
        };
        assert_eq!(with(b" hama:a:b c\n", 0o600).unwrap(), "hama:a:b c");
        assert!(with(b"hama:x", 0o640).unwrap_err().message().contains("640"));
        for wrong in [
            &b""[..],
            b"hama",
            b":x",
            b"hama:",
            b"a:b\nc:d",
            b"\xff:x",
            &[b"a:".as_slice(), &[b'x'; 5000]].concat(),
        ] {
            let error = with(wrong, 0o600).unwrap_err();
            assert!(error.message().contains("USER:PASSWORD") && error.message().len() < 300, "{error}");
        }
        assert!(authentication(folder.path()).unwrap_err().message().contains("no regular file"));
        assert!(authentication(&folder.path().join("none")).is_err());
    }
}
