//! The same backend, the same history, the same choices: the real HAProxy is the judge.
//!
//! HAProxy runs in TCP mode with one thread before listening sockets of ours. A step connects a
//! client and sees which socket got the connection. Skipped, with the reason, where no `haproxy`
//! is installed.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use telamon_balance::{
    Affinity, Algorithm, Ask, Balancer, Function, Hashing, KeySource, Method, Pick, ServerSpec,
};

#[derive(Clone, Copy)]
enum Step {
    /// A stream that ends before the next step.
    Short(u32),
    /// A stream that stays.
    Stay,
    Weight(usize, u16),
    Down(usize),
    Up(usize),
}
use Step::{Down, Short, Stay, Up, Weight};

#[test]
fn roundrobin_of_many_weights() {
    for weights in [
        vec![1, 2, 3],
        vec![10, 20],
        vec![1, 1, 1],
        vec![1],
        vec![256, 1],
        vec![3, 7, 5, 1],
        vec![100, 100, 50, 1],
    ] {
        same_choices(
            "roundrobin",
            Algorithm::RoundRobin,
            &weights,
            "",
            &[Short(60)],
        );
    }
}

/// The length of a round is 848 turns; shares are exact only on the average of rounds.
#[test]
fn roundrobin_past_the_end_of_a_round() {
    let steps = [Short(900)];
    same_choices(
        "roundrobin",
        Algorithm::RoundRobin,
        &[14, 21, 18],
        "",
        &steps,
    );
}

#[test]
fn roundrobin_while_weights_and_states_change() {
    let steps = [
        Short(7),
        Down(1),
        Short(9),
        Up(1),
        Short(14),
        Weight(0, 5),
        Short(13),
        Weight(2, 0),
        Short(8),
        Weight(2, 9),
        Short(31),
        Down(0),
        Down(2),
        Short(5),
        Up(2),
        Up(0),
        Short(60),
    ];
    same_choices("roundrobin", Algorithm::RoundRobin, &[1, 2, 3], "", &steps);
    same_choices(
        "roundrobin",
        Algorithm::RoundRobin,
        &[10, 20, 7],
        "",
        &steps,
    );
}

#[test]
fn roundrobin_passes_full_servers_over() {
    let steps = [Stay, Stay, Short(9), Stay, Short(9)];
    same_choices(
        "roundrobin",
        Algorithm::RoundRobin,
        &[1, 2, 3],
        "maxconn 2",
        &steps,
    );
}

#[test]
fn static_rr() {
    let steps = [Short(20), Down(1), Short(9), Up(1), Short(20)];
    for weights in [vec![1, 2, 3], vec![10, 20], vec![7, 3, 5]] {
        same_choices("static-rr", Algorithm::StaticRr, &weights, "", &steps);
    }
}

#[test]
fn leastconn() {
    let steps = [
        Short(7),
        Stay,
        Stay,
        Short(5),
        Stay,
        Stay,
        Stay,
        Stay,
        Short(5),
        Down(0),
        Short(3),
        Stay,
        Up(0),
        Stay,
        Stay,
        Short(4),
        Weight(1, 9),
        Stay,
        Stay,
        Short(3),
    ];
    for weights in [vec![1, 1, 1], vec![1, 2, 3], vec![10, 20, 7]] {
        same_choices("leastconn", Algorithm::LeastConn, &weights, "", &steps);
    }
}

#[test]
fn first() {
    let steps = [
        Short(3),
        Stay,
        Stay,
        Stay,
        Short(2),
        Stay,
        Down(0),
        Short(2),
    ];
    same_choices("first", Algorithm::First, &[1, 1, 1], "maxconn 2", &steps);
}

#[test]
fn source_of_many_addresses() {
    let steps = [Short(40), Down(1), Short(40), Up(1), Short(10)];
    for weights in [vec![1, 1, 1], vec![1, 2, 3], vec![10, 20]] {
        let source = Algorithm::Hash(Hashing {
            key: KeySource::Source,
            function: Function::Sdbm,
            avalanche: false,
            method: Method::MapBased,
            affinity: Affinity::Always,
        });
        same_choices("source", source, &weights, "", &steps);
    }
}

