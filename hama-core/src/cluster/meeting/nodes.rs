//! The nodes of a meeting as a whole: made by who comes first, removed by who leaves last.

use super::FEW;
use super::names::{MEETINGS, Paths};
use crate::cluster::gather::Participant;
use crate::cluster::zookeeper::{Change, Fault, Stay, ZooKeeper};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::JobId;
use crate::message::codec;

/// How often a meeting is looked for that others remove at the same time.
const TRIES: u32 = 10;

/// Makes the nodes of a meeting where they are not there.
pub(super) async fn make(
    zookeeper: &ZooKeeper,
    paths: &Paths,
    what: &str,
    participants: &[Participant],
) -> Result<()> {
    let mut said = Vec::new();
    codec::encode(participants, "participants", &mut said)?;
    let create =
        |path: &String, data: &[u8], stay| Change::Create { path: path.clone(), data: data.to_vec(), stay };
    let mut changes =
        vec![create(&paths.base, &said, Stay::Children), create(&paths.news, &[], Stay::Children)];
    if participants.len() > FEW {
        // A container without children stays.
        changes.push(create(&paths.arrived, &[], Stay::Children));
        changes.push(create(&paths.counter, &[], Stay::Session));
    }
    for _ in 0..TRIES {
        match zookeeper.multi(what, &changes).await {
            Ok(_) => return Ok(()),
            Err((0, Fault::NoNode)) => zookeeper.ensure(MEETINGS).await?,
            Err((_, Fault::Lost)) => zookeeper.resumed().await?,
            Err((0, Fault::NodeExists)) => match zookeeper.get(&paths.base).await? {
                Some(node) if node.data == said => return Ok(()),
                Some(node) => {
                    let theirs: Vec<Participant> = codec::decode(&node.data, "participants")?;
                    return Err(Error::invalid(format!(
                        "{what}: others take part as {theirs:?}, this one as {participants:?}"
                    )));
                }
                None => {}
            },
            Err((_, fault)) => return Err(zookeeper.unexpected(what, fault)),
        }
    }
    Err(Error::new(ErrorKind::Conflict, format!("{what}: others remove {} again and again", paths.base)))
}

/// Removes all that is left of a job's meetings, for a master whose job has ended. Who still takes part fails.
///
/// # Errors
/// `Unavailable` when the session ends.
pub(crate) async fn sweep(zookeeper: &ZooKeeper, job: JobId) -> Result<()> {
    let names = zookeeper.children(MEETINGS).await?.unwrap_or_default();
    for name in names.iter().filter(|name| name.split('.').next() == Some(&job.to_string())) {
        remove(zookeeper, &format!("{MEETINGS}/{name}")).await?;
    }
    Ok(())
}

/// Removes the nodes of a meeting; several may do so at once.
pub(super) async fn remove(zookeeper: &ZooKeeper, base: &str) -> Result<()> {
    for folder in ["arrived", "news"] {
        let folder = format!("{base}/{folder}");
        for name in zookeeper.children(&folder).await?.unwrap_or_default() {
            zookeeper.delete(&format!("{folder}/{name}")).await?;
        }
        zookeeper.delete(&folder).await?;
    }
    zookeeper.delete(&format!("{base}/counter")).await?;
    zookeeper.delete(base).await
}
