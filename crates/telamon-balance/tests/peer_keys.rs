//! The same key, the same server: the real HAProxy is the judge of every hashing algorithm.
//!
//! One HAProxy has a backend for each case. All servers are one listener of its own, which answers
//! at once; a response says in a header which server it came through, so that one connection asks
//! about thousands of keys. Skipped, with the reason, where no `haproxy` is installed.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use telamon_balance::{
    Affinity, Algorithm, Ask, Balancer, Function, Hashing, KeySource, Method, Pick, Request,
    ServerSpec, UriPart,
};

/// A server line: its id and weight.
type Servers = &'static [(u32, u16)];

const FARMS: [Servers; 4] = [
    &[(1, 1), (2, 1), (3, 1)],
    &[(1, 10), (2, 20), (3, 7), (4, 256)],
    &[(30, 3), (7, 1), (1000, 2)],
    &[(1, 1)],
];

const FUNCTIONS: [(&str, Function); 4] = [
    ("sdbm", Function::Sdbm),
    ("djb2", Function::Djb2),
    ("wt6", Function::Wt6),
    ("crc32", Function::Crc32),
];

struct Case {
    balance: &'static str,
    key: KeySource,
    hash_type: String,
    function: Function,
    avalanche: bool,
    ring: bool,
    farm: Servers,
}

impl Case {
    fn ours(&self) -> Balancer {
        let servers: Vec<ServerSpec> = self
            .farm
            .iter()
            .map(|(id, weight)| ServerSpec {
                id: *id,
                weight: *weight,
                ..ServerSpec::default()
            })
            .collect();
        let method = match self.ring {
            true => Method::Consistent { balance_factor: 0 },
            false => Method::MapBased,
        };
        let hashing = Hashing {
            key: self.key.clone(),
            function: self.function,
            avalanche: self.avalanche,
            method,
            affinity: Affinity::Always,
        };
        Balancer::new(Algorithm::Hash(hashing), &servers, false, 1)
    }
}

/// A request as text, and as the balancer sees it.
struct Asked {
    method: &'static str,
    uri: String,
    headers: Vec<(&'static str, String)>,
    body: String,
}

impl Asked {
    fn get(uri: impl Into<String>) -> Asked {
        Asked {
            method: "GET",
            uri: uri.into(),
            headers: Vec::new(),
            body: String::new(),
        }
    }

    fn with(name: &'static str, value: impl Into<String>) -> Asked {
        let mut asked = Asked::get("/");
        asked.headers.push((name, value.into()));
        asked
    }

    fn post(uri: &str, body: impl Into<String>) -> Asked {
        let mut asked = Asked::get(uri);
        asked.method = "POST";
        asked.body = body.into();
        asked
    }
}

impl Request for Asked {
    fn uri(&self) -> Option<&[u8]> {
        Some(self.uri.as_bytes())
    }

    fn header(&self, name: &str) -> Option<&[u8]> {
        let found = self
            .headers
            .iter()
            .find(|one| one.0.eq_ignore_ascii_case(name));
        found.map(|one| one.1.as_bytes())
    }

    fn posted(&self) -> Option<&[u8]> {
        (self.method == "POST").then_some(self.body.as_bytes())
    }

