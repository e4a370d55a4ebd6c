//! The tests from outside: the workspace as it is cut, and the `hama` command as a person runs it.

mod workspace;
