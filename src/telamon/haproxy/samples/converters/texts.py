"""Converters of texts."""

from __future__ import annotations

from telamon.haproxy.samples.row import Converter
from telamon.haproxy.samples.types import Type

_S, _I, _B = Type.STR, Type.INT, Type.BIN

CONVERTERS = (
    Converter("add_item", "delimiter:str [var:var] [suffix:str]", _S, _S,
              "Appends an item to a list."),
    Converter("bytes", "offset:number [length:number]", _B, _B, "A part of the bytes."),
    Converter("concat", "[start:str] [var:var] [end:str]", _S, _S,
              "Appends a text, a variable and a text."),
    Converter("cut_crlf", "", _S, _S, "Cuts the line's end off."),
    Converter("field", "index:index delimiters:marks [count:int]", _S, _S,
              "The field of that number; empty ones count."),
    Converter("has_ctl", "", _S, Type.BOOL, "Whether control characters are within.", "3.2"),
    Converter("host_only", "", _S, _S, "A Host without its port."),
    Converter("iif", "true:str false:str", Type.BOOL, _S, "One text or the other."),
    Converter("language", "languages:str [default:str]", _S, _S,
              "The best of these languages for an Accept-Language."),
    Converter("length", "", _S, _I, "How many bytes."),
    Converter("lower", "", _S, _S, "In lower case."),
    Converter("ltrim", "chars:str", _S, _S, "Without these characters at its beginning."),
    Converter("param", "name:str [delimiter:str]", _S, _S, "A parameter of a query string.", "3.1"),
    Converter("port_only", "", _S, _I, "A Host's port, or 0."),
    Converter("regsub", "regex:regex subst:str [flags:regexflags]", _S, _S,
              "Replaces what the expression matches."),
    Converter("reverse", "", _S, _S, "Backwards.", "3.2"),
    Converter("reverse_dom", "", _S, _S, "A domain's labels backwards.", "3.2"),
    Converter("rtrim", "chars:str", _S, _S, "Without these characters at its end."),
    Converter("secure_memcmp", "var:var", _B, Type.BOOL,
              "Whether it equals the variable, in constant time."),
    Converter("strcmp", "var:var", _S, _I, "Compares with the variable, as strcmp(3)."),
    Converter("upper", "", _S, _S, "In upper case."),
    Converter("word", "index:index delimiters:marks [count:int]", _S, _S,
              "The word of that number; empty ones do not count."),
)  # fmt: skip
