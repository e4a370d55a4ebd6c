//! What an HDFS is started with.

/// What an HDFS is started with.
#[derive(Clone, Debug)]
pub struct Options {
    /// How many DataNodes.
    pub datanodes: usize,
    /// How many replicas a file has whose writer does not say.
    pub replication: u32,
    /// Whether users may do only what they are permitted. The one who started it may do everything.
    pub permissions: bool,
    /// Whether each DataNode is a host: 127.0.0.2 and so on. Only [where they are](super::are_hosts_here).
    pub hosts: bool,
    /// With hosts: the rack of each DataNode, such as `/east`. Empty: all are in one.
    pub racks: Vec<String>,
    /// A DataNode that has only so many bytes of disk. Only [where one may mount](super::may_mount).
    pub small_volume: Option<(usize, u64)>,
    /// Settings more of all servers, as of hdfs-site.xml. They win over ours.
    pub settings: Vec<(String, String)>,
}

impl Default for Options {
    /// Three DataNodes, one replica, everybody may do everything.
    fn default() -> Options {
        Options {
            datanodes: 3,
            replication: 1,
            permissions: false,
            hosts: false,
            racks: Vec::new(),
            small_volume: None,
            settings: Vec::new(),
        }
    }
}

impl Options {
    pub(super) fn check(&self) -> Result<(), String> {
        let Options { datanodes, replication, .. } = *self;
        if !(1..=9).contains(&datanodes) {
            return Err(format!("{datanodes} DataNodes: 1 to 9 are possible"));
        }
        if replication == 0 || replication as usize > datanodes {
            return Err(format!("{replication} replicas on {datanodes} DataNodes"));
        }
        if self.hosts && !super::are_hosts_here() {
            return Err("no hosts here: start the program in hdfs::on_hosts".to_owned());
        }
        if !self.racks.is_empty() && (!self.hosts || self.racks.len() != datanodes) {
            let racks = self.racks.len();
            return Err(format!(
                "{racks} racks for {datanodes} DataNodes: one each, and they have to be hosts"
            ));
        }
        if self.small_volume.is_some_and(|(index, _)| index >= datanodes) {
            return Err(format!("{:?} of {datanodes} DataNodes has a small volume", self.small_volume));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_is_refused() {
        let default = Options::default;
        assert_eq!(default().check(), Ok(()));
        let wrong = [
            Options { datanodes: 0, ..default() },
            Options { datanodes: 10, ..default() },
            Options { replication: 0, ..default() },
            Options { replication: 4, ..default() },
            Options { racks: vec!["/east".to_owned()], ..default() },
            Options { small_volume: Some((3, 1 << 20)), ..default() },
        ];
        for options in wrong {
            assert!(options.check().is_err(), "{options:?}");
        }
    }
}
