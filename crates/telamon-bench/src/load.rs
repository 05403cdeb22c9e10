//! The load: closed loop, a connection for each request, or a fixed rate.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Mode {
    Keep,
    New,
    /// Requests per second.
    Open {
        rate: f64,
    },
}

pub(crate) struct Job {
    pub(crate) address: SocketAddr,
    pub(crate) mode: Mode,
    pub(crate) path: String,
    pub(crate) connections: usize,
    pub(crate) length: Duration,
}

/// What came of a job.
#[derive(Default)]
pub(crate) struct Tally {
    requests: u64,
    bytes: u64,
    pub(crate) errors: u64,
    latencies: Vec<u32>,
}

impl Tally {
    /// One request was answered.
    pub(crate) fn hit(&mut self, bytes: u64, latency: Duration) {
        self.requests += 1;
        self.bytes += bytes;
        let micros = latency.as_micros().min(u128::from(u32::MAX));
        self.latencies.push(micros as u32);
    }

    /// One JSON object on one line.
    pub(crate) fn print(mut self, seconds: f64) {
        self.latencies.sort_unstable();
        let quantile = |q: f64| {
            let index = (self.latencies.len() as f64 * q) as usize;
            self.latencies.get(index).copied().unwrap_or(0)
        };
        println!(
            "{{\"requests\": {}, \"bytes\": {}, \"errors\": {}, \"seconds\": {seconds:.6}, \
             \"p50_us\": {}, \"p99_us\": {}}}",
            self.requests,
            self.bytes,
            self.errors,
            quantile(0.5),
            quantile(0.99),
        );
    }
}

struct Connection {
    stream: TcpStream,
    /// The moment from which the running request's latency counts; None: nothing runs.
    since: Option<Instant>,
    /// The request still has to be written (the connection was not yet open).
    unsent: bool,
    /// Bytes of the response that are to come; None before its head is complete.
    missing: Option<usize>,
    head: Vec<u8>,
}

/// Run a job and print what came of it.
pub(crate) fn run(job: &Job) -> io::Result<()> {
    let mut load = Load::new(job.address, &job.path, job.connections, job.mode)?;
    let begin = Instant::now();
    load.drive(begin, begin + job.length)?;
    load.tally.print(begin.elapsed().as_secs_f64());
    Ok(())
}

/// Use `count` connections once each, say `ready`, and hold them until stdin ends.
pub(crate) fn hold(address: SocketAddr, count: usize) -> io::Result<()> {
    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: bench\r\n\r\n";
    let mut streams = Vec::with_capacity(count);
    for _ in 0..count {
        let mut stream = std::net::TcpStream::connect(address)?;
        stream.write_all(REQUEST)?;
        let mut answer = [0; 512];
        if stream.read(&mut answer)? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        streams.push(stream);
    }
    println!("ready");
    io::copy(&mut io::stdin().lock(), &mut io::sink())?;
    Ok(())
}

struct Load {
    address: SocketAddr,
    mode: Mode,
    request: Vec<u8>,
    poll: Poll,
    connections: Vec<Connection>,
    /// Connections that wait for their turn, in `open` mode.
    idle: VecDeque<usize>,
    buffer: Vec<u8>,
    tally: Tally,
}

impl Load {
    fn new(address: SocketAddr, path: &str, count: usize, mode: Mode) -> io::Result<Load> {
        let mut load = Load {
            address,
            mode,
            request: format!("GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n").into_bytes(),
            poll: Poll::new()?,
            connections: Vec::new(),
            idle: VecDeque::new(),
            buffer: vec![0; 256 << 10],
            tally: Tally::default(),
        };
        for index in 0..count {
            let connection = load.connect(index)?;
            load.connections.push(connection);
        }
        Ok(load)
    }

    fn connect(&self, index: usize) -> io::Result<Connection> {
        let mut stream = TcpStream::connect(self.address)?;
        stream.set_nodelay(true)?;
        let both = Interest::READABLE | Interest::WRITABLE;
        self.poll
            .registry()
            .register(&mut stream, Token(index), both)?;
        let paced = matches!(self.mode, Mode::Open { .. });
        Ok(Connection {
            stream,
            since: (!paced).then(Instant::now),
            unsent: !paced,
            missing: None,
            head: Vec::new(),
        })
    }

