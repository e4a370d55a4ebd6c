//! The engine as its users see it: every test runs on every transport.

mod exchange;
