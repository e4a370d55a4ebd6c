//! Programs that go wrong end with an error that names peer and superstep, on every transport, and never hang.

use hama_core::testing::{Trial, run};
use hama_core::{BoxError, Bsp, Error, ErrorKind, Outcome, Peer, PeerId, Result};
use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// All peers exchange messages for three supersteps; peer 1, or 0 if it is alone, goes wrong in superstep 1.
#[derive(Serialize, Deserialize)]
struct Wrong(How);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum How {
    NotAtAll,
    Fails,
    FailsWithCauses,
    FailsWithHama,
    Panics,
    PanicsWithNumber,
    Returns,
    ReturnsUnsent,
    SendsNowhere,
    SendsTooMuch,
    SendsUnserialisable,
    SendsUnreadable,
}

/// A message that misbehaves on demand.
#[derive(Clone, Debug, PartialEq)]
enum Note {
    Good(u64),
    Large(usize),
    Unserialisable,
    Unreadable,
}

impl Serialize for Note {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Note::Good(number) => (0u8, vec![*number]).serialize(serializer),
            Note::Large(len) => (0u8, vec![0u64; *len]).serialize(serializer),
            Note::Unserialisable => Err(S::Error::custom("no words for it")),
            Note::Unreadable => (1u8, Vec::<u64>::new()).serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Note {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Note, D::Error> {
        match <(u8, Vec<u64>)>::deserialize(deserializer)? {
            (0, numbers) if numbers.len() == 1 => Ok(Note::Good(numbers[0])),
            (0, numbers) => Ok(Note::Large(numbers.len())),
            _ => Err(D::Error::custom("unreadable")),
        }
    }
}

impl Bsp for Wrong {
    const NAME: &'static str = "wrong";
    type Message = Note;
    type Output = usize;