    fn drive(&mut self, begin: Instant, end: Instant) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        let mut due: u64 = 0;
        if matches!(self.mode, Mode::Open { .. }) {
            self.idle.extend(0..self.connections.len());
        }
        loop {
            let now = Instant::now();
            if now >= end {
                return Ok(());
            }
            let mut wait = end - now;
            if let Mode::Open { rate } = self.mode {
                wait = wait.min(self.send_due(begin, rate, &mut due)?);
            }
            self.poll.poll(&mut events, Some(wait))?;
            for event in &events {
                let Token(index) = event.token();
                if self.advance(index).is_err() {
                    self.tally.errors += 1;
                    self.replace(index)?;
                }
            }
        }
    }

    /// Send what is due by now; how long until the next is.
    fn send_due(&mut self, begin: Instant, rate: f64, due: &mut u64) -> io::Result<Duration> {
        loop {
            let moment = begin + Duration::from_secs_f64(*due as f64 / rate);
            let now = Instant::now();
            if moment > now {
                return Ok(moment - now);
            }
            let Some(index) = self.idle.pop_front() else {
                // All busy: what is late stays due, and its latency grows.
                return Ok(Duration::from_millis(1));
            };
            *due += 1;
            let connection = &mut self.connections[index];
            connection.since = Some(moment);
            connection.unsent = true;
            if self.advance(index).is_err() {
                self.tally.errors += 1;
                self.replace(index)?;
            }
        }
    }

    fn advance(&mut self, index: usize) -> io::Result<()> {
        loop {
            let connection = &mut self.connections[index];
            if connection.unsent {
                match connection.stream.write(&self.request) {
                    Ok(count) if count == self.request.len() => connection.unsent = false,
                    Ok(_) => return Err(ErrorKind::WriteZero.into()),
                    // Not connected yet.
                    Err(error) if is_early(&error) => return Ok(()),
                    Err(error) => return Err(error),
                }
            }
            let count = match connection.stream.read(&mut self.buffer) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => count,
                Err(error) if is_early(&error) => return Ok(()),
                Err(error) => return Err(error),
            };
            let drained = count < self.buffer.len();
            if connection.take(&self.buffer[..count])? {
                self.tally.bytes += count as u64;
                self.finish(index)?;
                if self.mode != Mode::Keep {
                    return Ok(());
                }
            } else {
                self.tally.bytes += count as u64;
                if drained {
                    return Ok(());
                }
            }
        }
    }

    /// A response is complete: count it and begin the next request.
    fn finish(&mut self, index: usize) -> io::Result<()> {
        let connection = &mut self.connections[index];
        connection.missing = None;
        let since = connection.since.take().unwrap_or_else(Instant::now);
        self.tally.hit(0, since.elapsed());
        match self.mode {
            Mode::Keep => {
                connection.since = Some(Instant::now());
                connection.unsent = true;
                Ok(())
            }
            Mode::New => self.replace(index),
            Mode::Open { .. } => {
                self.idle.push_back(index);
                Ok(())
            }
        }
    }

    fn replace(&mut self, index: usize) -> io::Result<()> {
        self.connections[index] = self.connect(index)?;
        if matches!(self.mode, Mode::Open { .. }) {
            self.idle.push_back(index);
        }
        Ok(())
    }
}

impl Connection {
    /// Is the response complete with these bytes?
    fn take(&mut self, bytes: &[u8]) -> io::Result<bool> {
        let missing = match self.missing {
            Some(missing) => missing.checked_sub(bytes.len()),
            None => {
                self.head.extend_from_slice(bytes);
                let Some(end) = memchr::memmem::find(&self.head, b"\r\n\r\n") else {
                    return Ok(false);
                };
                let length = content_length(&self.head[..end]);
                let body = self.head.len() - end - 4;
                self.head.clear();
                length.and_then(|length| length.checked_sub(body))
            }
        };
        self.missing = Some(missing.ok_or(ErrorKind::InvalidData)?);
        Ok(missing == Some(0))
    }
}

/// Only a 200 counts: a balancer that answers by itself is not measured.
pub(crate) fn content_length(head: &[u8]) -> Option<usize> {
    if !head.starts_with(b"HTTP/1.1 200") {
        return None;
    }
    // Some balancers write the names in lower case.
    let find = |name: &[u8]| memchr::memmem::find(head, name).map(|at| at + name.len());
    let begin = find(b"Content-Length: ").or_else(|| find(b"content-length: "))?;
    let digits = head[begin..]
        .iter()
        .take_while(|byte| byte.is_ascii_digit());
    Some(digits.fold(0, |sum, digit| sum * 10 + usize::from(digit - b'0')))
}

fn is_early(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::WouldBlock | ErrorKind::NotConnected
    )
}
