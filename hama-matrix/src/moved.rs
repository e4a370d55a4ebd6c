//! What a job of matrices moved, as its counters say: what it read from where, and what the wire carried beside the plan.

use std::collections::BTreeMap;
use std::fmt;

use hama_core::{WIRE_BETWEEN_HOSTS, WIRE_WITHIN_HOSTS};
use serde::Serialize;

use crate::bytes::format_bytes;
use crate::placement::Passed;

/// The counters of what the plan has peers send each other.
pub(crate) const PLANNED_BETWEEN_HOSTS: &str = "planned wire bytes between hosts";
pub(crate) const PLANNED_WITHIN_HOSTS: &str = "planned wire bytes within hosts";

/// How far away what a peer reads lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Locality {
    Local,
    Rack,
    Remote,
    Unknown,
}

impl Locality {
    /// The counter of the bytes.
    pub(crate) fn counter(self) -> &'static str {
        match self {
            Locality::Local => "read bytes local",
            Locality::Rack => "read bytes rack",
            Locality::Remote => "read bytes remote",
            Locality::Unknown => "read bytes unknown",
        }
    }
}

/// What a job moved. It says nothing of jobs whose peers are threads of one process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Moved {
    /// What its peers read of its operands; `None` where none of them counted that.
    pub read: Option<ReadFrom>,
    /// What they sent each other; `None` where nothing was sent or planned.
    pub wire: Option<Wire>,
}

/// Bytes of operands that were read, whole tiles, by where a replica of them lay when the job was placed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ReadFrom {
    /// On the host of the peer that read them.
    pub local_bytes: u64,
    /// On another one of its rack.
    pub rack_bytes: u64,
    /// On others.
    pub remote_bytes: u64,
    /// Nobody knew where.
    pub unknown_bytes: u64,
}

/// Bytes that peers sent each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Wire {
    /// What sockets between hosts took: frames with their headers, acknowledgements, and what was sent again.
    pub between_hosts_bytes: u64,
    /// The same of sockets between processes of one host.
    pub within_hosts_bytes: u64,
    /// The tiles that the plan has peers send, where a plan was placed.
    pub planned: Option<Passed>,
}

impl Moved {
    /// What the counters of a job, or of one of its peers, say.
    pub fn of(counters: &BTreeMap<String, u64>) -> Moved {
        let count = |name: &str| counters.get(name).copied();
        let from = |locality: Locality| count(locality.counter());
        let read = ReadFrom {
            local_bytes: from(Locality::Local).unwrap_or(0),
            rack_bytes: from(Locality::Rack).unwrap_or(0),
            remote_bytes: from(Locality::Remote).unwrap_or(0),
            unknown_bytes: from(Locality::Unknown).unwrap_or(0),
        };
        let planned = count(PLANNED_BETWEEN_HOSTS).zip(count(PLANNED_WITHIN_HOSTS));
        let wire = Wire {
            between_hosts_bytes: count(WIRE_BETWEEN_HOSTS).unwrap_or(0),
            within_hosts_bytes: count(WIRE_WITHIN_HOSTS).unwrap_or(0),
            planned: planned.map(|(between_hosts_bytes, within_hosts_bytes)| Passed {
                between_hosts_bytes,
                within_hosts_bytes,
            }),
        };
        Moved {
            read: (read != ReadFrom::default()).then_some(read),
            wire: (wire != Wire::default()).then_some(wire),
        }
    }

    /// Whether a counter is one of those that this is made of.
    pub fn is_of(counter: &str) -> bool {
        let read =
            [Locality::Local, Locality::Rack, Locality::Remote, Locality::Unknown].map(Locality::counter);
        let wire = [PLANNED_BETWEEN_HOSTS, PLANNED_WITHIN_HOSTS, WIRE_BETWEEN_HOSTS, WIRE_WITHIN_HOSTS];
        read.contains(&counter) || wire.contains(&counter)
    }

    /// Whether there is nothing to say.
    pub fn is_empty(&self) -> bool {
        self.read.is_none() && self.wire.is_none()
    }
}

impl ReadFrom {
    /// All of them.
    pub fn bytes(&self) -> u64 {
        let ReadFrom { local_bytes, rack_bytes, remote_bytes, unknown_bytes } = *self;
        [local_bytes, rack_bytes, remote_bytes, unknown_bytes].into_iter().fold(0, u64::saturating_add)
    }
}

impl fmt::Display for Moved {
    /// A line for each of both that there is, each with its end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.read.map_or(Ok(()), |read| writeln!(f, "read       {read}"))?;
        self.wire.map_or(Ok(()), |wire| writeln!(f, "wire       {wire}"))
    }
}

