//! The two ends of a measurement. Small messages go between both ends in one thread on io_uring
//! (`pair`); the others are one thread each on an epoll loop:
//!
//! ```text
//! telamon-bench pair N                                 see `pair.rs`
//! telamon-bench backend N                              N servers on free ports, until killed
//! telamon-bench load ADDRESS keep|new PATH CONNECTIONS SECONDS
//! telamon-bench load ADDRESS open PATH CONNECTIONS SECONDS RATE
//! telamon-bench idle ADDRESS CONNECTIONS               used once, then held until stdin ends
//! ```
//!
//! `keep` asks again on the same connection as soon as the answer is there; `new` opens a
//! connection for each request; `open` sends at a fixed rate whatever comes back, and counts the
//! latency from the moment at which a request was due. Results are one JSON object on stdout.
#![forbid(unsafe_code)]

mod backend;
mod load;
mod pair;

use std::io::{self, Error, ErrorKind};
use std::time::Duration;

use load::{Job, Mode};

fn main() -> io::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["backend", count] => backend::run(number(count)?),
        ["pair", count] => pair::run(number(count)?),
        ["idle", address, count] => load::hold(socket_address(address)?, number(count)?),
        ["load", address, mode @ ("keep" | "new"), path, connections, seconds] => {
            let mode = if mode == "new" { Mode::New } else { Mode::Keep };
            load::run(&job(address, mode, path, connections, seconds)?)
        }
        ["load", address, "open", path, connections, seconds, rate] => {
            let mode = Mode::Open {
                rate: number(rate)? as f64,
            };
            load::run(&job(address, mode, path, connections, seconds)?)
        }
        _ => Err(Error::new(
            ErrorKind::InvalidInput,
            "usage: telamon-bench pair N | backend N | load ADDRESS keep|new|open PATH CONNECTIONS \
             SECONDS [RATE] | idle ADDRESS CONNECTIONS",
        )),
    }
}

fn job(address: &str, mode: Mode, path: &str, connections: &str, seconds: &str) -> io::Result<Job> {
    Ok(Job {
        address: socket_address(address)?,
        mode,
        path: path.to_owned(),
        connections: number(connections)?,
        length: Duration::from_secs_f64(parse(seconds)?),
    })
}

fn socket_address(text: &str) -> io::Result<std::net::SocketAddr> {
    parse(text)
}

fn number(text: &str) -> io::Result<usize> {
    parse(text)
}

fn parse<T: std::str::FromStr>(text: &str) -> io::Result<T> {
    text.parse().map_err(|_| {
        Error::new(
            ErrorKind::InvalidInput,
            format!("'{text}' is no value here"),
        )
    })
}
