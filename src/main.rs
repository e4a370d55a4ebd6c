//! The `hama` command.

fn main() {}
