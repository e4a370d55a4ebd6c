//! Sessions: what is refused, what is bounded, whose the nodes are.

use std::time::{Duration, Instant};

use super::{block_on, settings};
use crate::cluster::zookeeper::{CALL_BYTES_MAX, Change, Event, Fault, Settings, State, Stay, ZooKeeper};
use crate::error::{Error, ErrorKind};

const SESSION: Duration = Duration::from_secs(20);

/// What a session says where nobody serves at `servers`, and how long that took. Sessions are of 2 s.
pub fn nobody(servers: &str) -> (Error, Duration) {
    let begun = Instant::now();
    let settings = settings(servers, Duration::from_secs(2));
    let error = block_on(ZooKeeper::connect(&settings)).expect_err("nobody serves there");
    (error, begun.elapsed())
}

/// That nodes with a password are for those who have it.
///
/// # Panics
/// When it is otherwise.
pub fn passwords(servers: &str) {
    let ours = Settings { auth: Some("hama:secret".to_owned()), ..settings(servers, SESSION) };
    block_on(async {
        let zookeeper = ZooKeeper::connect(&ours).await.unwrap();
        let secret = Change::Create { path: "/a".to_owned(), data: b"secret".to_vec(), stay: Stay::Forever };
        zookeeper.multi("cannot write", &[secret]).await.unwrap();
        let again = ZooKeeper::connect(&ours).await.unwrap();
        assert_eq!(again.get("/a").await.unwrap().unwrap().data, b"secret");
        for auth in [None, Some("hama:other".to_owned()), Some("other:secret".to_owned())] {
            let stranger = match ZooKeeper::connect(&Settings { auth, ..ours.clone() }).await {
                Ok(stranger) => stranger,
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
                    continue;
                }
            };
            let error = stranger.get("/a").await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid);
            assert!(error.message().contains("USER:PASSWORD"), "{error}");
            assert!(!error.to_string().contains("secret"), "{error}");
            assert_eq!(stranger.children("/").await.unwrap_err().kind(), ErrorKind::Invalid);
            let new = Change::Create { path: "/b".to_owned(), data: Vec::new(), stay: Stay::Session };
            assert!(matches!(stranger.multi("cannot write", &[new]).await, Err((_, Fault::Failed(_)))));
        }
        assert_eq!(again.children("/").await.unwrap().unwrap(), ["a"]);
    });
}

/// That too much is refused before it is sent, changes are made all or none, and a session goes on after that.
///
/// # Panics
/// When it is otherwise.
pub fn bounds(servers: &str) {
    let settings = settings(servers, SESSION);
    block_on(async {
        let zookeeper = ZooKeeper::connect(&settings).await.unwrap();
        let create = |path: &str, len| Change::Create {
            path: path.to_owned(),
            data: vec![7; len],
            stay: Stay::Forever,
        };
        let refused = zookeeper.multi("cannot write", &[create("/a", CALL_BYTES_MAX)]).await.unwrap_err();
        assert!(matches!(refused, (_, Fault::Failed(error)) if error.kind() == ErrorKind::Invalid));
        let most = CALL_BYTES_MAX - 1000;
        zookeeper.multi("cannot write", &[create("/a", most)]).await.unwrap();
        assert_eq!(zookeeper.get("/a").await.unwrap().unwrap().data.len(), most);
        let half = [create("/b", CALL_BYTES_MAX / 2), create("/c", CALL_BYTES_MAX / 2)];
        assert!(zookeeper.multi("cannot write", &half).await.is_err());

        let failed = zookeeper.multi("cannot write", &[create("/d", 1), create("/a", 1)]).await;
        assert!(matches!(failed, Err((1, Fault::NodeExists))), "{failed:?}");
        assert_eq!(zookeeper.get("/d").await.unwrap(), None);
        let all = ["/a", "/d"].map(str::to_owned);
        let read = zookeeper.get_all(&all).await.unwrap();
        assert!(read[0].as_ref().is_some_and(|data| data.len() == most) && read[1].is_none());
        assert_eq!(*zookeeper.state().borrow(), State::Connected);
    });
}

/// That what happens below a node is told in its order, and the end of a session too.
///
/// # Panics
/// When it is otherwise.
pub fn news(servers: &str) {
    let settings = settings(servers, SESSION);
    block_on(async {
        let (one, other) =
            (ZooKeeper::connect(&settings).await.unwrap(), ZooKeeper::connect(&settings).await.unwrap());
        one.ensure("/x").await.unwrap();
        let mut events = one.events("/x").await.unwrap();
        let node =
            |path: &str| Change::Create { path: path.to_owned(), data: Vec::new(), stay: Stay::Session };
        other.multi("cannot write", &[node("/x/a"), node("/x/b")]).await.unwrap();
        other.delete("/x/a").await.unwrap();
        assert!(other.get("/x/b").await.unwrap().unwrap().is_ours);
        assert!(!one.get("/x/b").await.unwrap().unwrap().is_ours);
        drop(other);
        let created = |path: &str| Event::Created(path.to_owned());
        let deleted = |path: &str| Event::Deleted(path.to_owned());
        for expected in [created("/x/a"), created("/x/b"), deleted("/x/a"), deleted("/x/b")] {
            assert_eq!(events.next().await, expected);
        }
        one.expire().await.unwrap();
        while events.next().await != Event::Ended {}
        assert_eq!(events.next().await, Event::Ended);
        assert_eq!(one.resumed().await.unwrap_err().kind(), ErrorKind::Unavailable);
        assert_eq!(one.get("/x").await.unwrap_err().kind(), ErrorKind::Unavailable);
    });
}
