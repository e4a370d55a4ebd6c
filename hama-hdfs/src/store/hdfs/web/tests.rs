use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use hama_core::ErrorKind;

use super::*;

const TIMEOUT: Duration = Duration::from_secs(20);

/// A web server that answers each request by its first line and its body.
struct Server {
    address: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start(answer: impl Fn(&str, &[u8]) -> (u16, String) + Send + Sync + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let requests: Arc<Mutex<Vec<String>>> = Arc::default();
        let (seen, answer) = (Arc::clone(&requests), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (seen, answer) = (Arc::clone(&seen), Arc::clone(&answer));
                std::thread::spawn(move || serve(stream.unwrap(), &seen, &*answer));
            }
        });
        Server { address, requests }
    }

    fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

/// What a server answers to a head and a body.
type Answers = dyn Fn(&str, &[u8]) -> (u16, String);

fn serve(stream: TcpStream, seen: &Mutex<Vec<String>>, answer: &Answers) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    loop {
        let (mut first, mut len) = (String::new(), 0);
        if reader.read_line(&mut first).unwrap_or(0) == 0 {
            return;
        }
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                len = value.trim().parse().unwrap();
            }
            if line.trim().is_empty() {
                break;
            }
        }
        let mut body = vec![0; len];
        reader.read_exact(&mut body).unwrap();
        let first = first.trim().to_owned();
        let (status, text) = answer(&first, &body);
        seen.lock().unwrap().push(first);
        // DataNodes say so unasked.
        let first = if len > 0 { "HTTP/1.1 100 Continue\r\n\r\n" } else { "" };
        let head = format!("{first}HTTP/1.1 {status} Some\r\nContent-Length: {}\r\n\r\n", text.len());
        if (&stream).write_all(format!("{head}{text}").as_bytes()).is_err() {
            return;
        }
    }
}

fn path(text: &str) -> StorePath {
    StorePath::new(text).unwrap()
}

fn web(addresses: &[&str]) -> Web {
    let addresses = addresses.iter().map(|address| (*address).to_owned()).collect();
    Web::new(addresses, Some("a b".to_owned()), "/über/100%+/", TIMEOUT)
}

/// Nobody listens there.
fn refused_port() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

fn one_block(host: &str) -> String {
    format!(
        r#"{{"BlockLocations":{{"BlockLocation":[{{"offset":0,"length":9,"hosts":["{host}"],
        "topologyPaths":["/r/1.2.3.4:9866"]}}]}}}}"#
    )
}

