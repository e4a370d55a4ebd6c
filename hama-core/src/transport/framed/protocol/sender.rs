//! The sending half of a link: gives out frames in order and keeps them until they are acknowledged.

use std::collections::VecDeque;

use crate::transport::framed::frame::Frame;
use crate::transport::framed::header::{Header, Route};
use crate::transport::framed::protocol::Violation;

/// The frames of one route that are on their way.
#[derive(Debug)]
pub(crate) struct Sender {
    route: Route,
    // The sequence of the next frame.
    next: u64,
    // All frames that are not acknowledged, in sequence up to `next`.
    kept: VecDeque<Frame>,
    // How many of them have been given out.
    given: usize,
    kept_bytes: u64,
}

impl Sender {
    pub(crate) fn new(route: Route) -> Sender {
        Sender { route, next: 0, kept: VecDeque::new(), given: 0, kept_bytes: 0 }
    }

    pub(crate) fn route(&self) -> Route {
        self.route
    }

    /// Takes a frame to be sent. It gets the route and the next number.
    pub(crate) fn push(&mut self, mut frame: Frame) {
        frame.header.route = self.route;
        frame.header.sequence = self.next;
        self.next += 1;
        self.kept_bytes += frame.own_bytes();
        self.kept.push_back(frame);
    }

    /// The next frame to write, if there is one.
    pub(crate) fn give(&mut self) -> Option<Frame> {
        let frame = self.kept.get(self.given)?.clone();
        self.given += 1;
        Some(frame)
    }

    /// Whether there is a frame to write.
    pub(crate) fn has_more(&self) -> bool {
        self.given < self.kept.len()
    }

    /// Whether all frames have been acknowledged.
    pub(crate) fn is_done(&self) -> bool {
        self.kept.is_empty()
    }

    /// The memory that the kept frames take: payloads are kept anyway.
    pub(crate) fn kept_bytes(&self) -> u64 {
        self.kept_bytes
    }

    /// Forgets what the other side has, and sends the rest again where it asks for that.
    pub(crate) fn acknowledged(&mut self, ack: &Header) -> Result<(), Violation> {
        if ack.sequence > self.next {
            return Err(Violation::Acknowledged {
                from: self.route.destination,
                acknowledged: ack.sequence,
                sent: self.next,
            });
        }
        let first_kept = self.next - self.kept.len() as u64;
        // An acknowledgement that comes late says nothing new, and what it asks for has been sent since.
        let Some(count) = ack.sequence.checked_sub(first_kept) else { return Ok(()) };
        for frame in self.kept.drain(..count as usize) {
            self.kept_bytes -= frame.own_bytes();
        }
        self.given = if ack.resend { 0 } else { self.given.saturating_sub(count as usize) };
        Ok(())
    }

    /// Sends again all that was sent and not acknowledged: nothing was heard for a while.
    pub(crate) fn repeat(&mut self) {
        self.given = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{JobId, PeerId};
    use crate::transport::framed::header::Kind;

    fn sender(frames: u64) -> Sender {
        let route = Route {
            job: JobId::random(),
            attempt: 0,
            epoch: 0,
            sender: PeerId::from_index(0),
            destination: PeerId::from_index(1),
        };
        let mut sender = Sender::new(route);
        for _ in 0..frames {
            sender.push(Frame::bundle(route, 0, vec![0; 40]));
        }
        sender
    }

    fn ack(sender: &Sender, sequence: u64, resend: bool) -> Header {
        Header { resend, ..Header::new(Kind::Ack, sender.route().back(), 0, sequence, &[]) }
    }

    fn given(sender: &mut Sender) -> Vec<u64> {
        std::iter::from_fn(|| sender.give()).map(|frame| frame.header.sequence).collect()
    }

    #[test]
    fn frames_are_kept_until_acknowledged() {
        let mut sender = sender(3);
        assert_eq!(given(&mut sender), [0, 1, 2]);
        assert_eq!((sender.has_more(), sender.kept_bytes()), (false, 120));
        sender.acknowledged(&ack(&sender, 2, false)).unwrap();
        assert_eq!((sender.is_done(), sender.kept_bytes()), (false, 40));
        sender.repeat();
        assert_eq!(given(&mut sender), [2]);
        sender.acknowledged(&ack(&sender, 3, false)).unwrap();
        assert!(sender.is_done());
    }

    #[test]
    fn a_request_repeats_from_what_is_missing() {
        let mut sender = sender(4);
        assert_eq!(given(&mut sender), [0, 1, 2, 3]);
        sender.acknowledged(&ack(&sender, 1, true)).unwrap();
        assert_eq!(given(&mut sender), [1, 2, 3]);
        // The same request, late.
        sender.acknowledged(&ack(&sender, 2, false)).unwrap();
        sender.acknowledged(&ack(&sender, 1, true)).unwrap();
        assert_eq!(given(&mut sender), [0; 0]);
    }

    #[test]
    fn an_acknowledgement_before_the_frame_was_given_again_skips_it() {
        let mut sender = sender(3);
        assert_eq!(given(&mut sender), [0, 1, 2]);
        sender.repeat();
        sender.acknowledged(&ack(&sender, 2, false)).unwrap();
        assert_eq!(given(&mut sender), [2]);
    }

    #[test]
    fn an_acknowledgement_of_what_was_never_sent_is_a_violation() {
        let mut sender = sender(2);
        let says = sender.acknowledged(&ack(&sender, 3, false)).unwrap_err().to_string();
        assert_eq!(says, "peer 1 acknowledged 3 frames, 2 were sent");
        assert!(sender.acknowledged(&ack(&sender, u64::MAX, true)).is_err());
    }
}
