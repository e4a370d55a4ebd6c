//! Why a call did nothing, in our words.

use std::time::Duration;

use zookeeper_client::Error as Told;

use crate::error::{Error, ErrorKind};

/// Why a call did nothing, or may have done nothing.
#[derive(Debug)]
pub(crate) enum Fault {
    NoNode,
    NodeExists,
    BadVersion,
    NotEmpty,
    /// The connection was lost before the answer came: it is done, or it is not.
    Lost,
    /// It makes no sense to try again.
    Failed(Error),
}

impl Fault {
    /// What a server or the client's crate told, while `what` was tried.
    pub(super) fn of(servers: &str, what: &str, told: Told) -> Fault {
        match told {
            Told::NoNode => Fault::NoNode,
            Told::NodeExists => Fault::NodeExists,
            Told::BadVersion => Fault::BadVersion,
            Told::NotEmpty => Fault::NotEmpty,
            // Errors of sockets are wrapped.
            Told::ConnectionLoss | Told::Custom(_) => Fault::Lost,
            told => Fault::Failed(error(servers, what, told)),
        }
    }
}

/// What a server or the client's crate told, for people.
pub(super) fn error(servers: &str, what: &str, told: Told) -> Error {
    let kind = match told {
        Told::NoAuth | Told::AuthFailed | Told::InvalidAcl | Told::BadArguments(_) => ErrorKind::Invalid,
        Told::QuotaExceeded => ErrorKind::OutOfSpace,
        Told::UnmarshalError { .. } => ErrorKind::Data,
        Told::NodeExists | Told::NoNode | Told::BadVersion | Told::NotEmpty => ErrorKind::Conflict,
        Told::Throttled | Told::Timeout | Told::NoHosts | Told::NotReadOnly | Told::ConnectionLoss => {
            ErrorKind::Unavailable
        }
        Told::SessionExpired | Told::SessionMoved | Told::ClientClosed | Told::Custom(_) => {
            ErrorKind::Unavailable
        }
        _ => ErrorKind::Internal,
    };
    let hint = match told {
        Told::NoAuth => " (its nodes belong to somebody else: see the authentication, USER:PASSWORD)",
        _ => "",
    };
    Error::new(kind, format!("{what} in ZooKeeper at {servers}{hint}")).with_source(told)
}

/// The error of servers that do not answer at all.
pub(super) fn unreachable(servers: &str, session: Duration) -> Error {
    let message = format!(
        "cannot connect to ZooKeeper at {servers} within {session:?}: see that its servers run and that these are their \
         addresses"
    );
    Error::new(ErrorKind::Unavailable, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_who_refused_what_and_what_to_try() {
        let Fault::Failed(error) = Fault::of("a:1", "cannot read /x", Told::NoAuth) else { unreachable!() };
        assert_eq!(error.kind(), ErrorKind::Invalid);
        let text = error.to_string();
        assert!(
            text.contains("cannot read /x in ZooKeeper at a:1") && text.contains("USER:PASSWORD"),
            "{text}"
        );
    }

    #[test]
    fn only_a_lost_connection_is_tried_again() {
        assert!(matches!(Fault::of("a:1", "x", Told::ConnectionLoss), Fault::Lost));
        for told in [Told::SessionExpired, Told::Throttled, Told::UnexpectedErrorCode(-99), Told::Timeout] {
            assert!(matches!(Fault::of("a:1", "x", told), Fault::Failed(_)));
        }
    }
}
