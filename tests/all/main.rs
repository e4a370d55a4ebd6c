//! The tests from outside: the workspace as it is cut, and the `hama` command as a person runs it.

#![expect(clippy::unwrap_used, clippy::panic, reason = "what fails here fails a test")]

mod bad_input;
mod bench;
mod cluster;
mod command;
mod damage;
mod demo;
mod doctor;
mod examples;
mod files;
mod fuzzing;
mod help;
mod interrupted;
mod json;
mod locality;
mod notebook;
mod npy;
mod oracle;
mod output;
mod page;
mod pages;
mod pictures;
mod python;
mod saved_plan;
mod settings;
mod verbs;
mod versions;
mod workspace;
