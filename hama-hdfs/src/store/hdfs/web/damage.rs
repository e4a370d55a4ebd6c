//! Asks whether all replicas of a part of a file are damaged. The client does not tell the NameNode of bytes without their
//! checksum; that of a DataNode does, so it is made to read them first.

use std::io::Read;

use serde::Deserialize;

use super::{Answer, CONNECT_MAX, Web, answer};
use crate::path::StorePath;
use crate::store::located::is_host;

/// How many hosts are named.
const HOSTS_MAX: usize = 16;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Found {
    located_blocks: Blocks,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Blocks {
    #[serde(default)]
    located_blocks: Vec<Block>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Block {
    start_offset: u64,
    block: Length,
    #[serde(default)]
    is_corrupt: bool,
    #[serde(default)]
    locations: Vec<DataNode>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DataNode {
    host_name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Length {
    num_bytes: u64,
}

impl Web {
    /// The hosts of the replicas of these bytes where HDFS says that none of those is sound. Nothing where it does not say.
    ///
    /// # Cost
    /// Reads the bytes over the network and drops them, for some seconds at most, and asks two or three times.
    pub(in crate::store::hdfs) fn damaged_on(
        &self,
        path: &StorePath,
        offset: u64,
        len: usize,
    ) -> Option<Vec<String>> {
        self.read_and_drop(path, offset, len);
        match self.ask(path, &format!("op=GET_BLOCK_LOCATIONS&offset={offset}&length={len}")) {
            Ok(Answer { status: 200, body, .. }) => damaged_in(&body, offset, len as u64),
            _ => None,
        }
    }

    /// A failure is as good as a success: either way the DataNode has seen the bytes, or nothing will be known.
    fn read_and_drop(&self, path: &StorePath, offset: u64, len: usize) {
        let query = format!("op=OPEN&noredirect=true&offset={offset}&length={len}");
        let Ok(Answer { status: 200, body, .. }) = self.ask(path, &query) else { return };
        let Some(url) = answer::redirect(&body).filter(|url| url.starts_with("http://")) else { return };
        let request = self.agent.get(&url).config().timeout_global(Some(self.timeout.min(CONNECT_MAX)));
        if let Ok(response) = request.build().call() {
            let mut bytes = response.into_body().into_reader().take(len as u64);
            if let Err(error) = std::io::copy(&mut bytes, &mut std::io::sink()) {
                tracing::debug!(%path, %error, "a DataNode cannot read it either");
            }
        }
    }
}

/// The hosts of a block with some of these bytes that is known to be damaged wherever it lies.
fn damaged_in(body: &[u8], offset: u64, len: u64) -> Option<Vec<String>> {
    let found: Found = serde_json::from_slice(body).ok()?;
    let block = found.located_blocks.located_blocks.into_iter().find(|block| {
        let end = block.start_offset.saturating_add(block.block.num_bytes);
        block.is_corrupt && block.start_offset < offset.saturating_add(len) && offset < end
    })?;
    let hosts = block.locations.into_iter().map(|node| node.host_name).filter(|name| is_host(name));
    Some(hosts.take(HOSTS_MAX).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_damaged_block_of_these_bytes_counts() {
        let body = br#"{"LocatedBlocks":{"isLastBlockComplete":true,"locatedBlocks":[
            {"startOffset":0,"block":{"numBytes":10},"isCorrupt":true,
             "locations":[{"hostName":"dn1"},{"hostName":"a\nb"}]},
            {"startOffset":10,"block":{"numBytes":10},"isCorrupt":false,"locations":[{"hostName":"dn2"}]}]}}"#;
        for (offset, len) in [(0, 1), (9, 5), (0, u64::MAX)] {
            assert_eq!(damaged_in(body, offset, len), Some(vec!["dn1".to_owned()]));
        }
        for (offset, len) in [(10, 10), (100, 1), (u64::MAX, u64::MAX)] {
            assert_eq!(damaged_in(body, offset, len), None);
        }
    }

    #[test]
    fn odd_answers_say_nothing() {
        for body in ["", "{}", "[]", r#"{"LocatedBlocks":{}}"#, r#"{"LocatedBlocks":{"locatedBlocks":[{}]}}"#]
        {
            assert_eq!(damaged_in(body.as_bytes(), 0, 1), None, "{body}");
        }
    }
}
