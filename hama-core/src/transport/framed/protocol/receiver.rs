//! The receiving half of a link: says of each frame whether it is wanted, and what to answer.

use std::collections::{BTreeMap, BTreeSet};

use crate::transport::framed::header::{Header, Kind, Route};
use crate::transport::framed::protocol::{REPETITIONS_MAX, Violation};

// Frames that come too early are remembered by number: a bound for a sender that leaves a gap for ever.
const WINDOW: u64 = 4096;

/// What has arrived of one route.
#[derive(Debug)]
pub(crate) struct Receiver {
    route: Route,
    // The superstep that this peer is in: frames of it and of the next may come.
    superstep: u64,
    // The first sequence that is missing.
    next: u64,
    // The ones beyond it that have arrived.
    early: BTreeSet<u64>,
    // What has arrived of this superstep and the next.
    spans: BTreeMap<u64, Span>,
    answer: Answer,
    // The last missing sequence that was asked for.
    asked_for: Option<u64>,
    // How often the first missing frame came damaged.
    damages: u32,
}

/// The sequences of a superstep's frames that have arrived.
#[derive(Clone, Copy, Debug)]
struct Span {
    first: u64,
    last: u64,
    // The last frame of the superstep is among them.
    is_closed: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Answer {
    due: bool,
    resend: bool,
}

/// What to do with a frame, by its header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Read the body; if its checksum is right, deliver it.
    Deliver,
    /// It says something about the frames that go the other way.
    Control,
    /// Skip the body.
    Skip(Unwanted),
}

/// Why a frame is not wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unwanted {
    /// It has arrived before.
    Duplicate,
    /// It is of another job, route, attempt or epoch.
    Foreign,
    /// It is too far ahead of one that is missing.
    Early,
}

impl Receiver {
    /// For frames of `route`, from superstep 0.
    pub(crate) fn new(route: Route) -> Receiver {
        Receiver {
            route,
            superstep: 0,
            next: 0,
            early: BTreeSet::new(),
            spans: BTreeMap::new(),
            answer: Answer::default(),
            asked_for: None,
            damages: 0,
        }
    }

    /// Says whether a frame is wanted.
    pub(crate) fn judge(&mut self, header: &Header) -> Result<Verdict, Violation> {
        if header.route != self.route {
            return Ok(Verdict::Skip(Unwanted::Foreign));
        }
        if matches!(header.kind, Kind::Ack | Kind::Goodbye) {
            return Ok(Verdict::Control);
        }
        if header.sequence < self.next || self.early.contains(&header.sequence) {
            // Its acknowledgement was lost.
            self.answer.due = true;
            return Ok(Verdict::Skip(Unwanted::Duplicate));
        }
        if header.sequence - self.next > WINDOW {
            self.ask();
            return Ok(Verdict::Skip(Unwanted::Early));
        }
        if header.superstep < self.superstep || header.superstep > self.superstep + 1 {
            return Err(Violation::Superstep {
                from: self.route.sender,
                sequence: header.sequence,
                superstep: header.superstep,
                current: self.superstep,
            });
        }
        if !self.is_in_order(header) {
            return Err(Violation::Order {
                from: self.route.sender,
                sequence: header.sequence,
                superstep: header.superstep,
            });
        }
        Ok(Verdict::Deliver)
    }

    /// A frame that was wanted is there, whole.
    pub(crate) fn delivered(&mut self, header: &Header) {
        self.answer.due = true;
        self.extend_span(header);
        if header.sequence > self.next {
            self.early.insert(header.sequence);
            self.ask();
            return;
        }
        self.damages = 0;
        self.next += 1;
        while self.early.remove(&self.next) {
            self.next += 1;
        }
    }

    /// The body of a frame that was wanted is damaged: it is asked for again, but not for ever.
    pub(crate) fn damaged(&mut self, header: &Header) -> Result<(), Violation> {
        // Others have their turn when they are the first that is missing.
        if header.sequence == self.next {
            self.damages += 1;
        }
        if self.damages > REPETITIONS_MAX {
            return Err(Violation::Damaged {
                from: self.route.sender,
                sequence: header.sequence,
                superstep: header.superstep,
                times: self.damages,
            });
        }
        self.asked_for = None;
        self.ask();
        Ok(())
    }

