//! The nodes of a meeting: their paths, and what is told by their names alone.
//!
//! ```text
//! /meetings/JOB.ATTEMPT.EPOCH          the participants
//!     news/present-GROOM               a groom takes part, as long as its session lasts
//!     news/left-GROOM                  it has gone in good order
//!     news/failed                      the job fails: why
//!     news/arrived-SUPERSTEP-GROOM-..  few grooms: it has arrived, and what its peers say, so that nobody has to read it
//!     counter                          many: its version says how many have arrived in all
//!     arrived/SUPERSTEP-GROOM          many: what a groom's peers say
//!     news/released-SUPERSTEP-HALT-MESSAGES    many: all have arrived, and the tally
//! ```

use crate::barrier::{Ending, Tally};
use crate::cluster::gather::Summary;
use crate::ids::{JobId, PeerId};

/// Below which all meetings are.
pub(super) const MEETINGS: &str = "/meetings";

/// The paths of one meeting.
#[derive(Clone, Debug)]
pub(super) struct Paths {
    pub(super) base: String,
    pub(super) counter: String,
    pub(super) arrived: String,
    pub(super) news: String,
}

impl Paths {
    pub(super) fn new(job: JobId, attempt: u32, epoch: u64) -> Paths {
        let base = format!("{MEETINGS}/{job}.{attempt}.{epoch}");
        Paths {
            counter: format!("{base}/counter"),
            arrived: format!("{base}/arrived"),
            news: format!("{base}/news"),
            base,
        }
    }

    pub(super) fn arrival(&self, groom: usize, superstep: u64) -> String {
        format!("{}/{superstep}-{groom}", self.arrived)
    }

    pub(super) fn told(&self, news: News) -> String {
        format!("{}/{}", self.news, news.name())
    }

    /// What the path of a node in `news` tells; nothing for a node that we do not make.
    pub(super) fn news_of(&self, path: &str) -> Option<News> {
        News::of_name(path.strip_prefix(&self.news)?.strip_prefix('/')?)
    }
}

/// What the name of a node in `news` tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    Present(usize),
    Left(usize),
    Arrived(u64, usize, Summary),
    Released(u64, Tally),
    Failed,
}

impl News {
    pub(super) fn name(self) -> String {
        match self {
            News::Present(groom) => format!("present-{groom}"),
            News::Left(groom) => format!("left-{groom}"),
            News::Arrived(superstep, groom, Summary { ending, first, halt, messages, peers }) => {
                let (ending, halt) = (word_of(ending), u8::from(halt));
                format!("arrived-{superstep}-{groom}-{ending}-{first}-{halt}-{messages}-{peers}")
            }
            News::Released(superstep, Tally { halt, messages }) => {
                format!("released-{superstep}-{}-{messages}", u8::from(halt))
            }
            News::Failed => "failed".to_owned(),
        }
    }

    pub(super) fn of_name(name: &str) -> Option<News> {
        let parts: Vec<&str> = name.split('-').collect();
        let news = match parts[..] {
            ["present", groom] => News::Present(groom.parse().ok()?),
            ["left", groom] => News::Left(groom.parse().ok()?),
            ["arrived", superstep, groom, ending, first, halt, messages, peers] => {
                let said = Summary {
                    ending: ending_of(ending)?,
                    first: peer_of(first)?,
                    halt: halt == "1",
                    messages: messages.parse().ok()?,
                    peers: peers.parse().ok()?,
                };
                News::Arrived(superstep.parse().ok()?, groom.parse().ok()?, said)
            }
            ["released", superstep, halt, messages] => {
                let tally = Tally { halt: halt == "1", messages: messages.parse().ok()? };
                News::Released(superstep.parse().ok()?, tally)
            }
            ["failed"] => News::Failed,
            _ => return None,
        };
        // One name for each, and nothing behind it.
        (news.name() == name).then_some(news)
    }
}

