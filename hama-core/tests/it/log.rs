//! What the log says: of jobs that nobody waits for, within the job's span.

use std::cell::RefCell;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use hama_core::testing::{TRANSPORTS, in_time};
use hama_core::{BoxError, Bsp, LocalRunner, Peer, Pool};
use serde::{Deserialize, Serialize};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// Keeps errors and warnings as `span, span: level fields`.
struct Log;

static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());
static SPANS: Mutex<Vec<String>> = Mutex::new(Vec::new());
static FRAMES: AtomicU64 = AtomicU64::new(0);

fn locked(texts: &Mutex<Vec<String>>) -> MutexGuard<'_, Vec<String>> {
    texts.lock().expect("nobody panics with the lock")
}

thread_local! {
    static ENTERED: RefCell<Vec<Id>> = const { RefCell::new(Vec::new()) };
}

struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.push_str(&format!(" {}={value:?}", field.name()));
    }
}

impl Subscriber for Log {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut text = Text(span.metadata().name().to_owned());
        span.record(&mut text);
        let mut spans = locked(&SPANS);
        spans.push(text.0);
        Id::from_u64(spans.len() as u64)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let level = *event.metadata().level();
        let mut text = Text(String::new());
        event.record(&mut text);
        if level == Level::TRACE && text.0.contains("message=frame") {
            FRAMES.fetch_add(1, Ordering::SeqCst);
        }
        if level > Level::WARN {
            return;
        }
        let entered = ENTERED.with_borrow(|ids| ids.last().map(|id| id.into_u64() as usize));
        let span = entered.map_or(String::new(), |id| locked(&SPANS)[id - 1].clone());
        locked(&LINES).push(format!("{span}: {level}{}", text.0));
    }

    fn enter(&self, span: &Id) {
        ENTERED.with_borrow_mut(|ids| ids.push(span.clone()));
    }

    fn exit(&self, span: &Id) {
        ENTERED.with_borrow_mut(|ids| {
            if let Some(index) = ids.iter().rposition(|id| id == span) {
                ids.remove(index);
            }
        });
    }
}

/// Peer 0 fails.
#[derive(Serialize, Deserialize)]
struct Unwatched(String);

impl Bsp for Unwatched {
    const NAME: &'static str = "unwatched";
    type Message = ();
    type Output = ();

    fn bsp(&self, peer: &mut Peer<()>) -> Result<(), BoxError> {
        let next = peer.peer((peer.index() + 1) % peer.count())?;
        peer.send(next, &())?;
        drop(peer.sync()?);
        if peer.index() == 0 {
            return Err(self.0.clone().into());
        }
        drop(peer.sync()?);
        Ok(())
    }
}

fn lines(with: &str) -> Vec<String> {
    locked(&LINES).iter().filter(|line| line.contains(with)).cloned().collect()
}

#[test]
fn a_failure_that_nobody_waits_for_is_logged_once_and_others_are_not() {
    // Fails where another test has set one, and none does.
    tracing::subscriber::set_global_default(Log).unwrap();
    for transport in TRANSPORTS {
        let runner = LocalRunner::new(Pool::new(1 << 20)).with_transport(transport);
        let waited = runner.run(&Unwatched(format!("waited {transport:?}"))).submit(3).unwrap();
        in_time(|| waited.wait()).unwrap_err();
        assert_eq!(lines(&format!("waited {transport:?}")), [""; 0]);

        let says = format!("dropped {transport:?}");
        drop(runner.run(&Unwatched(says.clone())).submit(3).unwrap());
        let sought = says.clone();
        in_time(move || {
            while lines(&sought).is_empty() {
                thread::sleep(Duration::from_millis(1));
            }
        });
        let [line] = &lines(&says)[..] else { panic!("{:?}", lines(&says)) };
        assert!(line.starts_with("job ") && line.contains("program=\"unwatched\""), "{line}");
        assert!(line.contains(": ERROR message=a job failed that nobody waits for"), "{line}");
        assert!(line.contains("peer 0 on localhost in superstep 1"), "{line}");
    }
    assert!(FRAMES.load(Ordering::SeqCst) > 0);
}
