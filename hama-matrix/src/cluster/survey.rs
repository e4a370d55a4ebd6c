//! What the hosts of a cluster can do: a job with a peer on each of them.

use std::collections::BTreeMap;

use hama_core::{BoxError, Bsp, GroomStatus, Peer};
use serde::{Deserialize, Serialize};

use crate::kernel::KernelId;

/// The label by which a groom says which kernel is the fastest on its host.
const LABEL: &str = "kernel";

/// What a groom should say of its host, so that no job has to ask: the fastest kernel there.
pub fn host_labels() -> BTreeMap<String, String> {
    [(LABEL.to_owned(), KernelId::of_this_host().to_string())].into()
}

/// The fastest kernel that runs on the hosts of all of these grooms; `None` where one of them does not say.
pub(super) fn labelled(grooms: &[GroomStatus]) -> Option<KernelId> {
    let of = |groom: &GroomStatus| {
        let label = groom.labels.get(LABEL)?;
        KernelId::ALL.into_iter().find(|kernel| kernel.to_string() == *label)
    };
    let best: Vec<KernelId> = grooms.iter().map(of).collect::<Option<_>>()?;
    KernelId::ALL.into_iter().find(|kernel| best.iter().all(|best| kernel.runs_beside(*best)))
}

/// The program: each peer says which kernels run where it is.
#[derive(Serialize, Deserialize)]
pub(super) struct Survey;

impl Bsp for Survey {
    const NAME: &'static str = "survey";
    type Message = ();
    type Output = Vec<KernelId>;

    fn bsp(&self, _: &mut Peer<()>) -> Result<Vec<KernelId>, BoxError> {
        Ok(KernelId::ALL.into_iter().filter(|kernel| kernel.runs_here()).collect())
    }
}

/// The fastest kernel that is among those of every peer. The portable one is.
pub(super) fn common(of_peers: &[Vec<KernelId>]) -> KernelId {
    let everywhere = |kernel: &KernelId| of_peers.iter().all(|kernels| kernels.contains(kernel));
    KernelId::ALL.into_iter().find(everywhere).unwrap_or(KernelId::Portable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grooms_that_say_it_are_believed_where_all_do() {
        let groom = |kernel: &str| GroomStatus {
            labels: [(LABEL.to_owned(), kernel.to_owned())].into(),
            ..GroomStatus::default()
        };
        let of = |kernels: &[&str]| labelled(&kernels.iter().map(|kernel| groom(kernel)).collect::<Vec<_>>());
        assert_eq!(of(&["avx512", "avx512"]), Some(KernelId::Avx512));
        assert_eq!(of(&["avx512", "avx2"]), Some(KernelId::Avx2));
        assert_eq!(of(&["avx2", "neon"]), Some(KernelId::Portable));
        assert_eq!(of(&["avx512", "one of tomorrow"]), None);
        assert_eq!(labelled(&[groom("avx2"), GroomStatus::default()]), None);
        let own = GroomStatus { labels: host_labels(), ..GroomStatus::default() };
        assert_eq!(labelled(&[own]), Some(KernelId::of_this_host()));
    }

    #[test]
    fn the_slowest_host_decides() {
        use KernelId::{Avx2, Avx512, Neon, Portable};
        let new = vec![Avx512, Avx2, Portable];
        let old = vec![Avx2, Portable];
        assert_eq!(common(&[new.clone(), new.clone()]), Avx512);
        assert_eq!(common(&[new.clone(), old.clone(), new.clone()]), Avx2);
        assert_eq!(common(&[new, vec![Portable], old]), Portable);
        assert_eq!(common(&[vec![Avx2, Portable], vec![Neon, Portable]]), Portable);
        assert_eq!(common(&[vec![]]), Portable);
    }
}
