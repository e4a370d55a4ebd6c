//! The nodes of a meeting: their paths, and what is told by their names alone.
//!
//! ```text
//! /meetings/JOB.ATTEMPT.EPOCH          the participants
//!     counter                          its version says how many have arrived in all
//!     arrived/SUPERSTEP-GROOM          what a groom's peers say
//!     news/present-GROOM               a groom takes part, as long as its session lasts
//!     news/left-GROOM                  it has gone in good order
//!     news/released-SUPERSTEP-HALT-MESSAGES    all have arrived: the tally, so that nobody has to read it
//!     news/failed                      the job fails: why
//! ```

use crate::barrier::Tally;
use crate::ids::JobId;

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
    Released(u64, Tally),
    Failed,
}

impl News {
    pub(super) fn name(self) -> String {
        match self {
            News::Present(groom) => format!("present-{groom}"),
            News::Left(groom) => format!("left-{groom}"),
            News::Released(superstep, Tally { halt, messages }) => {
                format!("released-{superstep}-{}-{messages}", u8::from(halt))
            }
            News::Failed => "failed".to_owned(),
        }
    }

    pub(super) fn of_name(name: &str) -> Option<News> {
        let mut parts = name.split('-');
        let (kind, mut number) = (parts.next()?, || parts.next()?.parse::<u64>().ok());
        let groom = |number: u64| usize::try_from(number).ok();
        let news = match kind {
            "present" => News::Present(groom(number()?)?),
            "left" => News::Left(groom(number()?)?),
            "released" => {
                let (superstep, halt, messages) = (number()?, number()?, number()?);
                News::Released(superstep, Tally { halt: halt == 1, messages })
            }
            "failed" => News::Failed,
            _ => return None,
        };
        // One name for each, and nothing behind it.
        (news.name() == name).then_some(news)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn news_are_read_as_they_are_written() {
        let tally = |halt, messages| Tally { halt, messages };
        let all = [
            (News::Present(0), "present-0"),
            (News::Left(12), "left-12"),
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
