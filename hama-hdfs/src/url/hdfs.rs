//! The URL of a store in HDFS: `hdfs://[USER@]HOST[:PORT]/PATH`, where HOST may be a name service.
//!
//! The path is percent-decoded: `%20` is a space. Spaces and letters of any script may also stand as they are, and a `%`
//! is written `%25`. It is printed so that it is one word in a shell.

use std::fmt;

use hama_core::{Error, Result};

/// The longest URL, in bytes.
const URL_LEN_MAX: usize = 8000;

/// Where a store in HDFS is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct HdfsPlace {
    /// Who acts; `None` for whoever runs the process.
    pub(crate) user: Option<String>,
    /// A host or a name service.
    pub(crate) host: String,
    /// The port of the NameNode's RPC.
    pub(crate) port: Option<u16>,
    /// Absolute, decoded, without a slash at the end: `/` or `/a/b`.
    pub(crate) path: String,
}

impl HdfsPlace {
    /// Reads what follows `hdfs:` in `text`.
    pub(crate) fn parse(text: &str, rest: &str) -> Result<HdfsPlace> {
        let shown: String = text.chars().take(100).collect();
        let bad = |why: &str| Error::invalid(format!("cannot use the store {shown}: {why}"));
        if text.len() > URL_LEN_MAX {
            return Err(bad(&format!("it has {} bytes, {URL_LEN_MAX} are the most", text.len())));
        }
        let form = "write hdfs://HOST:PORT/PATH, or hdfs://NAMESERVICE/PATH";
        let rest = rest.strip_prefix("//").ok_or_else(|| bad(form))?;
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (user, address) = match authority.rsplit_once('@') {
            Some((user, address)) => (Some(user), address),
            None => (None, authority),
        };
        if user.is_some_and(|user| !is_user(user)) {
            return Err(bad("its user is none: A-Z a-z 0-9 . _ - alone are in one"));
        }
        let (host, port) = split_port(address).ok_or_else(|| bad(form))?;
        if !is_host(host) {
            return Err(bad(&format!("{host:?} is no host; {form}")));
        }
        let path = clean_path(path).map_err(|why| bad(&why))?;
        Ok(HdfsPlace { user: user.map(str::to_owned), host: host.to_owned(), port, path })
    }

    /// The address as people write it: `HOST:PORT` or `NAMESERVICE`.
    pub(crate) fn address(&self) -> String {
        match self.port {
            Some(port) => format!("{}:{port}", self.host),
            None => self.host.clone(),
        }
    }
}

/// A host and a port; `None` where the port is none.
fn split_port(address: &str) -> Option<(&str, Option<u16>)> {
    // An address of IPv6 stands in brackets and has colons itself.
    match address.rsplit_once(':').filter(|(_, port)| !port.ends_with(']')) {
        Some((host, port)) => {
            let port = port.parse().ok().filter(|port| *port > 0)?;
            Some((host, Some(port)))
        }
        None => Some((address, None)),
    }
}

fn is_user(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}

fn is_host(text: &str) -> bool {
    let inner = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    let more: &[u8] = if inner.is_some() { b":.%" } else { b"._-" };
    let text = inner.unwrap_or(text);
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || more.contains(&b))
}

/// The path that `text` means, which follows the first slash.
fn clean_path(text: &str) -> Result<String, String> {
    let decoded = decode(text)?;
    let mut path = String::new();
    for segment in decoded.split('/').filter(|segment| !segment.is_empty()) {
        if segment == "." || segment == ".." {
            return Err("its path has a segment . or .., write where it leads".into());
        }
        if segment.contains(':') {
            return Err(format!("HDFS takes no colon in a name, and {segment:?} has one"));
        }
        if segment.chars().any(char::is_control) {
            return Err(format!("{segment:?} has a control character in its name"));
        }
        path.push('/');
        path.push_str(segment);
    }
    if path.is_empty() {
        path.push('/');
    }
    Ok(path)
}

