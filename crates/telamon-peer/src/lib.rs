//! The real HAProxy as judge, for tests. It listens on unix sockets in a directory of its own, so
//! that no port can be taken by somebody else. Where no `haproxy` is installed, tests say so and
//! are skipped.
#![forbid(unsafe_code)]

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(10);

/// A running HAProxy and its directory; both end with the value.
pub struct Haproxy {
    process: Child,
    directory: Directory,
}

/// A directory for sockets, taken away at the end.
pub struct Directory(PathBuf);

impl Directory {
    pub fn make() -> Directory {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("peer-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a directory for sockets");
        Directory(path)
    }

    /// As `bind` and `server` lines name it.
    pub fn socket(&self, name: &str) -> String {
        format!("unix@{}", self.0.join(name).display())
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// A server's socket.
    pub fn listen(&self, name: &str) -> UnixListener {
        UnixListener::bind(self.0.join(name)).expect("a server's socket")
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Haproxy {
    /// Starts it with `file`; each of `sockets` is waited for. None: there is no HAProxy, or one
    /// that does not know a word of the file.
    pub fn start(directory: Directory, file: &str, sockets: &[&str]) -> Option<Haproxy> {
        let path = directory.0.join("cfg");
        std::fs::write(&path, file).expect("a configuration file");
        let process = Command::new("haproxy")
            .args(["-q", "-db", "-f"])
            .arg(&path)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let process = match process {
            Ok(process) => process,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                eprintln!("skipped: no haproxy is installed");
                return None;
            }
            Err(error) => panic!("haproxy: {error}"),
        };
        let mut peer = Haproxy { process, directory };
        let deadline = Instant::now() + PATIENCE;
        for name in sockets {
            while UnixStream::connect(peer.directory.0.join(name)).is_err() {
                if let Ok(Some(status)) = peer.process.try_wait() {
                    panic!("haproxy does not take the file ({status}):\n{file}");
                }
                assert!(Instant::now() < deadline, "haproxy does not listen");
                std::thread::yield_now();
            }
        }
        Some(peer)
    }

    /// A connection to one of its sockets.
    pub fn connect(&self, socket: &str) -> UnixStream {
        let stream = UnixStream::connect(self.directory.0.join(socket)).expect("haproxy listens");
        stream
            .set_read_timeout(Some(PATIENCE))
            .expect("a time limit");
        stream
    }

    /// Sends `bytes`, and gives all that it answers until it closes.
    pub fn ask(&self, socket: &str, bytes: &[u8]) -> Vec<u8> {
        let mut stream = self.connect(socket);
        // It may answer and close before it has read all; what came until then counts.
        let _ = stream.write_all(bytes);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        answer
    }
}

impl Drop for Haproxy {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// An answer's status and body; None if it is none.
pub fn parts(answer: &[u8]) -> Option<(u16, &[u8])> {
    let status = std::str::from_utf8(answer.get(9..12)?).ok()?.parse().ok()?;
    let head = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    Some((status, &answer[head + 4..]))
}
