//! What a user writes: a BSP program, in one of two forms.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::context::Context;
use crate::error::BoxError;
use crate::message::inbox::Inbox;
use crate::outbox::Outbox;
use crate::peer::Peer;

/// What peers send each other: any value of serde that can move between threads.
pub trait Message: Serialize + DeserializeOwned + Send + 'static {}

impl<T: Serialize + DeserializeOwned + Send + 'static> Message for T {}

/// A program that every peer runs from start to end, calling [`Peer::sync`] to end each superstep.
///
/// It travels to the peers in its serialised form, so each of them works on a copy of its own.
pub trait Bsp: Serialize + DeserializeOwned + Send + 'static {
    /// The program's name, in words joined by hyphens.
    const NAME: &'static str;
    /// What its peers send each other.
    type Message: Message;
    /// What each peer returns.
    type Output: Serialize + DeserializeOwned + Send + 'static;

    /// Runs the program on one peer.
    ///
    /// All peers must end their supersteps alike: with the same number of calls of `sync` and of the
    /// collectives, in the same order, and with nothing unsent when they return.
    ///
    /// # Errors
    /// Whatever the program returns ends the job. One of [`crate::Error`] keeps its kind, any other
    /// becomes one of kind `Program`.
    fn bsp(&self, peer: &mut Peer<Self::Message>) -> Result<Self::Output, BoxError>;
}

/// A program as a function of a superstep, with a state that is kept between two of them.
///
/// Run it as [`Supersteps`](crate::Supersteps). `init` is superstep 0; the first call of `superstep` is
/// superstep 1 and its inbox holds what `init` sent; and so on, one number for `Context::superstep`,
/// records and errors. The job halts after the first superstep in which every peer said [`Flow::Halt`] and
/// no peer sent a message. A peer that said `Halt` is called again when the job goes on.
///
/// ```
/// use hama_core::{BoxError, Context, Flow, Inbox, LocalRunner, Outbox, Pool, SuperstepProgram, Supersteps};
/// use serde::{Deserialize, Serialize};
///
/// /// Finds the largest index by telling both neighbours whenever it grows.
/// #[derive(Serialize, Deserialize)]
/// struct Largest;
///
/// fn tell(outbox: &mut Outbox<usize>, largest: usize) -> Result<(), BoxError> {
///     let (index, count) = (outbox.index(), outbox.count());
///     for neighbour in [(index + 1) % count, (index + count - 1) % count] {
///         outbox.send(outbox.peer(neighbour)?, &largest)?;
///     }
///     Ok(())
/// }
///
/// impl SuperstepProgram for Largest {
///     const NAME: &'static str = "largest";
///     type Message = usize;
///     type State = usize;
///     type Output = usize;
///
///     fn init(&self, outbox: &mut Outbox<usize>) -> Result<usize, BoxError> {
///         tell(outbox, outbox.index())?;
///         Ok(outbox.index())
///     }
///
///     fn superstep(
///         &self,
///         largest: &mut usize,
///         inbox: Inbox<usize>,
///         outbox: &mut Outbox<usize>,
///     ) -> Result<Flow, BoxError> {
///         let told = inbox.into_iter().map(|received| received.message).max();
///         if let Some(told) = told.filter(|told| told > largest) {
///             *largest = told;
///             tell(outbox, told)?;
///         }
///         Ok(Flow::Halt)
///     }
///
///     fn finish(&self, largest: usize, _: &Context) -> Result<usize, BoxError> {
///         Ok(largest)
///     }
/// }
///
/// let runner = LocalRunner::new(Pool::new(1 << 20));
/// let outcome = runner.run(&Supersteps(Largest)).peers(5)?;
/// assert_eq!(outcome.outputs, [4; 5]);
/// # Ok::<(), hama_core::Error>(())
/// ```
pub trait SuperstepProgram: Serialize + DeserializeOwned + Send + 'static {
    /// The program's name, in words joined by hyphens.
    const NAME: &'static str;
    /// What its peers send each other.
    type Message: Message;
    /// What a peer keeps from one superstep to the next: all of it.
    type State: Send + 'static;
    /// What each peer returns.
    type Output: Serialize + DeserializeOwned + Send + 'static;

    /// Makes a peer's state. What it sends is in the inbox of the first call of `superstep`.
    ///
    /// # Errors
    /// As for [`Bsp::bsp`].
    fn init(&self, outbox: &mut Outbox<Self::Message>) -> Result<Self::State, BoxError>;

    /// Does one superstep: takes what the last one sent, changes the state, sends.
    ///
    /// # Errors
    /// As for [`Bsp::bsp`].
    fn superstep(
        &self,
        state: &mut Self::State,
        inbox: Inbox<Self::Message>,
        outbox: &mut Outbox<Self::Message>,
    ) -> Result<Flow, BoxError>;

    /// Turns a peer's last state into its output.
    ///
    /// # Errors
    /// As for [`Bsp::bsp`].
    fn finish(&self, state: Self::State, context: &Context) -> Result<Self::Output, BoxError>;
}

/// Whether a peer has more to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// It has: there is another superstep.
    Continue,
    /// It has not, unless a message comes or another peer goes on.
    Halt,
}