    fn bsp(&self, peer: &mut Peer<Note>) -> Result<usize, BoxError> {
        let everybody: Vec<PeerId> = peer.peers().collect();
        let mut received = 0;
        for step in 0..3 {
            peer.send_many(&everybody, &Note::Good(step))?;
            if step == 1 && peer.index() == 1.min(peer.count() - 1) {
                self.go_wrong(peer)?;
                if matches!(self.0, How::Returns | How::ReturnsUnsent) {
                    return Ok(received);
                }
            }
            match peer.sync() {
                Ok(inbox) => received += inbox.len(),
                Err(_) if self.0 == How::SendsUnreadable => return Ok(0),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(received)
    }
}

impl Wrong {
    fn go_wrong(&self, peer: &mut Peer<Note>) -> Result<(), BoxError> {
        let me = peer.peer(peer.index())?;
        match self.0 {
            How::NotAtAll | How::ReturnsUnsent => {}
            How::Fails => return Err("it did not work out".into()),
            How::FailsWithCauses => Err(Outer(Inner))?,
            How::FailsWithHama => Err(Error::new(ErrorKind::OutOfSpace, "the disk is full"))?,
            How::Panics => panic!("{} is too many", peer.count()),
            How::PanicsWithNumber => std::panic::panic_any(7u8),
            How::Returns => drop(peer.sync()?),
            How::SendsNowhere => peer.send(PeerId::from_index(99), &Note::Good(0))?,
            How::SendsTooMuch => peer.send(me, &Note::Large(3 << 20))?,
            How::SendsUnserialisable => peer.send(me, &Note::Unserialisable)?,
            How::SendsUnreadable => peer.send(peer.peer(0)?, &Note::Unreadable)?,
        }
        Ok(())
    }
}

/// Runs it everywhere and expects an error of `kind` from the peer that went wrong.
fn fails(how: How, kind: ErrorKind, says: &str) {
    for Trial { peers, transport, result } in run(&Wrong(how), [1, 2, 3, 7]) {
        let error = result.expect_err("it goes wrong");
        assert_eq!(error.kind(), kind, "{how:?} {transport:?} {peers}: {error}");
        assert!(error.to_string().contains(says), "{how:?} {transport:?} {peers}: {error}");
        let at = error.place().expect("an error in a job has a place");
        assert_eq!((at.peer.index(), at.superstep), (1.min(peers - 1), 1), "{error}");
        assert!(error.to_string().starts_with(&format!("peer {} on localhost in superstep 1: ", at.peer)));
    }
}

#[test]
fn a_program_that_does_nothing_wrong_ends_well() {
    for trial in run(&Wrong(How::NotAtAll), [1, 2, 3, 7]) {
        assert_eq!(trial.result.unwrap().outputs, vec![3 * trial.peers; trial.peers]);
    }
}

#[test]
fn an_error() {
    fails(How::Fails, ErrorKind::Program, "program wrong failed: it did not work out");
}

#[derive(Debug, thiserror::Error)]
#[error("the outer cause")]
struct Outer(#[source] Inner);

#[derive(Debug, thiserror::Error)]
#[error("the inner cause")]
struct Inner;

#[test]
fn an_error_with_its_causes() {
    let says = "program wrong failed: the outer cause: the inner cause";
    fails(How::FailsWithCauses, ErrorKind::Program, says);
    for trial in run(&Wrong(How::FailsWithCauses), [2]) {
        let error = trial.result.unwrap_err();
        let outer = std::error::Error::source(&error).unwrap();
        assert!(outer.downcast_ref::<Outer>().is_some() && outer.source().unwrap().is::<Inner>());
    }
}

#[test]
fn an_error_of_hama_keeps_its_kind() {
    fails(How::FailsWithHama, ErrorKind::OutOfSpace, "the disk is full");
}

#[test]
fn a_panic() {
    fails(How::Panics, ErrorKind::Program, "program wrong panicked: ");
    fails(How::PanicsWithNumber, ErrorKind::Program, "program wrong panicked: without a message");
}

#[test]
fn unsent_messages_at_return() {
    fails(How::ReturnsUnsent, ErrorKind::Invalid, "messages are unsent: call sync before returning");
}

#[test]
fn a_message_to_a_peer_that_does_not_exist() {
    fails(How::SendsNowhere, ErrorKind::Invalid, "there is no peer 99: the job has ");
}

#[test]
fn a_message_over_the_limit() {
    let says = "cannot encode a message: it has 25165833 bytes, the limit is 16777216";
    fails(How::SendsTooMuch, ErrorKind::Invalid, says);
}

#[test]
fn a_message_that_refuses_to_be_serialised() {
    let says = "cannot encode a message: no words for it";
    fails(How::SendsUnserialisable, ErrorKind::Program, says);
}

#[test]
fn a_message_that_cannot_be_read_fails_the_job_even_if_the_program_hides_it() {
    for trial in run(&Wrong(How::SendsUnreadable), [1, 2, 3, 7]) {
        let error = trial.result.expect_err("it goes wrong");
        assert_eq!(error.kind(), ErrorKind::Data, "{error}");
        // It is the receiver that fails.
        assert_eq!(error.place().unwrap().peer.index(), 0, "{error}");
        assert!(error.to_string().contains("unreadable"), "{error}");
    }
}

#[test]
fn a_return_while_others_sync() {
    for trial in run(&Wrong(How::Returns), [2, 3, 7]) {
        let error = trial.result.expect_err("it goes wrong");
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
        let text = error.to_string();
        assert!(text.contains("ended the superstep with") && text.contains("its return"), "{text}");
        assert!(text.contains("peer 1") && text.contains("sync"), "{text}");
        assert_eq!(error.place().unwrap().superstep, 2);
    }
}

/// A failed send is forgotten, all others of its bundle arrive: the original lost them all, and said nothing.
#[derive(Serialize, Deserialize)]
struct Hides;

impl Bsp for Hides {
    const NAME: &'static str = "hides";
    type Message = Note;
    type Output = Vec<u64>;

    fn bsp(&self, peer: &mut Peer<Note>) -> Result<Vec<u64>, BoxError> {
        let everybody: Vec<PeerId> = peer.peers().collect();
        for number in 0..10 {
            peer.send_many(&everybody, &Note::Good(number))?;
            assert!(peer.send(everybody[0], &Note::Unserialisable).is_err());
            if number == 5 && peer.index() == 0 {
                assert!(peer.send(everybody[0], &Note::Large(3 << 20)).is_err());
            }
            let nobody = [everybody[0], PeerId::from_index(77)];
            assert!(peer.send_many(&nobody, &Note::Good(99)).is_err());
        }
        let numbers = peer.sync()?.into_iter().map(|received| match received.message {
            Note::Good(number) => number,
            note => panic!("{note:?}"),
        });
        Ok(numbers.collect())
    }
}

#[test]
fn a_failed_send_does_not_touch_the_others() {
    for Trial { peers, result, .. } in run(&Hides, [1, 2, 3, 7]) {
        let expected: Vec<u64> = (0..peers).flat_map(|_| 0..10).collect();
        assert_eq!(result.unwrap().outputs, vec![expected; peers]);
    }
}

/// Asks for the number of peers at the very end: the original said 1.
#[derive(Serialize, Deserialize)]
struct CountsLate;

impl Bsp for CountsLate {
    const NAME: &'static str = "counts-late";
    type Message = ();
    type Output = (usize, usize, usize);

    fn bsp(&self, peer: &mut Peer<()>) -> Result<Self::Output, BoxError> {
        drop(peer.sync()?);
        drop(peer.sync()?);
        assert!(peer.peer(peer.count()).is_err());
        Ok((peer.index(), peer.count(), peer.peers().len()))
    }
}

#[test]
fn the_number_of_peers_is_right_at_any_time() {
    for Trial { peers, result, .. } in run(&CountsLate, [1, 2, 3, 7]) {
        let Outcome { outputs, .. } = result.unwrap();
        let expected: Vec<_> = (0..peers).map(|index| (index, peers, peers)).collect();
        assert_eq!(outputs, expected);
    }
}
