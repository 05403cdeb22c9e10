//! HTTP/1 without sockets: request heads as HAProxy accepts them, and the answers that a proxy
//! gives by itself.
//!
//! [`HeadParser`] takes a growing buffer and gives a [`Request`] that points into it: order and
//! letter case of the fields stay as they came. What it refuses and with which status was
//! compared with the real program; where this one is stricter, the code says why.
#![forbid(unsafe_code)]

mod answer;
mod body;
mod cases;
mod chunked;
mod error;
mod fields;
pub mod forward;
mod head;
mod host;
mod message;
pub mod normalize;
mod response;
mod size;
mod token;

pub use answer::{Answer, Persistence};
pub use body::{Body, Length};
pub use cases::Cases;
pub use chunked::{Chunked, Scan};
pub use error::{BadRequest, Reason};
pub use fields::{Field, Limits};
pub use head::{HeadParser, Request, Version};
pub use host::Normal;
pub use message::{cookies, Edit, Message};
pub use response::{Response, ResponseParser};
pub use size::logged_size;
