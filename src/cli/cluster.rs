//! The cluster that a command looks at or tells what to do.

use hama::{Cluster, ConnectOptions, Error, ErrorKind, HamaBuilder, files};

use super::Global;
use super::failure::Failure;
use super::session::Session;

/// What to try where no master is named.
const NAME_ONE: &str = "--master HOST:PORT, HAMA_MASTER=HOST:PORT, or `master = \"HOST:PORT\"` in hama.toml";

/// How peers of a job take slots.
#[derive(clap::Args, Clone, Copy, Debug, Default)]
pub(crate) struct Slots {
    /// On a cluster: let several peers share a slot, and its core, where there are more peers than slots
    #[arg(long)]
    pub(crate) share_slots: bool,
}

/// The address of the master that the settings name.
pub(crate) fn master(global: &Global) -> Result<String, Failure> {
    global.settings.master.value.clone().ok_or_else(|| {
        Failure::from(Error::invalid("cannot find the cluster: no master is named")).or_try(NAME_ONE)
    })
}

/// How the settings say that clients find it.
pub(crate) fn options(global: &Global) -> Result<ConnectOptions, Failure> {
    let token_file = global.settings.token_file.value.clone();
    Ok(ConnectOptions { master: master(global)?, token_file })
}

/// The same settings, with jobs on the cluster where a master is named.
pub(crate) fn with_master(global: &Global, builder: HamaBuilder, shared: Slots) -> HamaBuilder {
    let builder = builder.shares_slots(shared.share_slots);
    match &global.settings.master.value {
        Some(master) => {
            let token_file = global.settings.token_file.value.clone();
            builder.master(ConnectOptions { master: master.clone(), token_file })
        }
        None => builder,
    }
}

/// Whether a name is the path of a file that other hosts do not have.
pub(crate) fn is_of_this_host(name: &str) -> bool {
    files::is_path(name) && !name.starts_with("hdfs://")
}

/// Says that something is done by this process, where a master is named, and why.
pub(crate) fn say_here(global: &Global, session: &Session, done: &str, why: &str) {
    if let Some(master) = &global.settings.master.value {
        session.say(&format!("{done} from here, and not by the cluster of {master}: {why}"));
    }
}

/// Fails where jobs run on a cluster and one of these is a file of this host, which peers do not reach.
pub(crate) fn check_names<'n>(
    global: &Global,
    names: impl IntoIterator<Item = &'n str>,
) -> Result<(), Failure> {
    let file = names.into_iter().find(|name| is_of_this_host(name));
    match (&global.settings.master.value, file) {
        (Some(master), Some(file)) => {
            let message = format!(
                "cannot use {file} in a job of the cluster of {master}: its peers do not reach files of this host"
            );
            let failure = Failure::from(Error::invalid(message));
            Err(failure
                .or_try("`hama matrix import FILE NAME` into a store that they reach, and use the name"))
        }
        _ => Ok(()),
    }
}

/// The cluster, whose master has answered.
pub(crate) fn connect(global: &Global) -> Result<Cluster, Failure> {
    Cluster::connect(&options(global)?).map_err(away)
}

/// What to try where a master does not answer.
pub(crate) fn away(error: Error) -> Failure {
    let is_away = error.kind() == ErrorKind::Unavailable;
    let failure = Failure::from(error);
    if is_away { failure.or_try("`hama master --help` says how one is started") } else { failure }
}
