"""Random expressions and conditions, drawn from the tables of fetches and converters.

What HAProxy 2.6 does not know, and what differs from run to run, is left out. Values lean towards
the odd: no digits where digits are wanted, empty texts, bytes that are no text, ends of ranges.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from telamon.haproxy.samples import missing
from telamon.haproxy.samples.fetches import buffers
from telamon.haproxy.samples.index import CONVERTERS, FETCHES
from telamon.haproxy.samples.row import Converter, Fetch, Parameter
from telamon.haproxy.samples.stages import Stage, possible
from telamon.haproxy.samples.types import castable

CHANGING = frozenset(
    """
bc_src_port bc_dst_port res.hdrs res.hdrs_bin
date date_us rand uuid pid hostname thread nbthread nbproc env stopping act_conn src_port
dst_port fc_src_port fc_dst_port so_id so_name fe_id be_id srv_id unique-id dst fc_dst fe_conn
be_conn be_conn_free fe_req_rate fe_sess_rate be_sess_rate req.hdrs req.hdrs_bin accept_date
request_date proc cpu_calls cpu_ns_avg cpu_ns_tot lat_ns_avg lat_ns_tot fc_rtt fc_rttvar
fc_unacked fc_lost fc_sacked fc_retrans fc_reordering fc_fackets last_rule_file last_rule_line
quic_enabled txn.id32 bytes_in bytes_out dst_conn
""".split()
)
"""Fetches whose values are chance, or an address that differs between the two proxies."""
NEWER = frozenset("acl reverse fc_timer_handshake fc_timer_total bc_timer_connect".split())
"""Rows that bear no version in the table, and that HAProxy 2.6 has not or has otherwise."""
OWN_LANGUAGE = frozenset(
    "json_query jwt_header_query jwt_payload_query jwt_verify mqtt_field_value fix_tag_value"
    " distcc_body distcc_param protobuf ungrpc aes_gcm_dec aes_gcm_enc fix_is_valid"
    " mqtt_is_valid".split()
)
"""Rows whose arguments are a language of their own, with tests of their own."""


def _fetches(stage: Stage) -> tuple[Fetch, ...]:
    return tuple(
        row
        for row in FETCHES
        if row not in buffers.FETCHES  # they look at bytes, not at messages
        and row.name not in missing.FETCHES | CHANGING | NEWER | OWN_LANGUAGE
        and not row.since
        and not any(one.kind in ("backend", "server", "frontend") for one in row.parameters)
        and possible(row.needs, (stage,))
    )


_CONVERTERS = tuple(
    row
    for row in CONVERTERS
    if row.name
    not in missing.CONVERTERS | NEWER | OWN_LANGUAGE | {"debug", "capture-req", "capture-res"}
    and not row.since
)
_MAY_GIVE_NUL = frozenset("bytes sha1 sha2 digest hmac htonl aes_gcm_enc aes_gcm_dec".split())
# Most values come from these, so that converters get something to do.
_CONSTANTS = ("str", "str", "int", "bin", "var", "ipv4", "bool", "src")


@dataclass(frozen=True)
class Side:
    """The rules that ask: of what they may ask, and of what they mostly do."""

    rule: str
    fetches: tuple[Fetch, ...]
    sources: tuple[str, ...]


REQUEST = Side(
    "http-request",
    _fetches(Stage.FRONT_HTTP_REQUEST),
    (*_CONSTANTS, "req.hdr", "req.hdr", "req.fhdr", "req.cook", "url_param", "req.body", "method"),
)
RESPONSE = Side(
    "http-response",
    _fetches(Stage.BACK_HTTP_RESPONSE),
    (*_CONSTANTS, *("res.hdr", "res.fhdr", "res.cook", "status", "res.hdr_val") * 3),
)

HEADERS = ("x-a", "x-n", "x-e", "x-q", "x-ip", "x-u", "x-j", "x-l", "host", "cookie", "x-none",
           "x-b64", "x-hex", "x-bin", "connection", "x-big", "X-D")  # fmt: skip
COOKIES = ("s1", "S1", "e", "n", "none", "q")
VARIABLES = ("txn.v", "txn.n", "txn.none", "sess.n", "req.b", "proc.p", "txn.ip", "txn.bin")
WRITTEN = ("txn.w", "req.w", "sess.w")
"""Nobody reads these: what one question sets is nothing to the others."""
TEXTS = (
    "", "a", "ab", "abc", "A", "Zm9v", "Zm8=", "Zg", "12", "-7", "+3", "12ab", "ab12", "0x1f", "1F",
    "10.1.2.3", "::1", "10.0.0.1:80", "[::1]:80", "host:", "host:x", "a b", " a", "a%20b", "a+b",
    "a%2", "%zz", "a,b,,c", ",,a,,", "/a/b?c=d&e=f", "true", "example.com", "www.example.com:8080",
    "9223372036854775807", "9223372036854775808", "99999999999999999999", "-9223372036854775808",
    "a=1&b=2&=3&c", "aAbB", "0", "00", "1", "GET", "a;b=c;d", "\u00e9", "256.1.1.1", "1.2.3",
    "7f000001",
)  # fmt: skip
INTEGERS = (0, 1, -1, 2, 3, 5, 7, 10, 64, 255, 256, -256, 2**31 - 1, -(2**31), 2**32, 2**63 - 1,
            -(2**63), 168496141)  # fmt: skip
HEX = ("", "41", "ff", "616263", "c3a9", "ffff", "31", "2d37", "0d0a")
REGEXES = ("a", "^a", "b$", "[ab]+", ".*", "(.)(.)", "a|b", "x?", "[0-9]+", "(?i)A", "a(?=b)",
           "^$", r"\.", ",")  # fmt: skip
SUBSTITUTES = ("", "x", r"\0\0", "-", "yy")


@dataclass(frozen=True)
class Question:
    """An expression; or with `match` a condition on it."""

    text: str
    match: str = ""

    @property
    def shown(self) -> str:
        return self.condition if self.match else self.text

    @property
    def condition(self) -> str:
        return f'{{ "{self.text}"{self.match} }}'


def quoted(text: str) -> str:
    """An argument: in single quotes where a character would end or change it."""
    return f"'{text}'" if set(text) & set(",()' \\|&;") else text


def questions(random: Random, count: int, side: Side = REQUEST) -> list[Question]:
    return [_question(random, side) for _ in range(count)]


def _question(random: Random, side: Side) -> Question:
    expression, clean = _expression(random, side)
    if random.random() < 0.4:
        return Question(expression, _match(random, clean))
    return Question(expression if clean else expression + ",hex")


def _expression(random: Random, side: Side) -> tuple[str, bool]:
    """And whether its value is sure to have no NUL: in HAProxy that ends a binary value where text
    is wanted, in Telamon it does not."""
    if random.random() < 0.65:
        name = random.choice(side.sources)
        fetch = next(row for row in side.fetches if row.name == name)
    else:
        fetch = random.choice(side.fetches)
    parts = [_call(random, fetch)]
    value, clean = fetch.output, fetch.name not in ("base32+src", "url32+src")
    for _ in range(random.choice((0, 1, 1, 1, 2, 2, 3))):
        fitting = [row for row in _CONVERTERS if castable(value, row.input)]
        # Now and then one that cannot follow: both must refuse it.
        if not clean:
            fitting = [row for row in fitting if row.input == "bin"]
        if random.random() < 0.7:
            fitting = [row for row in fitting if not row.name.startswith("map")] or fitting
        row = random.choice(
            fitting if fitting and (not clean or random.random() < 0.97) else _CONVERTERS
        )
        parts.append(_call(random, row))
        value = value if row.output == "same" else row.output
        if row.name in _MAY_GIVE_NUL:
            clean = False
        elif row.output != "same" and row.output != "bin":
            clean = True
    return ",".join(parts), clean


def _call(random: Random, row: Fetch | Converter) -> str:
    arguments = []
    for parameter in row.parameters:
        if parameter.name == "size":
            arguments.append(str(random.randrange(1, 9)))
            continue
        if parameter.name == "truncate":
            arguments.append(random.choice("01"))
            break
        if row.name in ("url_param", "urlp_val") and parameter.name == "delimiter":
            arguments.append(random.choice("?&/"))
            break
        if row.name in ("url_param", "urlp_val", "req.body_param") and parameter.kind == "i":
            break  # newer
        left_out = parameter.optional and row.name[4:] not in ("hdr", "fhdr")
        if left_out and random.random() < 0.5:
            break
        if parameter.optional and random.random() < 0.3:
            break
        arguments.append(quoted(_argument(random, parameter, row.name)))
    if row.name == "add_item" and len(arguments) == 1:
        arguments.append("txn.v")
    if not arguments:
        return row.name
    return f"{row.name}({','.join(arguments)})"


def _argument(random: Random, parameter: Parameter, row: str) -> str:
    if random.random() < 0.01:
        return random.choice(TEXTS)
    if parameter.choices:
        return random.choice(parameter.choices)
    if parameter.name == "name" and row.startswith(("req.", "res.")):
        return random.choice(COOKIES if "cook" in row or "param" in row else HEADERS)
    if row in ("url_param", "urlp_val") and parameter.name == "name":
        return random.choice(("q", "Q", "e", "r", "flag", "none"))
    match parameter.kind:
        case "int" | "number" if random.random() < 0.8:
            return str(random.choice(INTEGERS))
        case "int":
            return str(random.randrange(-3, 12))
        case "number" if row == "bytes":
            return str(random.randrange(5))
        case "var" if row.endswith("set-var"):
            return random.choice(WRITTEN)
        case "number" | "var":
            return random.choice(VARIABLES)
        case "index":
            return str(random.choice((1, 2, 3, -1, -2, 9)))
        case "occurrence":
            return str(random.choice((0, 1, 2, 3, -1, -2, -10)))
        case "hex":
            return random.choice(HEX)
        case "bool":
            return random.choice(("true", "false", "0", "1"))
        case "ipv4":
            return random.choice(("10.1.2.3", "127.0.0.1", "255.255.255.255", "0.0.0.0"))
        case "ipv6":
            return random.choice(("::1", "2001:db8::1", "::ffff:10.1.2.3", "::"))
        case "mask4":
            return random.choice(("0", "8", "24", "32", "255.255.0.0", "33"))
        case "mask6":
            return random.choice(("0", "32", "64", "128", "ffff::"))
        case "regex":
            return random.choice(REGEXES)
        case "regexflags":
            return random.choice(("g", "i", "gi", ""))
        case "base64":
            return random.choice(("Zm9v", "YQ==", "txn.v"))
        case "condition":
            return random.choice(("ifexists", "ifnotexists", "ifgt"))
        case "mapfile":
            return _map(random, row)
    if parameter.name == "delimiters":
        return random.choice((",", ".", "/", "/.", ":", "b", " ", "=&"))
    if parameter.name == "subst":
        return random.choice(SUBSTITUTES)
    return random.choice(TEXTS)


def _map(random: Random, row: str) -> str:
    """A map with keys and values that the row reads; seldom another."""
    if random.random() < 0.03:
        row = "map_str"
    _, method, output, *_ = [*row.split("_"), "", ""]
    keys = method if method in ("int", "ip") else "text"
    return f"{{maps}}/{keys}-{output or 'text'}.map"


_PATTERNS: dict[str, tuple[str, ...]] = {
    "str": TEXTS,
    "beg": TEXTS,
    "end": TEXTS,
    "sub": TEXTS,
    "dir": ("a", "b", "/a/", "a/b", "c"),
    "dom": ("example", "example.com", ".com", "www", "a", "10"),
    "len": ("0", "1", "2", "1:3", "gt 3", "le 2"),
    "int": ("0", "1", "12", "-7", "gt 0", "lt 0", "1:20", ":5", "5:", "eq 255", "gt 5 lt 9"),
    "ip": ("10.1.2.3", "10.0.0.0/8", "::1", "::/0", "0.0.0.0/0", "127.0.0.1", "10.1.2.0/24"),
    "bin": HEX,
    "reg": REGEXES,
    "found": (),
    "bool": (),
}


def _match(random: Random, clean: bool) -> str:
    method = random.choice(tuple(_PATTERNS) if clean else ("bin", "found"))
    words = f" -m {method}"
    if method not in ("int", "len", "ip", "found", "bool") and random.random() < 0.3:
        words += " -i"
    pool = [one for one in _PATTERNS[method] if one]
    for pattern in random.sample(pool, min(len(pool), random.choice((1, 1, 2, 3)))):
        words += " " + (pattern if method in ("int", "len") else _word(pattern))
    return words


def _word(pattern: str) -> str:
    """A pattern as a word of the file."""
    return f"'{pattern}'" if set(pattern) & set(" \\'\"$#") else pattern
