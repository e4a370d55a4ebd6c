//! What listens where a NameNode should: asked only when it did not answer.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use super::config::Configuration;

const LIMIT: Duration = Duration::from_secs(1);

/// What to say about the address, beginning with a separator; `None` where nothing can be said.
pub(super) fn what_listens(configuration: &Configuration) -> Option<String> {
    let address = configuration.single_address()?;
    let mut addresses = match address.to_socket_addrs() {
        Ok(addresses) => addresses,
        Err(_) => {
            return Some(format!(
                "; no such host, or it is a name service that no hdfs-site.xml in HADOOP_CONF_DIR names: {address}"
            ));
        }
    };
    let Ok(mut stream) = TcpStream::connect_timeout(&addresses.next()?, LIMIT) else {
        return Some("; is the NameNode up, and is that the port of its RPC (8020, 9000)?".into());
    };
    stream.set_read_timeout(Some(LIMIT)).ok()?;
    stream.set_write_timeout(Some(LIMIT)).ok()?;
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").ok()?;
    let mut answer = [0; 400];
    let mut len = 0;
    while len < answer.len() {
        match stream.read(&mut answer[len..]) {
            Ok(0) | Err(_) => break,
            Ok(count) => len += count,
        }
    }
    explain(&answer[..len])
}

/// A server of Hadoop's RPC answers HTTP too, but says what it is.
fn explain(answer: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(answer);
    if text.starts_with("HTTP/") && !text.contains("Hadoop IPC") {
        return Some(
            "; that is no NameNode, it answers HTTP: the port of the RPC is another one (8020, 9000)".into(),
        );
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_web_server_is_told_from_a_namenode() {
        assert!(explain(b"HTTP/1.1 400 Bad Request\r\n").unwrap().contains("answers HTTP"));
        let hadoop = b"HTTP/1.1 404 Not Found\r\n\r\nIt looks like you are making an HTTP request to a Hadoop IPC port.";
        assert_eq!(explain(hadoop), None);
        assert_eq!(explain(b""), None);
        assert_eq!(explain(&[0xff; 400]), None);
    }
}
