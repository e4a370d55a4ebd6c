//! What opens a connection of the cluster: 48 bytes that prove its token, read and compared before anything else is.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use subtle::ConstantTimeEq;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::cluster::digest;
use crate::error::{Error, ErrorKind, Result};

/// What a connection begins with. Its last byte is the version.
const MAGIC: [u8; 16] = *b"hama control\0\0\0\x01";
const PROOF_BYTES: usize = 32;
const KNOCK_BYTES: usize = MAGIC.len() + PROOF_BYTES;
/// What the other side says when the door is open: then it is a master, and nothing else that listens.
const OPENED: [u8; 4] = *b"open";
/// How long knocking may take.
const KNOCK_MAX: Duration = Duration::from_secs(2);
/// A token has this much at least, and no file that is longer is one.
const TOKEN_BYTES_MIN: usize = 16;
const TOKEN_BYTES_MAX: u64 = 4096;

/// What all daemons and clients of a cluster know, or nothing on a machine of one's own.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Token([u8; PROOF_BYTES]);

impl Token {
    /// The token of a cluster that has none: everybody on this machine may do everything.
    pub(crate) fn none() -> Token {
        Token([0; PROOF_BYTES])
    }

    /// The token in a file, which nobody else may read. White space at its ends does not count.
    ///
    /// # Errors
    /// `Invalid` where others may read it, or it is too short or too long; `NotFound` and what else reading gives.
    pub(crate) fn read(path: &Path) -> Result<Token> {
        let doing = || format!("cannot read the token file {}", path.display());
        let file = File::open(path).map_err(|e| Error::io(doing(), e))?;
        let mode = file.metadata().map_err(|e| Error::io(doing(), e))?.mode() & 0o777;
        if mode & 0o077 != 0 {
            let how = "others may use it: `chmod 600` makes it yours";
            return Err(Error::invalid(format!("{}: its permissions are {mode:o}, {how}", doing())));
        }
        let mut bytes = Vec::new();
        file.take(TOKEN_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(|e| Error::io(doing(), e))?;
        let token = bytes.trim_ascii();
        if token.len() < TOKEN_BYTES_MIN || bytes.len() as u64 > TOKEN_BYTES_MAX {
            return Err(Error::invalid(format!(
                "{}: it has {} bytes, a token has {TOKEN_BYTES_MIN} to {TOKEN_BYTES_MAX}; `head -c 32 /dev/urandom | \
                 base64` prints a good one",
                doing(),
                token.len()
            )));
        }
        Ok(Token(digest::sum(token)))
    }

    /// Whether there is one.
    pub(crate) fn is_none(&self) -> bool {
        *self == Token::none()
    }

    fn knock(&self) -> [u8; KNOCK_BYTES] {
        let mut bytes = [0; KNOCK_BYTES];
        bytes[..MAGIC.len()].copy_from_slice(&MAGIC);
        bytes[MAGIC.len()..].copy_from_slice(&self.0);
        bytes
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_none() { "Token(none)" } else { "Token(..)" })
    }
}

/// Why somebody was not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// It said too little, for too long, or the connection broke.
    Silent,
    /// It is no hama, or of another version.
    Stranger,
    /// It has another token.
    WrongToken,
}

/// Whether these bytes open the door. All of the token is compared, whatever its first bytes are.
fn is_let_in(knock: &[u8; KNOCK_BYTES], token: &Token) -> Result<(), Refused> {
    if knock[..MAGIC.len()] != MAGIC {
        return Err(Refused::Stranger);
    }
    if bool::from(knock[MAGIC.len()..].ct_eq(&token.0)) { Ok(()) } else { Err(Refused::WrongToken) }
}

/// Lets a connection in, or says why not.
pub(crate) async fn let_in<S>(stream: &mut S, token: &Token) -> Result<(), Refused>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let knocked = async {
        let mut knock = [0; KNOCK_BYTES];
        stream.read_exact(&mut knock).await.map_err(|_| Refused::Silent)?;
        is_let_in(&knock, token)?;
        stream.write_all(&OPENED).await.map_err(|_| Refused::Silent)
    };
    tokio::time::timeout(KNOCK_MAX, knocked).await.unwrap_or(Err(Refused::Silent))
}

