//! The least of HTTP: what the servers say of themselves, and files through WebHDFS without a client.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use serde_json::Value;

/// How long a server may say nothing.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a server answered.
#[derive(Debug)]
pub struct Reply {
    /// 200 and so on.
    pub status: u16,
    /// Where it sends us: the authority and the path with its query.
    pub location: Option<(String, String)>,
    /// As it came.
    pub body: Vec<u8>,
}

impl Reply {
    /// The body as JSON; null where it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// Sends one request to `authority` (host:port); `path` is percent-encoded, with its query.
///
/// # Errors
/// Says who does not answer.
pub fn request(method: &str, authority: &str, path: &str, body: &[u8]) -> Result<Reply, String> {
    let failed = |error: &dyn std::fmt::Display| format!("{method} http://{authority}{path}: {error}");
    let addresses = authority.to_socket_addrs().map_err(|error| failed(&error))?;
    let address = addresses.into_iter().next().ok_or_else(|| failed(&"no address"))?;
    let exchange = || -> std::io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        // 1.0: the answer ends with the connection and is in one piece.
        let head = format!(
            "{method} {path} HTTP/1.0\r\nHost: {authority}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes())?;
        stream.write_all(body)?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(answer)
    };
    let answer = exchange().map_err(|error| failed(&error))?;
    parse(&answer).ok_or_else(|| failed(&"the answer is not HTTP"))
}

/// Sends a request of WebHDFS, and again with the body to the DataNode that the NameNode names.
///
/// # Errors
/// Says what was answered, where that is not a success.
pub fn webhdfs(method: &str, authority: &str, path: &str, query: &str, body: &[u8]) -> Result<Reply, String> {
    let full = format!("/webhdfs/v1{path}?{query}");
    let mut reply = request(method, authority, &full, &[])?;
    if let Some((authority, path)) = reply.location.take().filter(|_| reply.status == 307) {
        reply = request(method, &authority, &path, body)?;
    }
    if (200..300).contains(&reply.status) {
        return Ok(reply);
    }
    Err(format!("{method} {full}: {}: {}", reply.status, String::from_utf8_lossy(&reply.body)))
}

fn parse(answer: &[u8]) -> Option<Reply> {
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&answer[..end]).ok()?;
    let mut lines = head.lines();
    let status = lines.next()?.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()?;
    if status == 100 {
        return parse(&answer[end + 4..]);
    }
    let location = lines.filter_map(|line| line.split_once(':')).find_map(|(name, value)| {
        let value = value.trim().strip_prefix("http://").filter(|_| name.eq_ignore_ascii_case("location"))?;
        let (authority, path) = value.split_once('/')?;
        Some((authority.to_owned(), format!("/{path}")))
    });
    Some(Reply { status, location, body: answer[end + 4..].to_vec() })
}

/// A bean of a server's JMX page; null where it has none of that name.
pub(super) fn bean(authority: &str, service: &str, name: &str) -> Result<Value, String> {
    let path = format!("/jmx?qry=Hadoop:service={service},name={name}");
    let reply = request("GET", authority, &path, &[])?;
    Ok(reply.json().pointer("/beans/0").cloned().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read() {
        let reply = parse(b"HTTP/1.1 307 Temporary Redirect\r\nlocation: http://127.0.0.2:9864/webhdfs/v1/a?op=CREATE&x=1\r\n\r\n{\"a\": 1}").unwrap();
        let (authority, path) = reply.location.as_ref().unwrap();
        assert_eq!((reply.status, authority.as_str()), (307, "127.0.0.2:9864"));
        assert_eq!(path, "/webhdfs/v1/a?op=CREATE&x=1");
        assert_eq!(reply.json()["a"], 1);
        assert_eq!(parse(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\n\r\n").unwrap().status, 201);
        for wrong in ["", "HTTP/1.1 200 OK\r\n", "SSH-2.0\r\n\r\n", "HTTP/1.1 OK\r\n\r\n", "HTTP/1.1\r\n\r\n"]
        {
            assert!(parse(wrong.as_bytes()).is_none(), "{wrong}");
        }
    }
}
