"""Converters of numbers, booleans and addresses, and of times."""

from __future__ import annotations

from telamon.haproxy.samples.row import Converter
from telamon.haproxy.samples.types import Type

_S, _I, _B, _BOOL = Type.STR, Type.INT, Type.BIN, Type.BOOL

_ARITHMETIC = (
    ("add", "Adds."),
    ("and", "Bits that both have."),
    ("div", "Divides."),
    ("mod", "The rest of a division."),
    ("mul", "Multiplies."),
    ("or", "Bits that one has."),
    ("sub", "Subtracts."),
    ("xor", "Bits that only one has."),
)
_TIMES = (
    ("ltime", "Local time", "seconds", ""),
    ("ms_ltime", "Local time", "milliseconds", "2.9"),
    ("ms_utime", "UTC", "milliseconds", "2.9"),
    ("us_ltime", "Local time", "microseconds", "2.9"),
    ("us_utime", "UTC", "microseconds", "2.9"),
    ("utime", "UTC", "seconds", ""),
)

CONVERTERS = (
    *(Converter(name, "value:number", _I, _I, doc) for name, doc in _ARITHMETIC),
    *(
        Converter(name, "format:str [offset:int]", _I, _S,
                  f"{what} of a number of {unit}, as strftime(3).", since)
        for name, what, unit, since in _TIMES
    ),
    Converter("bool", "", _I, _BOOL, "False for 0."),
    Converter("cpl", "", _I, _I, "All bits turned."),
    Converter("even", "", _I, _BOOL, "Whether it is even."),
    Converter("http_date", "[offset:int] [unit:s|ms|us]", _I, _S, "A date for an HTTP header."),
    Converter("ipmask", "mask4:mask4 [mask6:mask6]", Type.ADDR, Type.IPV4, "Its network."),
    Converter("nbsrv", "", _S, _I, "The servers that are up in the backend of that name."),
    Converter("neg", "", _I, _I, "With the other sign."),
    Converter("not", "", _I, _BOOL, "True for 0."),
    Converter("odd", "", _I, _BOOL, "Whether it is odd."),
    Converter("srv_queue", "", _S, _I, "The queue of the server `backend/server`."),
)  # fmt: skip
