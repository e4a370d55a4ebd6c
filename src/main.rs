//! The `hama` command.

mod cli;

fn main() -> std::process::ExitCode {
    // A groom that starts this executable as a peer of a job gets one here.
    hama::peer_main(hama::cluster::programs());
    cli::main()
}