    /// What is to be told to the sender, if there is something.
    pub(crate) fn take_ack(&mut self) -> Option<Header> {
        let answer = std::mem::take(&mut self.answer);
        let header = Header::new(Kind::Ack, self.route.back(), self.superstep, self.next, &[]);
        answer.due.then_some(Header { resend: answer.resend, ..header })
    }

    /// This peer is now in `superstep`.
    pub(crate) fn advance(&mut self, superstep: u64) {
        self.superstep = superstep;
        self.spans = self.spans.split_off(&superstep);
    }

    /// Whether the frames that have arrived leave room for this one: each superstep's come before those of the
    /// next, and nothing comes behind its end.
    fn is_in_order(&self, header: &Header) -> bool {
        let Header { kind, superstep, sequence, .. } = *header;
        let span = |superstep: Option<u64>| superstep.and_then(|superstep| self.spans.get(&superstep));
        let follows = span(superstep.checked_sub(1)).is_none_or(|before| before.last < sequence);
        let precedes = span(superstep.checked_add(1)).is_none_or(|after| sequence < after.first);
        let fits = span(Some(superstep)).is_none_or(|span| match kind {
            Kind::EndOfStep => !span.is_closed && span.last < sequence,
            _ => !span.is_closed || sequence < span.last,
        });
        follows && precedes && fits
    }

    fn extend_span(&mut self, header: &Header) {
        let Header { kind, superstep, sequence, .. } = *header;
        let new = Span { first: sequence, last: sequence, is_closed: false };
        let span = self.spans.entry(superstep).or_insert(new);
        span.first = span.first.min(sequence);
        span.last = span.last.max(sequence);
        span.is_closed |= kind == Kind::EndOfStep;
    }

