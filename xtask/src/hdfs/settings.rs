//! The settings of the servers: files that clients may read too (`HADOOP_CONF_DIR`), and what differs among the servers.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use super::Options;

/// Where the servers listen.
#[derive(Clone, Debug)]
pub(super) struct Addresses {
    /// The port that clients dial.
    pub(super) rpc: u16,
    /// The NameNode's HTTP.
    pub(super) web: u16,
    /// Of each DataNode: data, HTTP, its own RPC.
    pub(super) datanodes: Vec<[u16; 3]>,
}

impl Addresses {
    /// Two ports, and three more for each DataNode.
    pub(super) fn of(ports: &[u16]) -> Addresses {
        let datanodes = ports[2..].chunks_exact(3).map(|three| [three[0], three[1], three[2]]).collect();
        Addresses { rpc: ports[0], web: ports[1], datanodes }
    }
}

/// The address of a DataNode.
pub(super) fn host(options: &Options, index: usize) -> String {
    if options.hosts { format!("127.0.0.{}", index + 2) } else { "127.0.0.1".to_owned() }
}

/// Writes the settings that all share.
pub(super) fn write(home: &Path, options: &Options, addresses: &Addresses) -> Result<(), String> {
    let folder = home.join("conf");
    let mut core = vec![
        ("fs.defaultFS", format!("hdfs://127.0.0.1:{}", addresses.rpc)),
        ("hadoop.tmp.dir", home.join("tmp").display().to_string()),
    ];
    if !options.racks.is_empty() {
        let table = folder.join("racks");
        let racks = options.racks.iter().enumerate();
        let lines: String = racks.map(|(index, rack)| format!("{} {rack}\n", host(options, index))).collect();
        put(&table, &lines)?;
        core.push(("net.topology.node.switch.mapping.impl", "org.apache.hadoop.net.TableMapping".to_owned()));
        core.push(("net.topology.table.file.name", table.display().to_string()));
    }
    let mut hdfs = vec![
        ("dfs.namenode.name.dir", home.join("name").display().to_string()),
        ("dfs.namenode.http-address", format!("127.0.0.1:{}", addresses.web)),
        ("dfs.permissions.enabled", options.permissions.to_string()),
        ("dfs.replication", options.replication.to_string()),
        // A DataNode that says nothing for 3 s is avoided by readers, and after 12 s it is dead.
        // The writer's own host takes the first replica, however busy this machine is.
        ("dfs.namenode.redundancy.considerLoad", "false".to_owned()),
        ("dfs.heartbeat.interval", "1s".to_owned()),
        ("dfs.namenode.heartbeat.recheck-interval", "1000".to_owned()),
        ("dfs.namenode.stale.datanode.interval", "3000".to_owned()),
        // Else a DataNode with one writer counts as busy among idle ones, and the next writer on its host is sent elsewhere.
        ("dfs.namenode.redundancy.considerLoad", "false".to_owned()),
        ("dfs.namenode.safemode.extension", "0".to_owned()),
        ("dfs.namenode.resource.du.reserved", "0".to_owned()),
        ("dfs.datanode.du.reserved", "0".to_owned()),
        // Else a disk with less than 1 GB left takes nothing.
        ("dfs.datanode.round-robin-volume-choosing-policy.additional-available-space", "0".to_owned()),
    ];
    if options.hosts {
        // Whom a client dials decides which host it is.
        hdfs.push(("dfs.namenode.rpc-bind-host", "0.0.0.0".to_owned()));
        hdfs.push(("dfs.namenode.http-bind-host", "0.0.0.0".to_owned()));
        hdfs.push(("dfs.namenode.datanode.registration.ip-hostname-check", "false".to_owned()));
    }
    put(&folder.join("core-site.xml"), &xml(&core))?;
    // Of two of a name the last one holds.
    hdfs.extend(options.settings.iter().map(|(name, value)| (name.as_str(), value.clone())));
    put(&folder.join("hdfs-site.xml"), &xml(&hdfs))
}

/// What one DataNode is told besides.
pub(super) fn datanode(options: &Options, addresses: &Addresses, index: usize, data: &Path) -> Vec<String> {
    let host = host(options, index);
    let [transfer, http, ipc] = addresses.datanodes[index];
    let settings = [
        ("fs.defaultFS", format!("hdfs://{host}:{}", addresses.rpc)),
        ("dfs.datanode.hostname", host.clone()),
        ("dfs.datanode.address", format!("{host}:{transfer}")),
        ("dfs.datanode.http.address", format!("{host}:{http}")),
        ("dfs.datanode.ipc.address", format!("{host}:{ipc}")),
        ("dfs.datanode.data.dir", data.display().to_string()),
    ];
    settings.into_iter().flat_map(|(name, value)| ["-D".to_owned(), format!("{name}={value}")]).collect()
}

fn xml(settings: &[(&str, String)]) -> String {
    let mut text = "<?xml version=\"1.0\"?>\n<configuration>\n".to_owned();
    for (name, value) in settings {
        let value = value.replace('&', "&amp;").replace('<', "&lt;");
        // Writing into a string cannot fail.
        let _ = writeln!(text, "  <property><name>{name}</name><value>{value}</value></property>");
    }
    text + "</configuration>\n"
}

fn put(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))
}
