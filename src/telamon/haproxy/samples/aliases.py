"""Aliases of log formats, `%ci` and its kin (manual 8.2.6)."""

from __future__ import annotations

from telamon.base.frozen import frozen


@frozen
class Alias:
    """A row. `http`: only in mode http; others are empty or a dash where they do not apply."""

    name: str
    doc: str
    http: bool = False
    since: str = ""


ALIASES = (
    Alias("o", "Nothing; its flags hold for all that follows."),
    Alias("B", "Bytes from the server to the client."),
    Alias("CC", "The captured request cookie.", http=True),
    Alias("CS", "The captured response cookie.", http=True),
    Alias("H", "The machine's name."),
    Alias("HM", "The method.", http=True),
    Alias("HP", "The URI without its query.", http=True),
    Alias("HPO", "The path without host and query.", http=True),
    Alias("HQ", "The query with its question mark.", http=True),
    Alias("HU", "The URI.", http=True),
    Alias("HV", "The version.", http=True),
    Alias("ID", "The unique id."),
    Alias("OG", "Where the log line comes from.", since="3.1"),
    Alias("ST", "The status."),
    Alias("T", "The time of the connection, UTC."),
    Alias("Ta", "Time from TR to the end.", http=True),
    Alias("Tc", "Time to connect."),
    Alias("Td", "Time to transfer the response."),
    Alias("Th", "Time of handshakes."),
    Alias("Ti", "Idle time before the request.", http=True),
    Alias("Tl", "The time of the connection, local."),
    Alias("Tq", "Th + Ti + TR.", http=True),
    Alias("TR", "Time to receive the request.", http=True),
    Alias("Tr", "Time until the response's head.", http=True),
    Alias("Ts", "The time of the connection in seconds since 1970."),
    Alias("Tt", "Whole time."),
    Alias("Tu", "Time that the user waited."),
    Alias("Tw", "Time in queues."),
    Alias("U", "Bytes from the client to the server."),
    Alias("ac", "Connections of the process."),
    Alias("b", "The backend."),
    Alias("bc", "The backend's connections."),
    Alias("bi", "Our address towards the server."),
    Alias("bp", "Our port towards the server."),
    Alias("bq", "Place in the backend's queue."),
    Alias("ci", "The client's address."),
    Alias("cp", "The client's port."),
    Alias("f", "The frontend."),
    Alias("fc", "The frontend's connections."),
    Alias("fi", "The address that the client reached."),
    Alias("fp", "The port that the client reached."),
    Alias("ft", "The frontend, with a tilde for TLS."),
    Alias("hr", "Captured request headers."),
    Alias("hrl", "Captured request headers, as in CLF."),
    Alias("hs", "Captured response headers."),
    Alias("hsl", "Captured response headers, as in CLF."),
    Alias("lc", "The frontend's count of log lines."),
    Alias("ms", "Milliseconds of the time of the connection."),
    Alias("pid", "The process."),
    Alias("r", "The request line.", http=True),
    Alias("rc", "Connects after the first; + if another server was chosen."),
    Alias("rt", "The count of requests or sessions."),
    Alias("s", "The server."),
    Alias("sc", "The server's connections."),
    Alias("si", "The server's address."),
    Alias("sp", "The server's port."),
    Alias("sq", "Place in the server's queue."),
    Alias("sslc", "The TLS cipher."),
    Alias("sslv", "The TLS version."),
    Alias("t", "The time of the connection."),
    Alias("tr", "The time of the request.", http=True),
    Alias("trg", "The time of the request, UTC.", http=True),
    Alias("trl", "The time of the request, local.", http=True),
    Alias("ts", "How the stream ended."),
    Alias("tsc", "How the stream ended, with the cookie's part.", http=True),
)

BY_NAME = {alias.name: alias for alias in ALIASES}

FLAGS = {
    "Q": "quote",
    "X": "hexadecimal",
    "E": "escape",
    "M": "mandatory",
    "bin": "binary",
    "json": "json",
    "cbor": "cbor",
}
"""What may stand after `+` or `-` in `%{...}`, and the field of `plan.rules.Piece` that it sets."""
