//! Where the blocks of a file lie, as the web server of a NameNode tells it: JSON in two forms. Any bytes can be given.

use hama_core::Host;
use serde::Deserialize;

use crate::store::BlockHosts;

/// The longest name of a host, as in DNS.
const HOST_LEN_MAX: usize = 253;
/// The longest path of a rack.
const RACK_LEN_MAX: usize = 255;

/// Where the blocks of a file lie.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Located {
    /// The blocks that somebody holds, by where they start.
    pub(crate) blocks: Vec<BlockHosts>,
    /// The racks of their hosts, where they are told.
    pub(crate) racks: Vec<(Host, String)>,
}

#[derive(Deserialize)]
enum Form {
    /// What GETFILEBLOCKLOCATIONS answers.
    BlockLocations(BlockLocations),
    /// What GET_BLOCK_LOCATIONS answers.
    LocatedBlocks(LocatedBlocks),
}

#[derive(Deserialize)]
struct BlockLocations {
    #[serde(rename = "BlockLocation")]
    blocks: Vec<BlockLocation>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BlockLocation {
    offset: u64,
    length: u64,
    #[serde(default)]
    hosts: Vec<String>,
    #[serde(default)]
    topology_paths: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LocatedBlocks {
    #[serde(default)]
    located_blocks: Vec<LocatedBlock>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LocatedBlock {
    start_offset: u64,
    block: Block,
    #[serde(default)]
    locations: Vec<DataNode>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Block {
    num_bytes: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DataNode {
    host_name: String,
    network_location: Option<String>,
}

impl Located {
    /// What an answer in either form says; `None` where it is in none, or cannot be.
    pub(crate) fn parse(body: &[u8]) -> Option<Located> {
        let mut located = Located::default();
        match serde_json::from_slice(body).ok()? {
            Form::BlockLocations(BlockLocations { blocks }) => {
                for BlockLocation { offset, length, hosts, topology_paths } in blocks {
                    // The last part of such a path is the DataNode.
                    let racks = topology_paths.iter().map(|path| path.rsplit_once('/').map(|(rack, _)| rack));
                    let racks = racks.chain(std::iter::repeat(None));
                    located.add(offset, length, hosts.iter().map(String::as_str).zip(racks))?;
                }
            }
            Form::LocatedBlocks(LocatedBlocks { located_blocks }) => {
                for LocatedBlock { start_offset, block, locations } in located_blocks {
                    let nodes =
                        locations.iter().map(|node| (&*node.host_name, node.network_location.as_deref()));
                    located.add(start_offset, block.num_bytes, nodes)?;
                }
            }
        }
        located.blocks.sort_by_key(|block| block.offset);
        located.racks.sort();
        located.racks.dedup();
        Some(located)
    }

    fn add<'a>(
        &mut self,
        offset: u64,
        len: u64,
        nodes: impl Iterator<Item = (&'a str, Option<&'a str>)>,
    ) -> Option<()> {
        offset.checked_add(len)?;
        let mut hosts = Vec::new();
        for (name, rack) in nodes {
            let host = Host::new(Some(name).filter(|name| is_host(name))?);
            if let Some(rack) = rack.filter(|rack| is_rack(rack)) {
                self.racks.push((host.clone(), rack.to_owned()));
            }
            // Several DataNodes may run on one host.
            if !hosts.contains(&host) {
                hosts.push(host);
            }
        }
        if !hosts.is_empty() && len > 0 {
            self.blocks.push(BlockHosts { offset, len, hosts });
        }
        Some(())
    }
}

pub(crate) fn is_host(name: &str) -> bool {
    (1..=HOST_LEN_MAX).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_graphic())
}

fn is_rack(path: &str) -> bool {
    path.len() <= RACK_LEN_MAX
        && path.strip_prefix('/').is_some_and(|rest| !rest.is_empty())
        && path.bytes().all(|b| b.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &str = r#"{"BlockLocations":{"BlockLocation":[
        {"cachedHosts":[],"corrupt":false,"hosts":["dn2","dn1"],"length":5,"names":["10.0.0.2:9866","10.0.0.1:9866"],
         "offset":10,"storageTypes":["DISK","DISK"],"topologyPaths":["/r/1/10.0.0.2:9866","/r/2/10.0.0.1:9866"]},
        {"hosts":["dn1","dn1"],"length":10,"offset":0,"topologyPaths":["/r/2/10.0.0.1:9866"]},
        {"hosts":[],"length":10,"offset":15}]}}"#;
    const SECOND: &str = r#"{"LocatedBlocks":{"fileLength":15,"isUnderConstruction":false,"locatedBlocks":[
        {"block":{"numBytes":10,"blockId":1},"startOffset":0,"isCorrupt":false,"locations":[
            {"hostName":"dn1","ipAddr":"10.0.0.1","networkLocation":"/r/2","xferPort":9866}]},
        {"block":{"numBytes":5},"startOffset":10,"locations":[{"hostName":"dn2","networkLocation":"/r/1"},
            {"hostName":"dn1"}]}]}}"#;

    #[test]
    fn both_forms_say_the_same() {
        let block = |offset, len, hosts: &[&str]| BlockHosts {
            offset,
            len,
            hosts: hosts.iter().map(|name| Host::new(*name)).collect(),
        };
        let blocks = vec![block(0, 10, &["dn1"]), block(10, 5, &["dn2", "dn1"])];
        let racks = vec![(Host::new("dn1"), "/r/2".to_owned()), (Host::new("dn2"), "/r/1".to_owned())];
        let located = Located { blocks, racks };
        assert_eq!(Located::parse(FIRST.as_bytes()).as_ref(), Some(&located));
        assert_eq!(Located::parse(SECOND.as_bytes()), Some(located));
        let empty = Located::parse(br#"{"BlockLocations":{"BlockLocation":[]}}"#);
        assert_eq!(empty, Some(Located::default()));
    }

    #[test]
    fn what_is_odd_is_unknown() {
        let block = |rest: &str| format!(r#"{{"BlockLocations":{{"BlockLocation":[{{{rest}}}]}}}}"#);
        let long = "a".repeat(254);
        for bad in [
            String::new(),
            "<html>".to_owned(),
            "{}".to_owned(),
            "[".repeat(100_000),
            r#"{"BlockLocations":null}"#.to_owned(),
            block(r#""offset":-1,"length":1"#),
            block(r#""offset":1e30,"length":1"#),
            block(r#""offset":18446744073709551615,"length":1"#),
            block(r#""offset":0,"length":1,"hosts":[""]"#),
            block(r#""offset":0,"length":1,"hosts":["a b"]"#),
            block(r#""offset":0,"length":1,"hosts":["a\u001b[31m"]"#),
            block(&format!(r#""offset":0,"length":1,"hosts":["{long}"]"#)),
        ] {
            assert_eq!(Located::parse(bad.as_bytes()), None, "{}", &bad[..bad.len().min(80)]);
        }
        let odd = block(r#""offset":0,"length":1,"hosts":["a"],"topologyPaths":["no","/x/y/z"]"#);
        assert_eq!(Located::parse(odd.as_bytes()).unwrap().racks, []);
    }
}
