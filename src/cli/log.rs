//! What the crates log, on standard error.

use tracing::level_filters::LevelFilter;

use super::Global;

/// Warnings by default, nothing but errors with `-q`, what was done with `-v`, how with `-vv`, nothing with `--json`.
pub(crate) fn start(global: &Global) {
    let level = match (global.quiet, global.verbose) {
        _ if global.json => LevelFilter::OFF,
        (true, _) => LevelFilter::ERROR,
        (false, 0) => LevelFilter::WARN,
        (false, 1) => LevelFilter::INFO,
        (false, 2) => LevelFilter::DEBUG,
        (false, _) => LevelFilter::TRACE,
    };
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_ansi(false)
        // A standard error that is closed is no reason to say so there.
        .log_internal_errors(false)
        .with_writer(std::io::stderr)
        .init();
}
