//! A request to end, for those who wait on a runtime.

use std::sync::Arc;

use tokio::sync::Notify;

use crate::cancel::Cancel;

/// Waits until `cancel` fires.
pub(crate) async fn stopped(cancel: &Cancel) {
    let told = Arc::new(Notify::new());
    let tell = Arc::clone(&told);
    let _on = cancel.on_cancel(move || tell.notify_one());
    if !cancel.is_cancelled() {
        told.notified().await;
    }
}
