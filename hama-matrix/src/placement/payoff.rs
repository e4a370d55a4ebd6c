//! Whether a placed copy pays.

use std::fmt;

use serde::Serialize;

use crate::bytes::format_bytes;

/// What a placed copy saves and what it costs: it pays where the bytes that all uses together would read remotely are more
/// than those of one rewrite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Payoff {
    /// Bytes that each use reads now from where they are not local, and would find local in the copy.
    pub remote_bytes: u64,
    /// Bytes that making the copy reads, once.
    pub read_bytes: u64,
    /// Bytes that making it writes, once, of all replicas together.
    pub written_bytes: u64,
    /// The least number of uses that it pays for; `None` where it pays for none.
    pub pays_after: Option<u64>,
}

impl Payoff {
    /// That of a copy for so many hosts which makes `remote_bytes` of each use local and rewrites `bytes`, of which
    /// `replicas` are kept. One host has nobody to place blocks beside: that never pays.
    pub fn new(hosts: usize, remote_bytes: u64, bytes: u64, replicas: u64) -> Payoff {
        let written_bytes = bytes.saturating_mul(replicas.max(1));
        let rewrite = u128::from(bytes) + u128::from(written_bytes);
        let uses =
            rewrite.checked_div(u128::from(remote_bytes)).and_then(|uses| u64::try_from(uses + 1).ok());
        Payoff { remote_bytes, read_bytes: bytes, written_bytes, pays_after: uses.filter(|_| hosts > 1) }
    }

    /// Whether it pays for so many uses. Where both sides are equal it does not.
    pub fn pays(&self, uses: u64) -> bool {
        self.pays_after.is_some_and(|least| uses >= least)
    }

    /// What making it moves.
    pub fn rewrite_bytes(&self) -> u64 {
        self.read_bytes.saturating_add(self.written_bytes)
    }
}

impl fmt::Display for Payoff {
    /// Such as `a use reads 2.0MiB remotely, a copy reads 3.0MiB and writes 9.0MiB: it pays from 7 uses on`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [remote, read, written] =
            [self.remote_bytes, self.read_bytes, self.written_bytes].map(format_bytes);
        write!(f, "a use reads {remote} remotely, a copy reads {read} and writes {written}: ")?;
        match self.pays_after {
            None => f.write_str("it never pays"),
            Some(1) => f.write_str("it pays from 1 use on"),
            Some(uses) => write!(f, "it pays from {uses} uses on"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn more_than_one_rewrite_pays_and_as_much_does_not() {
        // Read once and written three times: 400 bytes.
        let payoff = Payoff::new(3, 100, 100, 3);
        assert_eq!((payoff.rewrite_bytes(), payoff.pays_after), (400, Some(5)));
        assert!(!payoff.pays(4) && payoff.pays(5));
        assert_eq!(
            payoff.to_string(),
            "a use reads 100B remotely, a copy reads 100B and writes 300B: it pays from 5 uses on"
        );
        assert_eq!(Payoff::new(3, 401, 100, 3).pays_after, Some(1));
        assert_eq!(Payoff::new(3, 400, 100, 3).pays_after, Some(2));
    }

    #[test]
    fn what_saves_nothing_never_pays() {
        for payoff in [Payoff::new(3, 0, 100, 1), Payoff::new(1, 100, 100, 1), Payoff::new(0, 100, 100, 1)] {
            assert!(payoff.pays_after.is_none() && !payoff.pays(u64::MAX), "{payoff}");
            assert!(payoff.to_string().ends_with("it never pays"));
        }
        // Nothing is left to copy: what is saved is for nothing.
        assert_eq!(Payoff::new(2, 1, 0, 3).pays_after, Some(1));
    }

    proptest! {
        #[test]
        fn it_pays_as_the_sums_say(
            hosts in 0usize..5, remote in any::<u64>(), bytes in any::<u64>(), replicas in 0u64..600, uses in any::<u64>(),
        ) {
            let payoff = Payoff::new(hosts, remote, bytes, replicas);
            let rewrite = u128::from(payoff.read_bytes) + u128::from(payoff.written_bytes);
            let pays = hosts > 1 && u128::from(remote) * u128::from(uses) > rewrite;
            prop_assert_eq!(payoff.pays(uses), pays);
            prop_assert!(!payoff.pays(0) && !Payoff::new(1, remote, bytes, replicas).pays(uses));
            // More uses and more bytes that become local never make it worse, more replicas never better.
            prop_assert!(!pays || payoff.pays(uses.saturating_add(1)));
            prop_assert!(!pays || Payoff::new(hosts, remote.saturating_add(1), bytes, replicas).pays(uses));
            prop_assert!(pays || !Payoff::new(hosts, remote, bytes, replicas + 1).pays(uses));
        }
    }
}