    fn sample(&self, key: &mut dyn FnMut(&[u8])) {
        if let Some(value) = self.header("x-key") {
            key(value.trim_ascii());
        }
    }
}

fn uri(length: usize, depth: usize, whole: bool, path_only: bool) -> KeySource {
    KeySource::Uri(UriPart {
        length,
        depth,
        whole,
        path_only,
    })
}

fn header(name: &str, domain_only: bool) -> KeySource {
    KeySource::Header {
        name: name.to_owned(),
        domain_only,
    }
}

/// Each function, with and without the avalanche, on the map and on the ring, in each farm.
#[test]
fn every_function_and_method() {
    let mut cases = Vec::new();
    for farm in FARMS {
        for (name, function) in FUNCTIONS {
            for (ring, avalanche) in [(false, false), (false, true), (true, false), (true, true)] {
                let method = if ring { "consistent" } else { "map-based" };
                let modifier = if avalanche { "avalanche" } else { "" };
                cases.push(Case {
                    balance: "hdr(x-key)",
                    key: header("x-key", false),
                    hash_type: format!("{method} {name} {modifier}"),
                    function,
                    avalanche,
                    ring,
                    farm,
                });
            }
        }
    }
    let keys: Vec<Asked> = (0..150)
        .map(|number| Asked::with("x-key", format!("key-{}-{number}", number * 7919)))
        .collect();
    same_choices(&cases, &keys);
}

/// Where each algorithm finds its key, in odd requests too.
#[test]
fn every_place_of_a_key() {
    let places = [
        ("uri", uri(0, 0, false, false)),
        ("uri whole", uri(0, 0, true, false)),
        ("uri len 5", uri(5, 0, false, false)),
        ("uri depth 1", uri(0, 1, false, false)),
        ("uri depth 2 len 9 whole", uri(9, 2, true, false)),
        ("uri path-only", uri(0, 0, false, true)),
        ("url_param id", KeySource::UrlParam("id".into())),
        ("url_param id check_post", KeySource::UrlParam("id".into())),
        ("hdr(x-key)", header("x-key", false)),
        ("hdr(x-key) use_domain_only", header("x-key", true)),
        ("hash req.fhdr(x-key)", KeySource::Sample),
    ];
    let cases: Vec<Case> = places
        .into_iter()
        .map(|(balance, key)| Case {
            balance,
            key,
            hash_type: "map-based djb2 avalanche".into(),
            function: Function::Djb2,
            avalanche: true,
            ring: false,
            farm: &[(1, 61), (2, 67), (3, 71), (4, 73), (5, 79)],
        })
        .collect();
    let mut asked: Vec<Asked> = [
        "/",
        "/a",
        "/a/b",
        "/a/b/",
        "/a/b/c/d",
        "/abcdefgh/i?j/k/l",
        "/?",
        "/?id=1",
        "/?id=2&x=1",
        "/x?y=1&id=abc",
        "/x?y=1&id=abc&z",
        "/?xid=4",
        "/?id=",
        "/?id",
        "/?id=&x=1",
        "/?ID=5",
        "/?&id=6",
        "/?id=7?id=8",
        "/a?b?id=9",
        "//a//b",
        "/?y=1;id=3",
    ]
    .map(Asked::get)
    .into();
    asked.extend(
        [
            "www.example.com",
            "example.com",
            "a.b.c.d",
            "localhost",
            ".com",
            "a..b",
            "..",
            "a.",
            "one,two",
            " one , two ",
            ",two",
            "\"a,b\",c",
            "10.0.0.1:80",
            "x",
            "a.b:80",
        ]
        .map(|value| Asked::with("x-key", value)),
    );
    asked.extend(
        [
            "id=1", "x=2&id=3", "id=", "id=&x", "xid=1", "nothing", "id=/1", "id=a/b", "id= 1",
        ]
        .map(|body| Asked::post("/", body)),
    );
    asked.push(Asked::post("/?id=5", "id=6"));
    same_choices(&cases, &asked);
}

/// Servers that go, come back and change their weights, on both methods.
#[test]
fn servers_that_go_and_come_back() {
    let cases: Vec<Case> = [false, true]
        .map(|ring| Case {
            balance: "uri",
            key: uri(0, 0, false, false),
            hash_type: (if ring { "consistent" } else { "map-based" }).into(),
            function: Function::Sdbm,
            avalanche: ring,
            ring,
            farm: &[(1, 3), (2, 5), (3, 4), (9, 9)],
        })
        .into();
    let Some(mut peer) = Peer::start(&cases) else {
        return eprintln!("skipped: no haproxy is installed");
    };
    let asked: Vec<Asked> = (0..60)
        .map(|n| Asked::get(format!("/{}/x", n * 31)))
        .collect();
    for (number, case) in cases.iter().enumerate() {
        let ours = case.ours();
        let steps: [(&str, &dyn Fn()); 7] = [
            ("enable server b/s0", &|| {}),
            ("disable server b/s1", &|| ours.set_usable(1, false)),
            ("disable server b/s3", &|| ours.set_usable(3, false)),
            ("enable server b/s1", &|| ours.set_usable(1, true)),
            ("set weight b/s0 0%", &|| ours.set_weight(0, 0)),
            ("set weight b/s0 100%", &|| ours.set_weight(0, 3)),
            ("enable server b/s3", &|| ours.set_usable(3, true)),
        ];
        for (command, apply) in steps {
            peer.command(&command.replace("b/", &format!("b{number}/")));
            apply();
            for asked in &asked {
                let (mine, theirs) = (choice(&ours, asked), peer.choice(number, asked));
                assert_eq!(
                    mine, theirs,
                    "{} after {command}: {}",
                    case.hash_type, asked.uri
                );
            }
        }
    }
}

fn same_choices(cases: &[Case], keys: &[Asked]) {
    let Some(mut peer) = Peer::start(cases) else {
        return eprintln!("skipped: no haproxy is installed");
    };
    let mut wrong = Vec::new();
    for (number, case) in cases.iter().enumerate() {
        let ours = case.ours();
        for asked in keys {
            let (mine, theirs) = (choice(&ours, asked), peer.choice(number, asked));
            if mine != theirs {
                wrong.push(format!(
                    "{}, {}, {:?}: {} {} {:?} {:?}: {mine}, not {theirs}",
                    case.balance,
                    case.hash_type,
                    case.farm,
                    asked.method,
                    asked.uri,
                    asked.headers,
                    asked.body
                ));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} differ:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

fn choice(ours: &Balancer, asked: &Asked) -> usize {
    let ask = Ask {
        request: asked,
        ..Ask::default()
    };
    match ours.pick(&ask) {
        Pick::Server(server) => server,
        other => panic!("{other:?}"),
    }
}

struct Peer {
    _process: Guard,
    directory: PathBuf,
    connection: BufReader<UnixStream>,
}

impl Peer {
    fn start(cases: &[Case]) -> Option<Peer> {
        let directory = std::env::temp_dir().join(format!(
            "keys-{}-{:?}",
            std::process::id(),
            std::thread::current().id()
        ));
        std::fs::create_dir_all(&directory).unwrap();
        let (front, inner) = (directory.join("front"), directory.join("inner"));
        let mut text = format!(
            "global\n  nbthread 1\n  stats socket {}/s level admin\ndefaults\n  mode http\n  \
             timeout client 60s\n  timeout server 60s\n  timeout connect 5s\n  \
             http-reuse always\nfrontend inner\n  bind {}\n  http-request return status 200\n\
             frontend front\n  bind {}\n  option http-buffer-request\n  \
             use_backend %[req.hdr(x-backend)]\n",
            directory.display(),
            inner.display(),
            front.display()
        );
        for (number, case) in cases.iter().enumerate() {
            text += &format!(
                "backend b{number}\n  balance {}\n  hash-type {}\n  \
                 http-response set-header x-server %s\n",
                case.balance, case.hash_type
            );
            for (server, (id, weight)) in case.farm.iter().enumerate() {
                let inner = inner.display();
                text += &format!("  server s{server} {inner} id {id} weight {weight}\n");
            }
        }
        let file = directory.join("cfg");
        std::fs::write(&file, text).unwrap();
        let process = Command::new("haproxy")
            .args(["-q", "-db", "-f"])
            .arg(&file)
            .stderr(Stdio::null())
            .spawn();
        let process = match process {
            Ok(process) => process,
            Err(error) if error.kind() == ErrorKind::NotFound => return None,
            Err(error) => panic!("haproxy: {error}"),
        };
        let connection = BufReader::new(until(|| UnixStream::connect(&front).ok()));
        Some(Peer {
            _process: Guard(process, directory.clone()),
            directory,
            connection,
        })
    }

    fn choice(&mut self, backend: usize, asked: &Asked) -> usize {
        let mut text = format!(
            "{} {} HTTP/1.1\r\nhost: h\r\nx-backend: b{backend}\r\n",
            asked.method, asked.uri
        );
        for (name, value) in &asked.headers {
            text += &format!("{name}: {value}\r\n");
        }
        if asked.method == "POST" {
            text += &format!("content-length: {}\r\n", asked.body.len());
        }
        // Of a header that stands last HAProxy 2.6 reads one byte too many (`use_domain_only`).
        text += &format!("x-last: 1\r\n\r\n{}", asked.body);
        self.connection
            .get_mut()
            .write_all(text.as_bytes())
            .unwrap();
        let mut server = None;
        loop {
            let mut line = String::new();
            self.connection.read_line(&mut line).unwrap();
            if let Some(name) = line.strip_prefix("x-server: s") {
                server = name.trim().parse().ok();
            }
            if line.trim().is_empty() {
                break;
            }
        }
        server.unwrap_or_else(|| panic!("no server for {} {}", asked.method, asked.uri))
    }

    fn command(&self, line: &str) {
        let mut socket = UnixStream::connect(self.directory.join("s")).unwrap();
        socket.write_all(format!("{line}\n").as_bytes()).unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        assert_eq!(answer.trim(), "", "{line}");
    }
}

/// RDP's first message, whole and odd: with the real HAProxy waiting for it before it chooses.
#[test]
fn rdp_cookies() {
    let name = "mstshash";
    let directory = std::env::temp_dir().join(format!("rdp-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let path = |name: &str| directory.join(name);
    let listeners: Vec<UnixListener> = (0..5)
        .map(|server| UnixListener::bind(path(&format!("s{server}"))).unwrap())
        .collect();
    let mut text = format!(
        "global\n  nbthread 1\ndefaults\n  mode tcp\n  timeout client 60s\n  timeout server 60s\n  \
         timeout connect 5s\nlisten l\n  bind {}\n  tcp-request inspect-delay 10s\n  \
         tcp-request content accept if {{ req.len gt 30 }}\n  balance rdp-cookie\n  \
         hash-type map-based wt6\n",
        path("front").display()
    );
    for (server, listener) in listeners.iter().enumerate() {
        listener.set_nonblocking(true).unwrap();
        let socket = path(&format!("s{server}"));
        text += &format!("  server s{server} {}\n", socket.display());
    }
    std::fs::write(path("cfg"), text).unwrap();
    let Ok(process) = Command::new("haproxy")
        .args(["-q", "-db", "-f"])
        .arg(path("cfg"))
        .spawn()
    else {
        return eprintln!("skipped: no haproxy is installed");
    };
    let _guard = Guard(process, directory.clone());
    let case = Case {
        balance: "rdp-cookie",
        key: KeySource::RdpCookie(name.into()),
        hash_type: String::new(),
        function: Function::Wt6,
        avalanche: false,
        ring: false,
        farm: &[(1, 1), (2, 1), (3, 1), (4, 1), (5, 1)],
    };
    let ours = case.ours();
    let lines = [
        "Cookie: mstshash=alice\r\n",
        "Cookie: mstshash=bob\r\n",
        "cookie: MSTSHASH=bob\r\n",
        "Cookie:mstshash=carol\r\n",
        "Cookie:   mstshash=dave\r\n",
        "Cookie: other=dave\r\n",
        "Cookie: mstshash=\r\n",
        "Cookie: mstshash=eve\n",
        "Cookie: mstshash=a\rb\r\n",
        "Cookie: mstshash = x\r\n",
        "Kookie: mstshash=alice\r\n",
        "Cookie: mstshashes=1\r\n",
        "Cookie: mstshash=10.1.2.3.4.5;x\r\n",
    ];
    for line in lines {
        let bytes = format!("\x03\0\0\x2b\x26\x7f\0\0\0\0\0{line}\x01\0\x08\0\x03\0\0\0");
        let message = First(bytes.as_bytes());
        let ask = Ask {
            request: &message,
            ..Ask::default()
        };
        let Pick::Server(mine) = ours.pick(&ask) else {
            panic!("nobody");
        };
        let mut client = until(|| UnixStream::connect(path("front")).ok());
        client.write_all(message.0).unwrap();
        let theirs = until(|| {
            listeners
                .iter()
                .position(|listener| listener.accept().is_ok())
        });
        assert_eq!(mine, theirs, "{line:?}");
    }
}

struct First<'a>(&'a [u8]);

impl Request for First<'_> {
    fn first_bytes(&self) -> Option<&[u8]> {
        Some(self.0)
    }
}

/// A process and a directory that go with the test.
struct Guard(Child, PathBuf);

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
        let _ = std::fs::remove_dir_all(&self.1);
    }
}

fn until<T>(mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(15);
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(Instant::now() < deadline, "waited too long");
        std::thread::yield_now();
    }
}
