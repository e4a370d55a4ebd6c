//! Ctrl-C: the first ends the command cleanly, the second at once.

use std::sync::atomic::{AtomicBool, Ordering};

use hama::Cancel;

use super::Global;
use super::output::warn;

const EXIT_CODE: i32 = 130;

static WAS_ASKED: AtomicBool = AtomicBool::new(false);

/// Whether Ctrl-C has asked for the end.
pub(crate) fn was_asked() -> bool {
    WAS_ASKED.load(Ordering::Relaxed)
}

/// From now on Ctrl-C (and SIGTERM, SIGHUP) asks `cancel` for the end; a second one ends the process where it
/// stands.
pub(crate) fn ends(global: &Global, cancel: Cancel) {
    let silent = global.json;
    let installed = ctrlc::set_handler(move || {
        if cancel.is_cancelled() {
            std::process::exit(EXIT_CODE);
        }
        if !silent {
            warn("\nhama: interrupted, cleaning up; once more to end at once\n");
        }
        WAS_ASKED.store(true, Ordering::Relaxed);
        cancel.cancel();
    });
    if let Err(error) = installed {
        // The system's own way stays: the process ends at once, and the next command cleans up.
        tracing::warn!(%error, "cannot catch interrupts");
    }
}

/// From now on Ctrl-C (and SIGTERM, SIGHUP) ends this process at once: there is nothing to clean up.
pub(crate) fn ends_at_once() {
    if let Err(error) = ctrlc::set_handler(|| std::process::exit(EXIT_CODE)) {
        tracing::warn!(%error, "cannot catch interrupts");
    }
}
