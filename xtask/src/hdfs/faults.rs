//! What goes wrong with servers: killed, frozen, started again.

use rustix::process::Signal;

use super::{Hdfs, web};
use crate::servers::jvm::Server;

impl Hdfs {
    /// Ends the NameNode by kill -9.
    ///
    /// # Errors
    /// Where it does not run.
    pub fn kill_namenode(&self) -> Result<(), String> {
        self.lock().namenode.take().ok_or("the NameNode does not run")?.kill()
    }

    /// Starts the NameNode again, and waits until everything serves.
    ///
    /// # Errors
    /// Where it ends again, and why.
    pub fn start_namenode(&self) -> Result<(), String> {
        self.spawn_namenode()?;
        self.wait_until_it_serves()
    }

    /// Stops the NameNode in its tracks (SIGSTOP): it keeps its connections and answers nothing.
    ///
    /// # Errors
    /// Where it does not run.
    pub fn freeze_namenode(&self) -> Result<(), String> {
        self.lock().namenode.as_ref().ok_or("the NameNode does not run")?.signal(Signal::STOP)
    }

    /// Lets it go on.
    ///
    /// # Errors
    /// Where it does not run.
    pub fn thaw_namenode(&self) -> Result<(), String> {
        self.lock().namenode.as_ref().ok_or("the NameNode does not run")?.signal(Signal::CONT)
    }

    /// Ends a DataNode by kill -9.
    ///
    /// # Errors
    /// Where it does not run.
    pub fn kill_datanode(&self, index: usize) -> Result<(), String> {
        let mut servers = self.lock();
        servers.frozen[index] = false;
        servers.datanodes[index].take().ok_or_else(|| not_running(index))?.kill()
    }

    /// Starts a DataNode again, with its blocks and its ports, and waits until the NameNode has it.
    ///
    /// # Errors
    /// Where it ends again, and why.
    pub fn start_datanode(&self, index: usize) -> Result<(), String> {
        self.spawn_datanode(index)?;
        let http = format!("{}:{}", self.host(index), self.addresses.datanodes[index][1]);
        self.wait(|| {
            let bean = web::bean(&http, "DataNode", "DataNodeInfo").unwrap_or_default();
            let actors = bean["BPServiceActorInfo"].as_str().unwrap_or_default();
            actors.contains("\"ActorState\":\"RUNNING\"")
        })
    }

    /// Stops a DataNode in its tracks (SIGSTOP): it keeps its connections and answers nothing.
    ///
    /// # Errors
    /// Where it does not run.
    pub fn freeze_datanode(&self, index: usize) -> Result<(), String> {
        let mut servers = self.lock();
        servers.datanodes[index].as_ref().ok_or_else(|| not_running(index))?.signal(Signal::STOP)?;
        servers.frozen[index] = true;
        Ok(())
    }

    /// Lets it go on.
    ///
    /// # Errors
    /// Where it does not run.
    pub fn thaw_datanode(&self, index: usize) -> Result<(), String> {
        let mut servers = self.lock();
        servers.datanodes[index].as_ref().ok_or_else(|| not_running(index))?.signal(Signal::CONT)?;
        servers.frozen[index] = false;
        Ok(())
    }

    /// Kills all that runs, starts all, and waits until it serves.
    ///
    /// # Errors
    /// Where a server ends again, and why.
    pub fn restart(&self) -> Result<(), String> {
        let mut servers = self.lock();
        servers.frozen.fill(false);
        let running: Vec<Server> = servers.datanodes.iter_mut().filter_map(Option::take).collect();
        let running = servers.namenode.take().into_iter().chain(running);
        running.into_iter().try_for_each(Server::kill)?;
        drop(servers);
        self.start_all()
    }
}

fn not_running(index: usize) -> String {
    format!("DataNode {index} does not run")
}