fn exception(name: &str) -> String {
    format!(r#"{{"RemoteException":{{"exception":"{name}","message":"why\nat x.java"}}}}"#)
}

#[test]
fn locations_are_asked_once_by_an_encoded_path() {
    let server = Server::start(|_, _| (200, one_block("dn1")));
    let web = web(&[&server.address]);
    for _ in 0..2 {
        let blocks = web.hosts(&path("t/c.0")).unwrap();
        assert_eq!(blocks, [BlockHosts { offset: 0, len: 9, hosts: vec![Host::new("dn1")] }]);
    }
    assert_eq!(web.rack(&Host::new("dn1")).as_deref(), Some("/r"));
    assert_eq!(web.rack(&Host::new("dn2")), None);
    let asked = "GET /webhdfs/v1/%C3%BCber/100%25%2B/t/c.0?op=GETFILEBLOCKLOCATIONS&user.name=a%20b HTTP/1.1";
    assert_eq!(server.requests(), [asked]);
}

#[test]
fn an_older_server_is_asked_the_other_way() {
    let server = Server::start(|first, _| match first.contains("GETFILEBLOCKLOCATIONS") {
        true => (400, exception("IllegalArgumentException")),
        false => (200, r#"{"LocatedBlocks":{"locatedBlocks":[]}}"#.to_owned()),
    });
    assert_eq!(web(&[&server.address]).hosts(&path("a")), Some(Vec::new()));
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn a_standby_and_one_that_is_away_are_passed_over() {
    let standby = Server::start(|_, _| (403, exception("StandbyException")));
    let active = Server::start(|_, _| (200, one_block("dn1")));
    let web = web(&[&refused_port(), &standby.address, &active.address]);
    for name in ["a", "b"] {
        assert!(web.hosts(&path(name)).is_some());
    }
    assert_eq!(
        (standby.requests().len(), active.requests().len()),
        (1, 2),
        "the active one is asked first then"
    );
}

#[test]
fn what_is_refused_or_odd_is_unknown() {
    for (status, text) in [
        (404, exception("FileNotFoundException")),
        (403, exception("AccessControlException")),
        (401, "<html>".to_owned()),
        (501, String::new()),
        (200, "{}".to_owned()),
        (200, "x".repeat(ANSWER_BYTES_MAX as usize + 1)),
    ] {
        let server = Server::start(move |_, _| (status, text.clone()));
        assert_eq!(web(&[&server.address]).hosts(&path("a")), None, "{status}");
    }
    assert_eq!(web(&[]).hosts(&path("a")), None);
}

#[test]
fn a_server_that_is_away_is_left_alone_for_a_while() {
    let web = web(&[&refused_port()]);
    assert_eq!(web.hosts(&path("a")), None);
    assert!(web.known().silent_until.is_some());
    assert_eq!(web.hosts(&path("b")), None);
}

#[test]
fn a_server_that_says_nothing_is_asked_once_and_not_for_long() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let web = web(&[&silent.local_addr().unwrap().to_string()]);
    let started = Instant::now();
    assert_eq!(web.hosts(&path("a")), None);
    assert!(started.elapsed() < HINT_MAX * 2, "{:?}", started.elapsed());
    let started = Instant::now();
    let upload = Upload {
        len: 1,
        block_size: 1 << 20,
        replication: None,
        mode: 0o644,
        excluded: Vec::new(),
        end: started + Duration::from_millis(300),
    };
    let error = web.create(&path("a"), &upload, &mut &b"1"[..]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(started.elapsed() < TIMEOUT / 4, "{:?}", started.elapsed());
    silent.set_nonblocking(true).unwrap();
    let connections = silent.incoming().take_while(Result::is_ok).count();
    assert_eq!(connections, 2, "one for each question");
}

#[test]
fn files_are_asked_for_by_the_user_of_this_process() {
    let place = crate::url::HdfsPlace::parse("hdfs://nn/x", "//nn/x").unwrap();
    let configuration = Configuration {
        place,
        timeout: TIMEOUT,
        options: crate::store::HdfsOptions::DEFAULT,
        keys: HashMap::new(),
    };
    let given = std::env::var("HADOOP_USER_NAME").ok().filter(|name| !name.is_empty());
    let expected = given.or_else(|| whoami::username().ok());
    assert!(expected.is_some());
    assert_eq!(Web::of(&configuration).user, expected);
}

/// A NameNode that names `node`, which takes what it gets.
fn upload(web: &Web, body: &[u8]) -> hama_core::Result<()> {
    let len = body.len() as u64;
    let upload = Upload {
        len,
        block_size: 1 << 20,
        replication: Some(2),
        mode: 0o664,
        excluded: vec!["1.2.3.4:5".to_owned()],
        end: Instant::now() + TIMEOUT,
    };
    web.create(&path("t/a"), &upload, &mut &body[..])
}

#[test]
fn a_file_is_written_where_the_server_says() {
    let taken: Arc<Mutex<Vec<u8>>> = Arc::default();
    let into = Arc::clone(&taken);
    let node = Server::start(move |_, body| {
        into.lock().unwrap().extend(body);
        (201, String::new())
    });
    let location = format!(r#"{{"Location":"http://{}/webhdfs/v1/ü%25+/a?op=CREATE&x=1"}}"#, node.address);
    let server = Server::start(move |_, _| (200, location.clone()));
    upload(&web(&[&server.address]), b"some bytes").unwrap();
    assert_eq!(*taken.lock().unwrap(), b"some bytes");
    let asked = &server.requests()[0];
    for part in [
        "PUT ",
        "op=CREATE",
        "noredirect=true",
        "overwrite=false",
        "createparent=false",
        "&permission=664&unmaskedpermission=664",
        "blocksize=1048576",
        "replication=2",
    ] {
        assert!(asked.contains(part), "{asked}");
    }
    assert!(asked.contains("excludedatanodes=1.2.3.4%3A5&"), "{asked}");
    assert_eq!(node.requests(), ["PUT /webhdfs/v1/%C3%BC%25+/a?op=CREATE&x=1 HTTP/1.1"]);
}

#[test]
fn a_node_that_is_away_is_excluded_then() {
    let node = Server::start(|_, _| (201, String::new()));
    let (away, there) = (refused_port(), node.address.clone());
    let server = Server::start(move |first, _| {
        let to = if first.contains("127.0.0.1") { &there } else { &away };
        (200, format!(r#"{{"Location":"http://{to}/x"}}"#))
    });
    upload(&web(&[&server.address]), b"bytes").unwrap();
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn a_file_that_is_not_written_says_why() {
    for (status, text, kind, said) in [
        (403, exception("FileAlreadyExistsException"), ErrorKind::Exists, "FileAlreadyExistsException: why"),
        (403, exception("AccessControlException"), ErrorKind::Invalid, "AccessControlException"),
        (404, exception("FileNotFoundException"), ErrorKind::NotFound, "FileNotFoundException"),
        (403, exception("DSQuotaExceededException"), ErrorKind::OutOfSpace, "DSQuota"),
        (403, exception("SafeModeException"), ErrorKind::Unavailable, "SafeMode"),
        (500, "<html>".to_owned(), ErrorKind::Unavailable, "HTTP 500"),
        (200, "{}".to_owned(), ErrorKind::Unavailable, "HTTP 200"),
        (200, r#"{"Location":"file:///etc/x"}"#.to_owned(), ErrorKind::Unavailable, "HTTP 200"),
    ] {
        let server = Server::start(move |_, _| (status, text.clone()));
        let error = upload(&web(&[&server.address]), b"bytes").unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.message().contains(said) && !error.message().contains(".java"), "{error}");
    }
    let away = refused_port();
    let server = Server::start(move |_, _| (200, format!(r#"{{"Location":"http://{away}/x"}}"#)));
    let error = upload(&web(&[&server.address]), b"bytes").unwrap_err();
    assert_eq!((error.kind(), server.requests().len()), (ErrorKind::Unavailable, 4), "{error}");
    assert_eq!(upload(&web(&[&refused_port()]), b"bytes").unwrap_err().kind(), ErrorKind::Unavailable);
    let none = upload(&web(&[]), b"bytes").unwrap_err();
    assert!(none.message().contains("--webhdfs"), "{none}");
}

#[test]
fn addresses_come_from_the_configuration_of_this_cluster() {
    let of = |keys: &[(&str, &str)], host: &str| {
        let keys = keys.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        addresses(&keys, host)
    };
    assert_eq!(of(&[], "nn"), ["nn:9870"]);
    assert_eq!(of(&[("dfs.namenode.http-address", "0.0.0.0:50070")], "nn"), ["nn:50070"]);
    assert_eq!(of(&[("dfs.namenode.http-address", "nn:1234")], "nn"), ["nn:1234"]);
    let other = [("dfs.namenode.http-address", "web:1234"), ("fs.defaultFS", "hdfs://nn:8020/x")];
    assert_eq!(of(&other, "nn"), ["web:1234"]);
    assert_eq!(of(&other, "elsewhere"), ["elsewhere:9870"]);
    let service = [
        ("dfs.ha.namenodes.ns", "a, b,c"),
        ("dfs.namenode.http-address.ns.a", "one:1"),
        ("dfs.namenode.http-address.ns.b", "two:2"),
    ];
    assert_eq!(of(&service, "ns"), ["one:1", "two:2"]);
    assert_eq!(of(&[("dfs.http.policy", "HTTPS_ONLY")], "nn"), [""; 0]);
}
