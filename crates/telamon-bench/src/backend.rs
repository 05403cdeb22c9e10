//! The server behind the balancer: `/` 50 bytes, `/64k`, `/1m`, kept alive. It must cost far
//! less than what it measures: no parsing beyond the path and the end of the head.

use std::io::{self, ErrorKind, Read, Write};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

struct Client {
    stream: TcpStream,
    /// The part of a request that has come so far.
    input: Vec<u8>,
    /// What is being written (an index into the bodies) and how far.
    output: Option<(usize, usize)>,
}

/// Serve on `count` free ports of 127.0.0.1, whose numbers are printed on one line.
pub(crate) fn run(count: usize) -> io::Result<()> {
    let responses = [50, 64 << 10, 1 << 20].map(response);
    let mut poll = Poll::new()?;
    let mut listeners = Vec::new();
    for index in 0..count {
        let address = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
        let mut listener = TcpListener::bind(address)?;
        poll.registry()
            .register(&mut listener, Token(index), Interest::READABLE)?;
        listeners.push(listener);
    }
    let ports: Vec<String> = listeners
        .iter()
        .map(|listener| Ok(listener.local_addr()?.port().to_string()))
        .collect::<io::Result<_>>()?;
    println!("{}", ports.join(" "));
    let mut clients: Vec<Option<Client>> = Vec::new();
    let mut free: Vec<usize> = Vec::new();
    let mut events = Events::with_capacity(1024);
    loop {
        poll.poll(&mut events, None)?;
        for event in &events {
            let Token(token) = event.token();
            if token < count {
                accept_all(&listeners[token], &poll, count, &mut clients, &mut free)?;
                continue;
            }
            let index = token - count;
            let Some(client) = clients[index].as_mut() else {
                continue;
            };
            if client.drive(&responses).is_err() {
                clients[index] = None;
                free.push(index);
            }
        }
    }
}

fn response(length: usize) -> Vec<u8> {
    let mut text = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n").into_bytes();
    text.resize(text.len() + length, b'x');
    text
}

fn accept_all(
    listener: &TcpListener,
    poll: &Poll,
    first_token: usize,
    clients: &mut Vec<Option<Client>>,
    free: &mut Vec<usize>,
) -> io::Result<()> {
    loop {
        let mut stream = match listener.accept() {
            Ok((stream, _)) => stream,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(_) => continue, // the client has gone already
        };
        stream.set_nodelay(true)?;
        let index = free.pop().unwrap_or_else(|| {
            clients.push(None);
            clients.len() - 1
        });
        let both = Interest::READABLE | Interest::WRITABLE;
        poll.registry()
            .register(&mut stream, Token(first_token + index), both)?;
        clients[index] = Some(Client {
            stream,
            input: Vec::new(),
            output: None,
        });
    }
}

impl Client {
    /// Go on until the socket gives or takes no more; an error is also the end of the client.
    fn drive(&mut self, responses: &[Vec<u8>; 3]) -> io::Result<()> {
        loop {
            if let Some((body, written)) = &mut self.output {
                let rest = &responses[*body][*written..];
                match self.stream.write(rest) {
                    Ok(count) if count < rest.len() => *written += count,
                    Ok(_) => self.output = None,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                    Err(error) => return Err(error),
                }
                continue;
            }
            let mut buffer = [0; 4096];
            let count = match self.stream.read(&mut buffer) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            self.take(&buffer[..count]);
            if self.output.is_none() {
                continue;
            }
        }
    }

    /// Requests come one at a time: the generator does not pipeline.
    fn take(&mut self, bytes: &[u8]) {
        let whole = if self.input.is_empty() && bytes.ends_with(b"\r\n\r\n") {
            bytes
        } else {
            self.input.extend_from_slice(bytes);
            if !self.input.ends_with(b"\r\n\r\n") {
                return;
            }
            &self.input
        };
        let body = match whole.get(..6) {
            Some(b"GET /6") => 1,
            Some(b"GET /1") => 2,
            _ => 0,
        };
        self.output = Some((body, 0));
        self.input.clear();
    }
}
