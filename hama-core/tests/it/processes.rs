//! Peers that are processes: this program runs itself, once for each.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use hama_core::testing::in_time;
use hama_core::testing::processes::{Link, Meeting, Place, run_peer};
use hama_core::{BoxError, Bsp, Peer};
use serde::{Deserialize, Serialize};

/// Says to a process of this program which peer it is: its folder, index, count, and whether by TCP.
const VARIABLE: &str = "HAMA_TEST_PEER";
const PAYLOAD_BYTES: usize = 3 << 20;
const SUPERSTEPS: u64 = 5;
const LOST_AFTER_HERE: Duration = Duration::from_secs(2);

/// Every peer sends every other one a payload and some messages in each superstep, and checks what comes.
#[derive(Serialize, Deserialize)]
struct Checked {
    supersteps: u64,
    /// Whether the second peer stops, as a process, in its second superstep.
    stops: bool,
    /// Gets a file from every peer after its first superstep.
    folder: PathBuf,
}

impl Bsp for Checked {
    const NAME: &'static str = "checked";
    type Message = [u64; 3];
    type Output = u64;

    fn bsp(&self, peer: &mut Peer<[u64; 3]>) -> Result<u64, BoxError> {
        let mut received = 0;
        for superstep in 0..self.supersteps {
            if self.stops && superstep == 1 {
                if peer.index() == 0 {
                    thread::sleep(Duration::from_millis(500));
                } else {
                    Command::new("kill").args(["-STOP", &std::process::id().to_string()]).status()?;
                }
            }
            for to in peer.peers() {
                let words = [superstep, peer.index() as u64, to.index() as u64];
                let mut payload = peer.pool().take(PAYLOAD_BYTES)?;
                payload.elements_mut::<u64>().fill(value(words));
                peer.send_with(to, &words, payload.freeze())?;
                (0..1000).try_for_each(|_| peer.send(to, &words))?;
            }
            for message in peer.sync()? {
                let words = [superstep, message.from.index() as u64, peer.index() as u64];
                if message.message != words {
                    return Err(format!("{:?} instead of {words:?}", message.message).into());
                }
                let good = |word: &u64| *word == value(words);
                if message.payload.is_some_and(|payload| !payload.elements::<u64>().iter().all(good)) {
                    return Err("a payload changed".into());
                }
                received += 1;
            }
            if superstep == 0 {
                fs::write(self.folder.join(format!("running-{}", peer.index())), "")?;
            }
        }
        Ok(received)
    }
}

fn value(words: [u64; 3]) -> u64 {
    words.iter().fold(1, |value, word| (value ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

/// What a process does that is a peer. In the test program itself it is nothing.
#[test]
fn peer() {
    let Ok(place) = env::var(VARIABLE) else { return };
    let parts: Vec<&str> = place.split('|').collect();
    let [folder, index, count, link, supersteps] = parts[..] else { unreachable!("{place}") };
    let place = Place {
        folder: folder.into(),
        index: index.parse().unwrap(),
        count: count.parse().unwrap(),
        link: if link.starts_with("tcp") { Link::Tcp } else { Link::Unix },
        pool_bytes: 128 << 20,
        lost_after: LOST_AFTER_HERE,
    };
    let stops = link.ends_with("stops");
    let program = Checked { supersteps: supersteps.parse().unwrap(), stops, folder: place.folder.clone() };
    match run_peer(&program, &place) {
        Ok(received) => println!("it received {received}"),
        Err(error) => println!("it failed: {error}"),
    }
}

fn start(folder: &Path, index: u32, count: u32, link: &str, supersteps: u64) -> Child {
    Command::new(env::current_exe().expect("it runs"))
        .args(["--exact", "processes::peer", "--nocapture"])
        .env(VARIABLE, format!("{}|{index}|{count}|{link}|{supersteps}", folder.display()))
        .stdout(Stdio::piped())
        .spawn()
        .expect("the system starts processes")
}

/// What each process of the peers says in the end. `meanwhile` may do something to them.
fn run(count: u32, link: &'static str, supersteps: u64, meanwhile: fn(&Path, &mut [Child])) -> Vec<String> {
    in_time(move || {
        let folder = tempfile::tempdir().expect("there is a folder");
        let meeting = Meeting::new(folder.path(), count).expect("it is there for it");
        let mut children: Vec<Child> =
            (0..count).map(|index| start(folder.path(), index, count, link, supersteps)).collect();
        let serving = thread::spawn(|| meeting.serve());
        meanwhile(folder.path(), &mut children);
        let says = |child: Child| {
            String::from_utf8(child.wait_with_output().expect("it ends").stdout).expect("it is text")
        };
        let said = children.into_iter().map(says).collect();
        serving.join().expect("it does not panic").expect("all came");
        // Of the mesh nothing is left.
        assert_eq!(count_files(folder.path(), "data-"), 0);
        said
    })
}

fn count_files(folder: &Path, prefix: &str) -> usize {
    let names =
        fs::read_dir(folder).expect("it is there").map(|entry| entry.expect("it can be read").file_name());
    names.filter(|name| name.to_str().expect("all are ours").starts_with(prefix)).count()
}

#[test]
fn processes_exchange_messages_and_payloads() {
    for link in ["tcp", "unix"] {
        for count in [2, 3] {
            for said in run(count, link, SUPERSTEPS, |_, _| {}) {
                let expected = format!("it received {}", SUPERSTEPS * u64::from(count) * 1001);
                assert!(said.contains(&expected), "{link}: {said}");
            }
        }
    }
}

#[test]
fn a_process_that_is_killed_is_named_by_the_others() {
    for link in ["tcp", "unix"] {
        let said = run(3, link, u64::MAX, |folder, children| {
            while count_files(folder, "running-") < 3 {
                thread::sleep(Duration::from_millis(10));
            }
            let begun = Instant::now();
            children[1].kill().unwrap();
            children[0].wait().unwrap();
            children[2].wait().unwrap();
            assert!(begun.elapsed() < Duration::from_secs(20));
        });
        // The end of the one who noticed first may be what the other one notices.
        let named = |said: &str| said.contains("lost peer 1 on ") || said.contains("a peer left the meeting");
        assert!(named(&said[0]) || named(&said[2]), "{said:?}");
        for said in [&said[0], &said[2]] {
            assert!(said.contains("it failed: ") && (named(said) || said.contains("lost peer ")), "{said}");
        }
    }
}

#[test]
fn a_process_that_hangs_is_named_by_the_others() {
    for link in ["tcp-stops", "unix-stops"] {
        let said = run(2, link, u64::MAX, |_, children| {
            let [zero, one] = children else { unreachable!("there are two") };
            let begun = Instant::now();
            while zero.try_wait().unwrap().is_none() && begun.elapsed() < Duration::from_secs(30) {
                thread::sleep(Duration::from_millis(10));
            }
            // One that is stopped stays for ever.
            [one, zero].into_iter().for_each(|child| child.kill().unwrap());
        });
        assert!(said[0].contains("it failed: ") && said[0].contains("lost peer 1 on "), "{}", said[0]);
    }
}
