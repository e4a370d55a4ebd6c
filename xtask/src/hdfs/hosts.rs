//! Hosts on one machine: a network namespace of our own where 127.0.0.2 and so on are addresses, each with its DataNode.
//!
//! There the kernel calls from 127.0.0.N whom it dials at 127.0.0.N: so a client is on the host whose address it dials.
//! What WebHDFS creates lies anywhere: a DataNode writes it, and dials the NameNode at 127.0.0.1.

use std::path::Path;
use std::process::{Command, Stdio};

/// Set to 1 in such a namespace.
const VARIABLE: &str = "HAMA_HDFS_HOSTS";

/// The last number of addresses: as many hosts as an HDFS may have DataNodes.
const SCRIPT: &str = r#"
ip link set lo up || exit 125
for host in 2 3 4 5 6 7 8 9 10; do ip addr add "127.0.0.$host/32" dev lo || exit 125; done
exec "$0" "$@"
"#;

/// Whether we run where 127.0.0.2 and so on are hosts.
pub fn are_hosts_here() -> bool {
    std::env::var_os(VARIABLE).is_some_and(|value| value == "1")
}

/// `program`, to be run where they are: without any network but the loopback device, and able to mount. All of that goes
/// when the last process in there ends.
pub fn on_hosts(program: &Path) -> Command {
    let mut command = Command::new("unshare");
    if !rustix::process::geteuid().is_root() {
        command.arg("--map-root-user");
    }
    command.args(["--net", "--mount", "sh", "-c", SCRIPT]).arg(program).env(VARIABLE, "1");
    command
}

/// Whether this machine lets us make hosts.
///
/// # Errors
/// Says why not.
pub fn may_make_hosts() -> Result<(), String> {
    let output = on_hosts(Path::new("true")).stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("cannot start unshare: {error} (Debian: util-linux)"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let why = said.lines().next().unwrap_or_default();
    let hint = if why.contains("not found") { " (Debian: apt-get install -y iproute2)" } else { "" };
    Err(format!("no network namespace here: {why}{hint}"))
}

/// Whether we may mount a small file system, which makes a full disk.
///
/// # Errors
/// Says why not.
pub fn may_mount() -> Result<(), String> {
    let mut command = Command::new("unshare");
    command.args(["--mount", "mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", "/tmp"]);
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("cannot start unshare: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    let why = said.lines().next().unwrap_or_default();
    if output.status.success() { Ok(()) } else { Err(format!("nothing may be mounted here: {why}")) }
}
