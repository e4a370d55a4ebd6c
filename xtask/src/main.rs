//! Sets up and runs what the tests of Hama need.
fn main() {}
