//! Which ZooKeeper, and as whom.

use std::fmt;
use std::time::Duration;

use crate::error::{Error, Result};

/// A session that ends sooner would end by itself on a busy host.
const SESSION_MIN: Duration = Duration::from_millis(500);
const SESSION_MAX: Duration = Duration::from_secs(60);

/// Which ZooKeeper, and as whom.
#[derive(Clone)]
pub(crate) struct Settings {
    /// host:port of every server, with commas between.
    pub(crate) servers: String,
    /// The node below which everything of this cluster lies, such as `/hama`.
    pub(crate) root: String,
    /// How long the servers keep a session of which they hear nothing. They may grant another.
    pub(crate) session: Duration,
    /// `user:password`. With it only who has the same may read and write what we make.
    pub(crate) auth: Option<String>,
}

impl Settings {
    /// Those of these servers: sessions of 6 s, everybody may do everything.
    pub(crate) fn new(servers: impl Into<String>) -> Settings {
        Settings {
            servers: servers.into(),
            root: "/hama".to_owned(),
            session: Duration::from_secs(6),
            auth: None,
        }
    }

    /// Fails where they cannot be, before anybody is called.
    pub(crate) fn validate(&self) -> Result<()> {
        let Settings { servers, root, session, auth } = self;
        let is_server = |server: &str| {
            let (host, port) = server.rsplit_once(':').unwrap_or((server, "2181"));
            let known = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:[]".contains(&byte);
            !host.is_empty() && host.bytes().all(known) && port.parse::<u16>().is_ok_and(|port| port > 0)
        };
        if !servers.split(',').all(is_server) {
            return Err(Error::invalid(format!(
                "cannot read {servers:?} as servers of ZooKeeper: they are HOST:PORT, with commas between"
            )));
        }
        let is_name = |name: &str| {
            !name.is_empty()
                && !name.starts_with('.')
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        };
        let names = root.strip_prefix('/');
        if root.len() > 100 || !names.is_some_and(|names| names.split('/').all(is_name)) {
            return Err(Error::invalid(format!(
                "cannot read {root:?} as a node of ZooKeeper: it is like /hama, of A-Z a-z 0-9 - _ ."
            )));
        }
        if !(SESSION_MIN..=SESSION_MAX).contains(session) {
            return Err(Error::invalid(format!(
                "a session of {session:?} with ZooKeeper: {SESSION_MIN:?} to {SESSION_MAX:?} are possible"
            )));
        }
        match auth.as_deref().map(|auth| auth.split_once(':')) {
            None => Ok(()),
            Some(Some((user, password))) if !user.is_empty() && !password.is_empty() => Ok(()),
            // Not what it is: it is a secret.
            Some(_) => {
                Err(Error::invalid("cannot read the authentication for ZooKeeper: it is USER:PASSWORD"))
            }
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Settings { servers, root, session, auth } = self;
        let auth = auth.as_ref().map(|_| "a secret");
        f.debug_struct("Settings")
            .field("servers", servers)
            .field("root", root)
            .field("session", session)
            .field("auth", &auth)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn what_cannot_be_is_refused() {
        let good = Settings::new("a:1,10.0.0.7,[::1]:2181,zk-1.example.org:2181");
        good.validate().unwrap();
        Settings { auth: Some("hama:secret".to_owned()), root: "/a/b".to_owned(), ..good.clone() }
            .validate()
            .unwrap();
        for servers in ["", ",", "a:1,", "a:0", "a:65536", "a:b", "a b:1", "tcp://a:1", "a:1/hama", "a\0:1"] {
            let error = Settings::new(servers).validate().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid, "{servers}");
        }
        for root in ["", "/", "hama", "/hama/", "/a//b", "/..", "/a b", &format!("/{}", "x".repeat(100))] {
            Settings { root: root.to_owned(), ..good.clone() }.validate().unwrap_err();
        }
        for millis in [0, 499, 60_001] {
            let session = Duration::from_millis(millis);
            Settings { session, ..good.clone() }.validate().unwrap_err();
        }
        for auth in ["", ":", "user", "user:", ":password"] {
            let wrong = Settings { auth: Some(auth.to_owned()), ..good.clone() };
            wrong.validate().unwrap_err();
        }
    }

    #[test]
    fn a_secret_is_not_shown() {
        let settings = Settings { auth: Some("hama:s3cr3t".to_owned()), ..Settings::new("a:1") };
        assert!(!format!("{settings:?}").contains("s3cr3t"));
        let wrong = Settings { auth: Some("s3cr3t".to_owned()), ..settings };
        assert!(!wrong.validate().unwrap_err().to_string().contains("s3cr3t"));
    }
}