/// No server of a ring is given much more than the average (`hash-balance-factor`).
#[test]
fn bounded_loads() {
    let mut steps = Vec::new();
    for _ in 0..25 {
        steps.extend([Stay, Short(4)]);
    }
    for (balance_factor, weights) in [
        (101, vec![1, 1, 1]),
        (125, vec![1, 2, 3]),
        (150, vec![5, 20, 7]),
    ] {
        let algorithm = Algorithm::Hash(Hashing {
            key: KeySource::Source,
            function: Function::Sdbm,
            avalanche: true,
            method: Method::Consistent { balance_factor },
            affinity: Affinity::Always,
        });
        let lines =
            format!("source\n  hash-type consistent\n  hash-balance-factor {balance_factor}");
        same_choices(&lines, algorithm, &weights, "", &steps);
    }
}

/// Run the steps on both and compare.
fn same_choices(name: &str, algorithm: Algorithm, weights: &[u16], options: &str, steps: &[Step]) {
    let Some(mut peer) = Peer::start(name, weights, options) else {
        eprintln!("skipped: no haproxy is installed");
        return;
    };
    let mut ours = Ours::new(algorithm, weights, options);
    for (number, step) in steps.iter().enumerate() {
        let (theirs, mine) = (peer.run(*step), ours.run(*step));
        assert_eq!(mine, theirs, "{name} {weights:?} {options}, step {number}");
    }
}

/// Streams come from 127.0.0.N, N counting up, for the sake of `source`.
fn client(number: u32) -> Ipv4Addr {
    Ipv4Addr::from(0x7F00_0001 + number * 13 % 250)
}

struct Ours {
    balancer: Balancer,
    streams: u32,
}

impl Ours {
    fn new(algorithm: Algorithm, weights: &[u16], options: &str) -> Ours {
        let maxconn = match options.strip_prefix("maxconn ") {
            Some(number) => number.parse().unwrap(),
            None => 0,
        };
        let servers: Vec<ServerSpec> = weights
            .iter()
            .zip(1..)
            .map(|(weight, id)| ServerSpec {
                id,
                weight: *weight,
                maxconn,
                ..ServerSpec::default()
            })
            .collect();
        Ours {
            balancer: Balancer::new(algorithm, &servers, false, 1),
            streams: 0,
        }
    }

    fn run(&mut self, step: Step) -> Vec<usize> {
        match step {
            Short(count) => (0..count).map(|_| self.stream(false)).collect(),
            Stay => vec![self.stream(true)],
            Weight(server, weight) => {
                self.balancer.set_weight(server, weight);
                vec![]
            }
            Down(server) => {
                self.balancer.set_usable(server, false);
                vec![]
            }
            Up(server) => {
                self.balancer.set_usable(server, true);
                vec![]
            }
        }
    }

    fn stream(&mut self, stays: bool) -> usize {
        let ask = Ask {
            source: Some(IpAddr::V4(client(self.streams))),
            ..Ask::default()
        };
        self.streams += 1;
        let Pick::Server(server) = self.balancer.pick(&ask) else {
            panic!("no server");
        };
        self.balancer.take(server);
        if !stays {
            self.balancer.release(server);
        }
        server
    }
}

struct Peer {
    process: Child,
    directory: PathBuf,
    listeners: Vec<TcpListener>,
    port: u16,
    streams: u32,
    staying: Vec<(TcpStream, TcpStream)>,
}

