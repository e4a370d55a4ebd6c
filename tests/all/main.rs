//! The tests from outside: the workspace as it is cut, and the `hama` command as a person runs it.

#![expect(clippy::unwrap_used, reason = "what fails here fails a test")]

mod workspace;
