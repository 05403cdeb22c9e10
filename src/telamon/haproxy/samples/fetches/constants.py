"""Constants and values that depend on no stream."""

from __future__ import annotations

from telamon.haproxy.samples.row import Fetch
from telamon.haproxy.samples.stages import Needs
from telamon.haproxy.samples.types import Type

_N = Needs.NOTHING

FETCHES = (
    Fetch("always_false", "", Type.BOOL, _N, "False."),
    Fetch("always_true", "", Type.BOOL, _N, "True."),
    Fetch("bin", "hex:hex", Type.BIN, _N, "The bytes that the digits write."),
    Fetch("bool", "value:bool", Type.BOOL, _N, "The value."),
    Fetch("date", "[offset:int] [unit:s|ms|us]", Type.INT, _N,
          "The time since 1970, plus the offset."),
    Fetch("date_us", "", Type.INT, _N, "The microseconds of the current second."),
    Fetch("env", "name:str", Type.STR, _N, "An environment variable of the start."),
    Fetch("hostname", "", Type.STR, _N, "The machine's name."),
    Fetch("int", "value:int", Type.INT, _N, "The value."),
    Fetch("ipv4", "value:ipv4", Type.IPV4, _N, "The value."),
    Fetch("ipv6", "value:ipv6", Type.IPV6, _N, "The value."),
    Fetch("meth", "[name:method]", Type.METH, _N, "The value, as a method."),
    Fetch("nbproc", "", Type.INT, _N, "1: there is one process."),
    Fetch("pid", "", Type.INT, _N, "The process's number.", since="2.7"),
    Fetch("proc", "", Type.INT, _N, "1: there is one process."),
    Fetch("quic_enabled", "", Type.BOOL, _N, "Whether QUIC listens.", "2.9"),
    Fetch("rand", "[range:int]", Type.INT, _N, "A random number below the range, or of 32 bits."),
    Fetch("str", "value:str", Type.STR, _N, "The value."),
    Fetch("thread", "", Type.INT, _N, "The number of the thread that asks."),
    Fetch("uuid", "[version:4|7]", Type.STR, _N, "A new UUID (RFC 9562)."),
    Fetch("var", "name:var [default:str]", Type.ANY, _N, "A variable's value, or the default."),
)  # fmt: skip
