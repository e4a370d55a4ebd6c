//! The sending half of a link: gives out frames in order and keeps them until they are acknowledged.

use std::collections::VecDeque;

use crate::transport::framed::frame::Frame;
use crate::transport::framed::header::{Header, Route};
use crate::transport::framed::protocol::{REPETITIONS_MAX, Violation};

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
    // How many frames have ever been given out.
    sent: u64,
    // How often the first of those that are kept has been.
    tries: u32,
    kept_bytes: u64,
}

impl Sender {
    pub(crate) fn new(route: Route) -> Sender {
        Sender { route, next: 0, kept: VecDeque::new(), given: 0, sent: 0, tries: 0, kept_bytes: 0 }
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
        self.tries += u32::from(self.given == 0);
        self.given += 1;
        self.sent = self.sent.max(frame.header.sequence + 1);
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

    /// Forgets what the other side has, and sends the rest again where it asks for that. Says whether it has
    /// more than it said before.
    pub(crate) fn acknowledged(&mut self, ack: &Header) -> Result<bool, Violation> {
        if ack.sequence > self.sent {
            return Err(Violation::Acknowledged {
                from: self.route.destination,
                acknowledged: ack.sequence,
                sent: self.sent,
            });
        }
        let first_kept = self.next - self.kept.len() as u64;
        // An acknowledgement that comes late says nothing new, and what it asks for has been sent since.
        let Some(count) = ack.sequence.checked_sub(first_kept) else { return Ok(false) };
        for frame in self.kept.drain(..count as usize) {
            self.kept_bytes -= frame.own_bytes();
        }
        self.given = self.given.saturating_sub(count as usize);
        if count > 0 {
            // The first that is left may have been given out with the others.
            self.tries = u32::from(self.given > 0);
        }
        if ack.resend {
            self.repeat()?;
        }
        Ok(count > 0)
    }

    /// Sends again all that was sent and not acknowledged, but not for ever.
    pub(crate) fn repeat(&mut self) -> Result<(), Violation> {
        if let Some(first) = self.kept.front()
            && self.tries > REPETITIONS_MAX
        {
            return Err(Violation::Unanswered {
                to: self.route.destination,
                sequence: first.header.sequence,
                superstep: first.header.superstep,
                times: self.tries,
            });
        }
        self.given = 0;
        Ok(())
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
        sender.repeat().unwrap();
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
        sender.repeat().unwrap();
        sender.acknowledged(&ack(&sender, 2, false)).unwrap();
        assert_eq!(given(&mut sender), [2]);
    }

    #[test]
    fn a_frame_is_not_repeated_for_ever() {
        for by_request in [false, true] {
            let mut sender = sender(3);
            assert_eq!(given(&mut sender), [0, 1, 2]);
            assert_eq!(sender.acknowledged(&ack(&sender, 1, false)), Ok(true));
            for _ in 0..REPETITIONS_MAX {
                if by_request {
                    assert_eq!(sender.acknowledged(&ack(&sender, 1, true)), Ok(false));
                    // The same request twice, before anything could be sent.
                    assert_eq!(sender.acknowledged(&ack(&sender, 1, true)), Ok(false));
                } else {
                    sender.repeat().unwrap();
                }
                assert_eq!(given(&mut sender), [1, 2]);
            }
            let violation = if by_request {
                sender.acknowledged(&ack(&sender, 1, true)).unwrap_err()
            } else {
                sender.repeat().unwrap_err()
            };
            let says = "peer 1 did not acknowledge frame 1 of superstep 0, sent 17 times";
            assert_eq!(violation.to_string(), says);
            // With progress it may go on.
            assert_eq!(sender.acknowledged(&ack(&sender, 2, true)), Ok(true));
        }
    }

    #[test]
    fn an_acknowledgement_of_what_was_never_sent_is_a_violation() {
        let mut sender = sender(2);
        assert!(sender.acknowledged(&ack(&sender, 1, false)).is_err());
        assert_eq!(given(&mut sender), [0, 1]);
        let says = sender.acknowledged(&ack(&sender, 3, false)).unwrap_err().to_string();
        assert_eq!(says, "peer 1 acknowledged 3 frames, 2 were sent");
        assert!(sender.acknowledged(&ack(&sender, u64::MAX, true)).is_err());
    }
}