fn word_of(ending: Ending) -> String {
    match ending {
        Ending::Sync => "sync".to_owned(),
        Ending::Broadcast { root } => format!("broadcast{root}"),
        Ending::Gather { root } => format!("gather{root}"),
        Ending::Reduce { root } => format!("reduce{root}"),
        Ending::AllReduce => "allreduce".to_owned(),
        Ending::Return => "return".to_owned(),
    }
}

fn ending_of(word: &str) -> Option<Ending> {
    let (kind, root) = word.split_at(word.find(|c: char| c.is_ascii_digit()).unwrap_or(word.len()));
    Some(match kind {
        "sync" => Ending::Sync,
        "broadcast" => Ending::Broadcast { root: peer_of(root)? },
        "gather" => Ending::Gather { root: peer_of(root)? },
        "reduce" => Ending::Reduce { root: peer_of(root)? },
        "allreduce" => Ending::AllReduce,
        "return" => Ending::Return,
        _ => return None,
    })
}

fn peer_of(word: &str) -> Option<PeerId> {
    word.parse().ok().map(PeerId::from_index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn news_are_read_as_they_are_written() {
        let tally = |halt, messages| Tally { halt, messages };
        let first = PeerId::from_index(4);
        let said = |ending, messages| Summary { ending, first, halt: true, messages, peers: 2 };
        let all = [
            (News::Present(0), "present-0"),
            (News::Left(12), "left-12"),
            (News::Arrived(3, 1, said(Ending::Sync, 0)), "arrived-3-1-sync-4-1-0-2"),
            (
                News::Arrived(u64::MAX, 0, said(Ending::Reduce { root: PeerId::from_index(12) }, u64::MAX)),
                "arrived-18446744073709551615-0-reduce12-4-1-18446744073709551615-2",
            ),
            (News::Released(7, tally(true, 0)), "released-7-1-0"),
            (
                News::Released(u64::MAX, tally(false, u64::MAX)),
                "released-18446744073709551615-0-18446744073709551615",
            ),
            (News::Failed, "failed"),
        ];
        for (news, name) in all {
            assert_eq!(news.name(), name);
            assert_eq!(News::of_name(name), Some(news));
        }
        let root = PeerId::from_index(u32::MAX);
        for ending in [
            Ending::Sync,
            Ending::Broadcast { root },
            Ending::Gather { root },
            Ending::Reduce { root },
            Ending::AllReduce,
            Ending::Return,
        ] {
            let news = News::Arrived(0, 0, said(ending, 1));
            assert_eq!(News::of_name(&news.name()), Some(news));
        }
    }

    #[test]
    fn other_names_tell_nothing() {
        for name in [
            "",
            "-",
            "present",
            "present-",
            "present-x",
            "present-01",
            "present-+1",
            "present-1-2",
            "left--1",
            "arrived-1-1-sync-4-1-0",
            "arrived-1-1-sync-4-1-0-2-2",
            "arrived-1-1-sync-4-2-0-2",
            "arrived-1-1-sync4-4-1-0-2",
            "arrived-1-1-gather-4-1-0-2",
            "arrived-1-1-gather04-4-1-0-2",
            "arrived-1-1-gather4294967296-4-1-0-2",
            "arrived-1-1-4-4-1-0-2",
            "released-1-2-3",
            "released-1-0",
            "released-1-0-0-0",
            "released-1-0-99999999999999999999",
            "failed-1",
        ] {
            assert_eq!(News::of_name(name), None, "{name}");
        }
    }

    #[test]
    fn paths_tell_news_of_their_meeting_only() {
        let one = Paths::new(JobId::from_bytes([1; 16]), 0, 3);
        let other = Paths::new(JobId::from_bytes([1; 16]), 1, 3);
        assert_eq!(one.base, "/meetings/01010101-0101-0101-0101-010101010101.0.3");
        assert_eq!(one.arrival(2, 9), format!("{}/arrived/9-2", one.base));
        assert_eq!(one.news_of(&one.told(News::Present(4))), Some(News::Present(4)));
        assert_eq!(one.news_of(&other.told(News::Present(4))), None);
        assert_eq!(one.news_of(&one.news), None);
        assert_eq!(one.news_of(&format!("{}x/failed", one.news)), None);
    }
}
