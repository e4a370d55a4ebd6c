//! A placement in words: what `--explain --hosts` prints.

use std::fmt;

use super::{Advice, HostShare, Placement, Reads};
use crate::bytes::format_bytes;

impl fmt::Display for Reads {
    /// Such as `3.0MiB here, 1.0MiB in the rack, 2.0MiB remote`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} local", format_bytes(self.local_bytes))?;
        if let Some(bytes) = self.rack_bytes {
            write!(f, ", {} in the same rack", format_bytes(bytes))?;
        }
        write!(f, ", {} remote", format_bytes(self.remote_bytes))?;
        match self.unknown_bytes {
            0 => Ok(()),
            bytes => write!(f, ", {} nobody knows where", format_bytes(bytes)),
        }
    }
}

impl fmt::Display for Placement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let computing = self.hosts.iter().filter(|share| !share.peers.is_empty()).count();
        writeln!(
            f,
            "hosts     {computing} compute; the busiest sends or receives {}",
            format_bytes(self.busiest_bytes)
        )?;
        writeln!(f, "reads     {} of {}", self.reads, format_bytes(self.reads.bytes()))?;
        write!(
            f,
            "unplaced  {}: bricks in the order of their numbers, without looking",
            self.reads_unplaced
        )?;
        for HostShare { host, rack, peers, reads, sent_bytes, received_bytes } in &self.hosts {
            write!(f, "\n  {}{host}: ", rack.as_ref().map(|rack| format!("{rack}/")).unwrap_or_default())?;
            match &peers[..] {
                [] => f.write_str("no peers")?,
                [one] => write!(f, "peer {one} reads {reads}")?,
                _ => {
                    let peers: Vec<String> = peers.iter().map(u64::to_string).collect();
                    write!(f, "peers {} read {reads}", peers.join(","))?;
                }
            }
            write!(f, "; sends {}, receives {}", format_bytes(*sent_bytes), format_bytes(*received_bytes))?;
        }
        Ok(())
    }
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Advice { operand, local_bytes_more, rewrite_bytes, pays_after, .. } = self;
        let hosts: Vec<&str> = self.hosts.iter().map(|host| host.name()).collect();
        write!(
            f,
            "a placed copy of {operand:?} would make {} more local for a rewrite of {}: pays after {pays_after} use{}: \
             hama matrix blocking {} {} --copy --hosts {}",
            format_bytes(*local_bytes_more),
            format_bytes(*rewrite_bytes),
            if *pays_after == 1 { "" } else { "s" },
            self.name,
            self.blocks,
            hosts.join(",")
        )
    }
}
