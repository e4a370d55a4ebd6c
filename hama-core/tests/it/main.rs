//! The engine as its users see it: every test runs on every transport.
#![expect(clippy::panic, reason = "programs that panic are among what is tested")]

mod alone;
mod cancel;
mod collectives;
mod dropped;
mod exchange;
mod failures;
mod faulty;
mod help;
mod log;
mod processes;
mod travel;