    /// Asks for what is missing, once.
    fn ask(&mut self) {
        if self.asked_for != Some(self.next) {
            self.asked_for = Some(self.next);
            self.answer = Answer { due: true, resend: true };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{JobId, PeerId};

    fn route() -> Route {
        Route {
            job: JobId::from_bytes([1; 16]),
            attempt: 3,
            epoch: 5,
            sender: PeerId::from_index(1),
            destination: PeerId::from_index(2),
        }
    }

    fn bundle(sequence: u64, superstep: u64) -> Header {
        Header::new(Kind::Bundle, route(), superstep, sequence, b"x")
    }

    fn deliver(receiver: &mut Receiver, sequence: u64) {
        assert_eq!(receiver.judge(&bundle(sequence, 0)), Ok(Verdict::Deliver));
        receiver.delivered(&bundle(sequence, 0));
    }

    fn ack(receiver: &mut Receiver) -> Option<(u64, bool)> {
        receiver.take_ack().map(|ack| (ack.sequence, ack.resend))
    }

    #[test]
    fn frames_are_accepted_in_any_order_and_once() {
        let mut receiver = Receiver::new(route());
        assert_eq!(ack(&mut receiver), None);
        deliver(&mut receiver, 0);
        assert_eq!(ack(&mut receiver), Some((1, false)));
        deliver(&mut receiver, 3);
        assert_eq!(ack(&mut receiver), Some((1, true)));
        deliver(&mut receiver, 2);
        // Frame 1 was asked for already.
        assert_eq!(ack(&mut receiver), Some((1, false)));
        for twice in [0, 2, 3] {
            let verdict = receiver.judge(&bundle(twice, 0));
            assert_eq!(verdict, Ok(Verdict::Skip(Unwanted::Duplicate)));
        }
        deliver(&mut receiver, 1);
        assert_eq!(ack(&mut receiver), Some((4, false)));
        assert_eq!(ack(&mut receiver), None);
    }

    #[test]
    fn a_damaged_frame_is_asked_for_each_time_but_not_for_ever() {
        let mut receiver = Receiver::new(route());
        for _ in 0..2 {
            receiver.damaged(&bundle(0, 0)).unwrap();
            assert_eq!(ack(&mut receiver), Some((0, true)));
        }
        deliver(&mut receiver, 0);
        assert_eq!(ack(&mut receiver), Some((1, false)));
        for _ in 0..REPETITIONS_MAX {
            receiver.damaged(&bundle(1, 0)).unwrap();
            // One that has to wait does not count.
            receiver.damaged(&bundle(2, 0)).unwrap();
        }
        let says = receiver.damaged(&bundle(1, 0)).unwrap_err().to_string();
        assert_eq!(says, "frame 1 of superstep 0 from peer 1 was damaged 17 times");
    }

    fn end(sequence: u64, superstep: u64) -> Header {
        Header { kind: Kind::EndOfStep, ..bundle(sequence, superstep) }
    }

    #[test]
    fn nothing_comes_behind_the_end_of_a_superstep() {
        let mut receiver = Receiver::new(route());
        let mut judge = |header: Header| receiver.judge(&header).inspect(|_| receiver.delivered(&header));
        for header in [bundle(1, 0), end(4, 0), bundle(6, 1)] {
            assert_eq!(judge(header), Ok(Verdict::Deliver));
        }
        for (header, says) in [
            (end(2, 0), "frame 2 of superstep 0 out of"),
            (end(5, 0), "frame 5 of superstep 0 out of"),
            (bundle(5, 0), "frame 5 of superstep 0 out of"),
            (bundle(7, 0), "frame 7 of superstep 0 out of"),
            (bundle(3, 1), "frame 3 of superstep 1 out of"),
            (end(5, 1), "frame 5 of superstep 1 out of"),
        ] {
            let violation = judge(header).unwrap_err().to_string();
            assert!(violation.contains(says), "{violation}");
        }
        for header in [bundle(0, 0), bundle(3, 0), bundle(2, 0), bundle(5, 1), end(7, 1)] {
            assert_eq!(judge(header), Ok(Verdict::Deliver));
        }
    }

    #[test]
    fn frames_of_other_routes_and_times_are_skipped() {
        let mut receiver = Receiver::new(route());
        let mut judge = |route: Route| receiver.judge(&Header { route, ..bundle(0, 0) });
        let foreign = Ok(Verdict::Skip(Unwanted::Foreign));
        assert_eq!(judge(Route { attempt: 2, ..route() }), foreign);
        assert_eq!(judge(Route { epoch: 4, ..route() }), foreign);
        assert_eq!(judge(Route { attempt: 4, ..route() }), foreign);
        assert_eq!(judge(Route { epoch: 6, ..route() }), foreign);
        assert_eq!(judge(Route { job: JobId::from_bytes([2; 16]), ..route() }), foreign);
        assert_eq!(judge(Route { sender: PeerId::from_index(3), ..route() }), foreign);
        assert_eq!(judge(Route { attempt: 2, ..route().back() }), foreign);
        assert_eq!(judge(route()), Ok(Verdict::Deliver));
    }

    #[test]
    fn frames_of_other_supersteps_are_a_violation_but_repetitions_are_not() {
        let mut receiver = Receiver::new(route());
        deliver(&mut receiver, 0);
        receiver.advance(5);
        assert_eq!(receiver.judge(&bundle(0, 0)), Ok(Verdict::Skip(Unwanted::Duplicate)));
        assert_eq!(receiver.judge(&bundle(1, 5)), Ok(Verdict::Deliver));
        assert_eq!(receiver.judge(&bundle(1, 6)), Ok(Verdict::Deliver));
        let says = receiver.judge(&bundle(1, 4)).unwrap_err().to_string();
        assert_eq!(says, "peer 1 sent frame 1 of superstep 4 in superstep 5");
        assert!(receiver.judge(&bundle(1, 7)).is_err());
    }

    #[test]
    fn frames_far_ahead_are_skipped() {
        let mut receiver = Receiver::new(route());
        for far in [WINDOW + 1, u64::MAX] {
            assert_eq!(receiver.judge(&bundle(far, 0)), Ok(Verdict::Skip(Unwanted::Early)));
        }
        assert_eq!(ack(&mut receiver), Some((0, true)));
        assert_eq!(receiver.judge(&bundle(WINDOW, 0)), Ok(Verdict::Deliver));
    }
}
