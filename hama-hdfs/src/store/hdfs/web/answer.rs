//! What the NameNode's web server answers beside what it was asked for: errors and redirects. Any bytes can be given.

use serde::Deserialize;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Refusal {
    remote_exception: RemoteException,
}

/// A server's reason to refuse.
#[derive(Debug, Deserialize)]
pub(super) struct RemoteException {
    pub(super) exception: String,
    #[serde(default)]
    pub(super) message: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Redirect {
    location: String,
}

/// Why a server refused, where it says so.
pub(super) fn refusal(body: &[u8]) -> Option<RemoteException> {
    let refusal: Refusal = serde_json::from_slice(body).ok()?;
    Some(refusal.remote_exception)
}

/// Whether the server says that another one has to be asked.
pub(super) fn is_standby(status: u16, body: &[u8]) -> bool {
    status == 403 && refusal(body).is_some_and(|refusal| refusal.exception == "StandbyException")
}

/// Where a redirect leads that was asked for as JSON.
pub(super) fn redirect(body: &[u8]) -> Option<String> {
    serde_json::from_slice(body).ok().map(|Redirect { location }| location)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_and_redirects_are_read() {
        let standby =
            br#"{"RemoteException":{"exception":"StandbyException","javaClassName":"x","message":"m"}}"#;
        assert!(is_standby(403, standby) && !is_standby(404, standby) && !is_standby(403, b"{}"));
        assert_eq!(redirect(br#"{"Location":"http://a:1/x"}"#).as_deref(), Some("http://a:1/x"));
        assert_eq!((redirect(b"{}"), redirect(b"\xff")), (None, None));
    }
}