/// Proves the token to who listens.
///
/// # Errors
/// `PermissionDenied` where the door stays closed.
pub(crate) async fn knock<S>(stream: &mut S, token: &Token) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let knocking = async {
        stream.write_all(&token.knock()).await?;
        let mut opened = [0; OPENED.len()];
        match stream.read_exact(&mut opened).await {
            Ok(_) if opened == OPENED => Ok(()),
            Ok(_) => Err(io::Error::new(io::ErrorKind::InvalidData, "who listens there is no hama master")),
            Err(_) => Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                "it does not let us in: --token-file names the cluster's token, or it is no hama master of this version",
            )),
        }
    };
    let late = || io::Error::new(io::ErrorKind::TimedOut, "who listens there says nothing");
    tokio::time::timeout(KNOCK_MAX, knocking).await.unwrap_or_else(|_| Err(late()))
}

/// The kind of error of a door that stayed closed.
pub(crate) fn kind_of(error: &io::Error) -> ErrorKind {
    match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::InvalidData => ErrorKind::Invalid,
        _ => ErrorKind::Unavailable,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn token(text: &str) -> Token {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), text).unwrap();
        Token::read(file.path()).unwrap()
    }

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
    }

    #[test]
    fn the_same_token_opens_and_no_other_does() {
        let (one, other) = (token("a token of some length\n"), token("another token of some length"));
        assert_eq!(one, token("  a token of some length"));
        for (client, server, opens) in [
            (&one, &one, true),
            (&one, &other, false),
            (&Token::none(), &one, false),
            (&one, &Token::none(), false),
        ] {
            let (mut near, mut far) = tokio::io::duplex(KNOCK_BYTES);
            let (knocked, let_in) = run(async {
                tokio::join!(knock(&mut near, client), async {
                    let let_in = let_in(&mut far, server).await;
                    drop(far);
                    let_in
                })
            });
            assert_eq!((knocked.is_ok(), let_in.is_ok()), (opens, opens));
            if !opens {
                assert_eq!(let_in, Err(Refused::WrongToken));
                assert_eq!(kind_of(&knocked.unwrap_err()), ErrorKind::Invalid);
            }
        }
    }

    #[test]
    fn no_bytes_but_the_right_ones_open() {
        let token = token("0123456789abcdef");
        let right = token.knock();
        assert_eq!(is_let_in(&right, &token), Ok(()));
        for at in 0..KNOCK_BYTES {
            let mut wrong = right;
            wrong[at] ^= 1;
            let refused = if at < MAGIC.len() { Refused::Stranger } else { Refused::WrongToken };
            assert_eq!(is_let_in(&wrong, &token), Err(refused), "{at}");
        }
    }

    #[test]
    fn who_says_too_little_is_not_waited_for() {
        let (mut near, mut far) = tokio::io::duplex(KNOCK_BYTES);
        let let_in = run(async {
            near.write_all(&MAGIC).await.unwrap();
            drop(near);
            let_in(&mut far, &Token::none()).await
        });
        assert_eq!(let_in, Err(Refused::Silent));
    }

    #[test]
    fn a_token_is_long_enough_and_ones_own() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for (text, mode, said) in [
            ("0123456789abcde\n", 0o600, "it has 15 bytes"),
            ("0123456789abcdef", 0o644, "permissions are 644"),
            ("0123456789abcdef", 0o660, "chmod 600"),
        ] {
            fs::write(file.path(), text).unwrap();
            fs::set_permissions(file.path(), fs::Permissions::from_mode(mode)).unwrap();
            let error = Token::read(file.path()).unwrap_err();
            assert!(error.kind() == ErrorKind::Invalid && error.to_string().contains(said), "{error}");
        }
        fs::write(file.path(), vec![b'x'; 5000]).unwrap();
        fs::set_permissions(file.path(), fs::Permissions::from_mode(0o600)).unwrap();
        assert!(Token::read(file.path()).is_err());
        assert_eq!(Token::read(Path::new("/no/token")).unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(format!("{:?}", token("0123456789abcdef")), "Token(..)");
    }
}