impl fmt::Display for ReadFrom {
    /// Such as `97.2 % local, 2.8 % rack, 0 % remote of 3.0GiB`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let share = |bytes| percent(bytes, self.bytes());
        let ReadFrom { local_bytes, rack_bytes, remote_bytes, unknown_bytes } = *self;
        write!(
            f,
            "{} local, {} rack, {} remote",
            share(local_bytes),
            share(rack_bytes),
            share(remote_bytes)
        )?;
        if unknown_bytes > 0 {
            write!(f, ", {} nobody knows from where", share(unknown_bytes))?;
        }
        write!(f, " of {}", format_bytes(self.bytes()))
    }
}

/// A share, in tenths rounded down: 100 % is all of it.
fn percent(part: u64, all: u64) -> String {
    let tenths = u128::from(part) * 1000 / u128::from(all.max(1));
    match tenths % 10 {
        0 => format!("{} %", tenths / 10),
        rest => format!("{}.{rest} %", tenths / 10),
    }
}

impl fmt::Display for Wire {
    /// Such as `1.2GiB, 1.02 times the plan's; 1.0GiB of it between hosts, 1.02 times`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Wire { between_hosts_bytes, within_hosts_bytes, planned } = *self;
        let all = between_hosts_bytes.saturating_add(within_hosts_bytes);
        let between = format_bytes(between_hosts_bytes);
        let Some(planned) = planned else {
            return write!(f, "{}; {between} of it between hosts", format_bytes(all));
        };
        let of_plan = planned.between_hosts_bytes.saturating_add(planned.within_hosts_bytes);
        match times(all, of_plan) {
            Some(times) => write!(f, "{}, {times} times the plan's", format_bytes(all))?,
            None => write!(f, "{}, where the plan has nothing to send", format_bytes(all))?,
        }
        write!(f, "; {between} of it between hosts")?;
        match times(between_hosts_bytes, planned.between_hosts_bytes) {
            Some(times) => write!(f, ", {times} times"),
            None => Ok(()),
        }
    }
}

fn times(measured: u64, planned: u64) -> Option<String> {
    (planned > 0).then(|| format!("{:.2}", measured as f64 / planned as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moved(counters: &[(&str, u64)]) -> Moved {
        Moved::of(&counters.iter().map(|&(name, count)| (name.to_owned(), count)).collect())
    }

    #[test]
    fn both_are_said_where_they_were_counted() {
        let all = moved(&[
            (Locality::Local.counter(), 9720),
            (Locality::Rack.counter(), 280),
            (WIRE_BETWEEN_HOSTS, 2040),
            (WIRE_WITHIN_HOSTS, 1010),
            (PLANNED_BETWEEN_HOSTS, 2000),
            (PLANNED_WITHIN_HOSTS, 1000),
            ("tiles", 7),
        ]);
        assert_eq!(
            all.to_string(),
            "read       97.2 % local, 2.8 % rack, 0 % remote of 9.8KiB\n\
             wire       3KiB, 1.02 times the plan's; 2KiB of it between hosts, 1.02 times\n"
        );
        assert!(moved(&[]).is_empty() && moved(&[("tiles", 7)]).to_string().is_empty());
    }

    #[test]
    fn what_is_unknown_is_not_local_and_what_has_no_plan_is_not_compared() {
        let some = moved(&[
            (Locality::Local.counter(), 999_999),
            (Locality::Unknown.counter(), 1),
            (WIRE_WITHIN_HOSTS, 5),
        ]);
        assert_eq!(
            some.to_string(),
            "read       99.9 % local, 0 % rack, 0 % remote, 0 % nobody knows from where of 976.6KiB\n\
             wire       5B; 0B of it between hosts\n"
        );
        let none = moved(&[(WIRE_WITHIN_HOSTS, 5), (PLANNED_BETWEEN_HOSTS, 0), (PLANNED_WITHIN_HOSTS, 0)]);
        assert_eq!(
            none.to_string(),
            "wire       5B, where the plan has nothing to send; 0B of it between hosts\n"
        );
        assert_eq!(none.wire.unwrap().planned, Some(Passed::default()));
    }

    #[test]
    fn counters_that_say_absurd_things_overflow_nothing() {
        let absurd = moved(&[
            (Locality::Local.counter(), u64::MAX),
            (Locality::Remote.counter(), u64::MAX),
            (WIRE_BETWEEN_HOSTS, u64::MAX),
            (WIRE_WITHIN_HOSTS, u64::MAX),
            (PLANNED_BETWEEN_HOSTS, 1),
            (PLANNED_WITHIN_HOSTS, u64::MAX),
        ]);
        assert!(absurd.to_string().contains("100 % local"));
    }

    #[test]
    fn its_counters_are_known() {
        assert!([WIRE_WITHIN_HOSTS, PLANNED_BETWEEN_HOSTS, "read bytes rack"].into_iter().all(Moved::is_of));
        assert!(!Moved::is_of("tiles"));
    }
}