impl Peer {
    fn start(algorithm: &str, weights: &[u16], options: &str) -> Option<Peer> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let directory =
            std::env::temp_dir().join(format!("balance-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let listeners: Vec<TcpListener> = weights
            .iter()
            .map(|_| {
                let listener = TcpListener::bind("127.0.0.1:0").unwrap();
                listener.set_nonblocking(true).unwrap();
                listener
            })
            .collect();
        let front = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = front.local_addr().unwrap().port();
        drop(front);
        let servers: String = weights
            .iter()
            .zip(&listeners)
            .enumerate()
            .map(|(index, (weight, listener))| {
                let address = listener.local_addr().unwrap();
                format!("  server s{index} {address} weight {weight} {options}\n")
            })
            .collect();
        let socket = directory.join("s");
        let text = format!(
            "global\n  nbthread 1\n  stats socket {} level admin\ndefaults\n  mode tcp\n  \
             timeout client 60s\n  timeout server 60s\n  timeout connect 5s\nlisten b\n  \
             bind 127.0.0.1:{port}\n  balance {algorithm}\n{servers}",
            socket.display()
        );
        let file = directory.join("cfg");
        std::fs::write(&file, text).unwrap();
        let process = Command::new("haproxy")
            .args(["-q", "-db", "-f"])
            .arg(&file)
            .stderr(Stdio::null())
            .spawn();
        let process = match process {
            Ok(process) => process,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                std::fs::remove_dir_all(&directory).unwrap();
                return None;
            }
            Err(error) => panic!("haproxy: {error}"),
        };
        let peer = Peer {
            process,
            directory,
            listeners,
            port,
            streams: 0,
            staying: Vec::new(),
        };
        until("haproxy listens", || UnixStream::connect(&socket).ok());
        Some(peer)
    }

    fn run(&mut self, step: Step) -> Vec<usize> {
        match step {
            Short(count) => (0..count).map(|_| self.stream(false)).collect(),
            Stay => vec![self.stream(true)],
            Weight(server, weight) => self.command(&format!("set weight b/s{server} {weight}")),
            Down(server) => self.command(&format!("disable server b/s{server}")),
            Up(server) => self.command(&format!("enable server b/s{server}")),
        }
    }

    fn command(&self, line: &str) -> Vec<usize> {
        let mut socket = UnixStream::connect(self.directory.join("s")).unwrap();
        socket.write_all(line.as_bytes()).unwrap();
        socket.write_all(b"\n").unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        assert_eq!(answer.trim(), "", "{line}");
        vec![]
    }

    fn stream(&mut self, stays: bool) -> usize {
        let from = client(self.streams);
        self.streams += 1;
        let mut front = connect_from(from, SocketAddr::from(([127, 0, 0, 1], self.port)));
        let (server, mut back) = until("a server gets the connection", || {
            self.listeners
                .iter()
                .enumerate()
                .find_map(|(index, listener)| Some((index, listener.accept().ok()?.0)))
        });
        if stays {
            self.staying.push((front, back));
            return server;
        }
        // HAProxy may also reset a connection that both ends have finished: over is over.
        back.set_nonblocking(false).unwrap();
        let _ = back.shutdown(std::net::Shutdown::Write);
        let _ = front.shutdown(std::net::Shutdown::Write);
        let mut rest = [0; 16];
        let _ = front.read(&mut rest);
        let _ = back.read(&mut rest);
        self.wait_until_idle();
        server
    }

    /// The close of the sockets and the count of the server's streams are two steps in HAProxy.
    fn wait_until_idle(&self) {
        let wanted = self.staying.len().to_string();
        until("the stream is over", || {
            let mut socket = UnixStream::connect(self.directory.join("s")).ok()?;
            socket.write_all(b"show stat b 2 -1\n").ok()?;
            let mut answer = String::new();
            socket.read_to_string(&mut answer).ok()?;
            let row = answer.lines().nth(1)?;
            (row.split(',').nth(4)? == wanted).then_some(())
        });
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// A connection whose source address is chosen.
fn connect_from(source: Ipv4Addr, to: SocketAddr) -> TcpStream {
    use socket2::{Domain, Socket, Type};
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((source, 0)).into()).unwrap();
    socket.connect(&to.into()).unwrap();
    socket.into()
}

fn until<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(Instant::now() < deadline, "waited too long: {what}");
        std::thread::yield_now();
    }
}
