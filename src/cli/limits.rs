//! Limits that the system sets a process (`ulimit`): they are told as errors, and end nothing by themselves.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::SIGXFSZ;

/// From now on a file that would be longer than the limit is an error of the call that writes it. Otherwise the system
/// ends the process then, and what it was writing stays half done.
pub(crate) fn are_told() {
    // What the signal sets is not looked at: that it is caught is enough. Where it cannot be, the system has its way.
    let _ = signal_hook::flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)));
}
