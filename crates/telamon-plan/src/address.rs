//! Socket addresses, the twin of `telamon.base.address`.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

/// Where a socket is bound or connected. The JSON form is an object with a `kind`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum SocketAddress {
    Inet {
        host: IpAddr,
        port: u16,
    },
    /// A path, or a name in the abstract space.
    Unix {
        path: String,
        #[serde(rename = "abstract")]
        is_abstract: bool,
    },
    /// A descriptor that the parent process hands down.
    Fd {
        fd: i32,
    },
}

impl SocketAddress {
    /// The internet address, if it is one.
    pub fn inet(&self) -> Option<SocketAddr> {
        match self {
            SocketAddress::Inet { host, port } => Some(SocketAddr::new(*host, *port)),
            _ => None,
        }
    }
}

impl fmt::Display for SocketAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SocketAddress::Inet { host, port } => SocketAddr::new(*host, *port).fmt(f),
            SocketAddress::Unix { path, is_abstract } => {
                write!(f, "{}@{path}", if *is_abstract { "abns" } else { "unix" })
            }
            SocketAddress::Fd { fd } => write!(f, "fd@{fd}"),
        }
    }
}