fn decode(text: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        if first != b'%' {
            bytes.push(first);
            continue;
        }
        let digits = tail.get(..2).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        let value = digits.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        bytes.push(value.ok_or("a % stands for itself as %25, else two hexadecimal digits follow it")?);
        rest = &tail[2..];
    }
    String::from_utf8(bytes).map_err(|_| "its path is no UTF-8 once it is decoded".into())
}

impl fmt::Display for HdfsPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("hdfs://")?;
        if let Some(user) = &self.user {
            write!(f, "{user}@")?;
        }
        f.write_str(&self.address())?;
        for letter in self.path.chars() {
            // What a shell or a reader of URLs takes for something else. All of these are ASCII.
            if letter.is_whitespace() && letter.is_ascii() || "%?#\"'<>\\^`{|}$&*()!;[]~".contains(letter) {
                write!(f, "%{:02X}", u32::from(letter))?;
            } else {
                write!(f, "{letter}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<HdfsPlace> {
        HdfsPlace::parse(text, text.strip_prefix("hdfs:").unwrap())
    }

    #[test]
    fn every_form_reads_back_from_what_it_prints() {
        for (text, path, printed) in [
            ("hdfs://nn:8020/data/hama", "/data/hama", "hdfs://nn:8020/data/hama"),
            ("hdfs://nn", "/", "hdfs://nn/"),
            ("hdfs://nn/", "/", "hdfs://nn/"),
            ("hdfs://ada@mycluster//a//b/", "/a/b", "hdfs://ada@mycluster/a/b"),
            ("hdfs://127.0.0.1:9000/a b", "/a b", "hdfs://127.0.0.1:9000/a%20b"),
            ("hdfs://nn/a%20b%25", "/a b%", "hdfs://nn/a%20b%25"),
            ("hdfs://nn/a%2520", "/a%20", "hdfs://nn/a%2520"),
            ("hdfs://nn/größe/%C3%BC?x#y", "/größe/ü?x#y", "hdfs://nn/größe/ü%3Fx%23y"),
            ("hdfs://[::1]:9000/a+b", "/a+b", "hdfs://[::1]:9000/a+b"),
        ] {
            let place = parsed(text).unwrap();
            assert_eq!((place.path.as_str(), place.to_string().as_str()), (path, printed));
            assert_eq!(parsed(printed).unwrap(), place);
        }
        let place = parsed("hdfs://ada@nn:8020/x").unwrap();
        assert_eq!(
            (place.user.as_deref(), place.port, place.address().as_str()),
            (Some("ada"), Some(8020), "nn:8020")
        );
        assert_eq!(parsed("hdfs://[::1]/x").unwrap().port, None);
    }

    #[test]
    fn what_is_no_place_is_refused() {
        for (bad, said) in [
            ("hdfs:", "hdfs://HOST"),
            ("hdfs:/a", "hdfs://HOST"),
            ("hdfs:///a", "no host"),
            ("hdfs://:8020/a", "no host"),
            ("hdfs://nn:port/a", "HOST:PORT"),
            ("hdfs://nn:0/a", "HOST:PORT"),
            ("hdfs://nn:70000/a", "HOST:PORT"),
            ("hdfs://n n/a", "no host"),
            ("hdfs://@nn/a", "user"),
            ("hdfs://a b@nn/a", "user"),
            ("hdfs://nn/a:b", "no colon"),
            ("hdfs://nn/a%3Ab", "no colon"),
            ("hdfs://nn/a/../b", ".."),
            ("hdfs://nn/a/%2E%2E/b", ".."),
            ("hdfs://nn/./b", "segment"),
            ("hdfs://nn/50%", "%25"),
            ("hdfs://nn/a%zz", "%25"),
            ("hdfs://nn/a%+1", "%25"),
            ("hdfs://nn/%ff", "UTF-8"),
            ("hdfs://nn/a%00b", "control"),
            ("hdfs://nn/a%0Ab", "control"),
        ] {
            let error = parsed(bad).unwrap_err();
            assert!(error.message().contains(said), "{bad}: {error}");
        }
        assert!(parsed(&format!("hdfs://nn/{}", "a".repeat(9000))).is_err());
    }
}
