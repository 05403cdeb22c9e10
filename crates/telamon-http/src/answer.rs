//! The answers that a proxy gives by itself, byte for byte what HAProxy's clients know (manual
//! 4.2, `errorfile`, names the statuses).
//!
//! They come in two forms. What the connection layer says about a request that it could not read
//! is a fixed text ([`Answer::bare`]); what is said in reply to a request has lower-case field
//! names and follows the request's persistence ([`Answer::write`]).

/// One of the statuses that have a ready-made answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer(&'static Row);

/// What the reply says about the connection's future.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Persistence {
    /// HTTP/1.1, kept: nothing need be said.
    Implied,
    KeepAlive,
    Close,
}

#[derive(Debug, PartialEq, Eq)]
struct Row {
    status: u16,
    reason: &'static str,
    text: &'static str,
    closes: bool,
}

const fn row(status: u16, reason: &'static str, text: &'static str) -> Row {
    Row {
        status,
        reason,
        text,
        closes: true,
    }
}

static ROWS: [Row; 19] = [
    row(200, "OK", "Service ready."),
    row(400, "Bad request", "Your browser sent an invalid request."),
    row(
        401,
        "Unauthorized",
        "You need a valid user and password to access this content.",
    ),
    row(
        403,
        "Forbidden",
        "Request forbidden by administrative rules.",
    ),
    row(404, "Not Found", "The resource could not be found."),
    row(
        405,
        "Method Not Allowed",
        "A request was made of a resource using a request method not supported by that resource",
    ),
    row(
        407,
        "Unauthorized",
        "You need a valid user and password to access this content.",
    ),
    row(
        408,
        "Request Time-out",
        "Your browser didn't send a complete request in time.",
    ),
    row(
        410,
        "Gone",
        "The resource is no longer available and will not be available again.",
    ),
    Row {
        status: 413,
        reason: "Payload Too Large",
        text: "The request entity exceeds the maximum allowed.",
        closes: false,
    },
    row(
        421,
        "Misdirected Request",
        "Request sent to a non-authoritative server.",
    ),
    Row {
        status: 422,
        reason: "Unprocessable Content",
        text: "The server cannot process the contained instructions.",
        closes: false,
    },
    row(425, "Too Early", "Your browser sent early data."),
    row(
        429,
        "Too Many Requests",
        "You have sent too many requests in a given amount of time.",
    ),
    row(
        500,
        "Internal Server Error",
        "An internal server error occurred.",
    ),
    row(
        501,
        "Not Implemented",
        ".The server does not support the functionality required to fulfill the request.",
    ),
    row(
        502,
        "Bad Gateway",
        "The server returned an invalid or incomplete response.",
    ),
    row(
        503,
        "Service Unavailable",
        "No server is available to handle this request.",
    ),
    row(
        504,
        "Gateway Time-out",
        "The server didn't respond in time.",
    ),
];

impl Answer {
    /// None for a status without a ready-made answer.
    pub fn of(status: u16) -> Option<Answer> {
        ROWS.iter().find(|row| row.status == status).map(Answer)
    }

    /// All of them, by status.
    pub fn all() -> impl Iterator<Item = Answer> {
        ROWS.iter().map(Answer)
    }

    pub fn status(self) -> u16 {
        self.0.status
    }

    pub fn reason(self) -> &'static str {
        self.0.reason
    }

    /// To a request that could not be read (400, 422) or did not come in time (408).
    pub fn bare(self) -> Vec<u8> {
        let body = self.body();
        let connection = if self.0.closes {
            "Connection: close\r\n"
        } else {
            ""
        };
        format!(
            "HTTP/1.1 {} {}\r\nContent-length: {}\r\nCache-Control: no-cache\r\n{connection}\
             Content-Type: text/html\r\n\r\n{body}",
            self.0.status,
            self.0.reason,
            body.len(),
        )
        .into_bytes()
    }

    /// To a request that was read; `head_only` for HEAD.
    pub fn write(self, persistence: Persistence, head_only: bool, out: &mut Vec<u8>) {
        let body = self.body();
        let connection = match persistence {
            Persistence::Implied => "",
            Persistence::KeepAlive => "connection: keep-alive\r\n",
            Persistence::Close => "connection: close\r\n",
        };
        let head = format!(
            "HTTP/1.1 {} {}\r\ncontent-length: {}\r\ncache-control: no-cache\r\n\
             content-type: text/html\r\n{connection}\r\n",
            self.0.status,
            self.0.reason,
            body.len(),
        );
        out.extend_from_slice(head.as_bytes());
        if !head_only {
            out.extend_from_slice(body.as_bytes());
        }
    }

    fn body(self) -> String {
        format!(
            "<html><body><h1>{} {}</h1>\n{}\n</body></html>\n",
            self.0.status, self.0.reason, self.0.text
        )
    }
}
