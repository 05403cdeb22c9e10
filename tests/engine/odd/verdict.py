"""What is the same, and what may differ for a reason that docs/compatibility.md names."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from tests.engine.odd.arena import Outcome
from tests.engine.odd.framing import breaks_chunks, plain
from tests.engine.odd.grammar import Case

Holds = Callable[[Case, Outcome, Outcome], bool]


@dataclass(frozen=True)
class Allowed:
    """A difference on purpose; `reason` stands in docs/compatibility.md."""

    reason: str
    holds: Holds


def text_of(case: Case) -> bytes:
    return b"\n\n".join([b"".join(case.sends), *(b"".join(one.pieces) for one in case.answers)])


REFUSAL = re.compile(r"\S+ (?:400 \d+ P[RHD]|502 \d+ PH|\d+ \d+ [SP]D)")


def stricter(theirs: Outcome, ours: Outcome) -> bool:
    """The first line that differs is our refusal, and not HAProxy's."""
    pairs = zip(theirs.log + [""] * len(ours.log), ours.log, strict=False)
    one, other = next((pair for pair in pairs if pair[0] != pair[1]), ("", ""))
    weaker = not REFUSAL.match(one) or one.split()[1:2] != other.split()[1:2]
    return bool(REFUSAL.match(other)) and weaker


def refused(pattern: bytes) -> Holds:
    """We have refused what HAProxy let pass, and such bytes were there. The other way round is
    never allowed."""
    odd = re.compile(pattern, re.IGNORECASE | re.MULTILINE)
    return lambda case, theirs, ours: stricter(theirs, ours) and bool(odd.search(text_of(case)))


def refused_chunks(case: Case, theirs: Outcome, ours: Outcome) -> bool:
    return stricter(theirs, ours) and breaks_chunks(text_of(case))


def lax(holds: Holds) -> Holds:
    """Only where odd messages are to pass."""
    return lambda case, theirs, ours: case.kind == "lax" and holds(case, theirs, ours)


def host_list(case: Case, theirs: Outcome, ours: Outcome) -> bool:
    return bool(re.search(rb"^host:[^\n]*,", text_of(case), re.IGNORECASE | re.MULTILINE))


def odd_version(case: Case, theirs: Outcome, ours: Outcome) -> bool:
    version = rb"^\S+[ \t]+\S+[ \t]+(?!HTTP/\d\.\d[ \t]*\r?$)[\w/.]+[ \t]*\r?$"
    return bool(re.search(version, text_of(case), re.MULTILINE))


def both_refuse(case: Case, theirs: Outcome, ours: Outcome) -> bool:
    """At another step: a body that is broken behind its head, a head that never ends."""
    pairs = zip(theirs.log, ours.log, strict=False)
    one, other = next((pair for pair in pairs if pair[0] != pair[1]), ("", ""))
    both = (r"\S+ 4\d\d \d+ (?:[PC][RH]|cR)", r"\S+ 502 \d+ [PS]H")
    return any(re.match(refusal, one) and re.match(refusal, other) for refusal in both)


def responses(one: Outcome, text: bytes | None = None) -> tuple[object, ...]:
    """What the client got, chunks aside."""
    return plain(one.client if text is None else text, ['"HEAD ' in line for line in one.log])


def without_close(text: bytes) -> bytes:
    """Without what is said of the client's connection."""
    return re.sub(rb"connection: (?:close|keep-alive)\r\n", b"", text)


def goes_on(case: Case, theirs: Outcome, ours: Outcome) -> bool:
    """The client had ended its words: we say that we close, and answer what it had sent before."""
    if not case.ends:
        return False
    if theirs.client == ours.client and ours.log[-1:] and " CD" in ours.log[-1]:
        return True  # within its body, before a server was found
    if any(re.search(r" C[HD]--", line) for line in theirs.log):
        return True  # HAProxy blames it for what the server did then
    if ours.log[: len(theirs.log)] != theirs.log:
        return False
    whole = responses(ours, without_close(ours.client))
    part = responses(theirs, without_close(theirs.client))
    return whole[: len(part)] == part


def says_close(case: Case, theirs: Outcome, ours: Outcome) -> bool:
    answers = b"".join(piece for one in case.answers for piece in one.pieces)
    return bool(
        re.search(rb"connection:[^\n]*upgrade", answers, re.IGNORECASE)
        and theirs.log == ours.log
        and responses(theirs, without_close(theirs.client))
        == responses(ours, without_close(ours.client))
    )


def server_left(case: Case, theirs: Outcome, ours: Outcome) -> bool:
    """A server that closes without having said so: whether the next request meets its end is
    chance."""
    short, long = sorted((theirs.log, ours.log), key=len)
    alike = short != long or responses(theirs) == responses(ours)
    return any(one.closes for one in case.answers) and long[: len(short)] == short and alike


def blames_client(case: Case, theirs: Outcome, ours: Outcome) -> bool:
    pairs = list(zip(theirs.log, ours.log, strict=False))
    return any(" 504 " in a and "sH" in a and " 408 " in b and "cH" in b for a, b in pairs) or any(
        "sD--" in a and "cD--" in b for a, b in pairs
    )


def counted(one: Outcome) -> list[str]:
    """The log without the sizes of errors, to which interim responses before them belong."""
    return [re.sub(r" 502 \d+ PH", " 502 0 PH", line) for line in one.log]


INTERIM = re.compile(rb"HTTP/1\.\d 1\d\d [^\r\n]*\r\n(?:[^\r\n]+\r\n)*\r\n")


def eased(case: Case, one: Outcome) -> Outcome:
    """Without interim responses, of which one may have come before an error, or not."""
    log = counted(one)
    if has_interim_in_pieces(case):
        log = [re.sub(r" (\d\d\d) \d+ (?:CD--|----)", r" \1 0 ----", line) for line in log]
    return replace(one, client=INTERIM.sub(b"", one.client), log=log)


def interim_first(case: Case, theirs: Outcome, ours: Outcome) -> bool:
    return not parts_of(theirs, ours)


def tunnel_refused(case: Case, theirs: Outcome, ours: Outcome) -> bool:
    """For HAProxy the client may still say something behind its request."""
    asked = re.search(rb"^(?:CONNECT |connection:.*upgrade)", text_of(case), re.I | re.M)
    blamed = [line.replace(" cD--", " sD--") for line in theirs.log]
    return bool(asked) and blamed == ours.log and responses(theirs) == responses(ours)


def end_passed_on(case: Case, theirs: Outcome, ours: Outcome) -> bool:
    """HAProxy ends its words to the server, too, who then does the same."""
    blamed = [line.replace(" ----", " sD--", 1) for line in unsized(theirs)[-1:]]
    return case.ends and blamed == unsized(ours)[-1:] and responses(theirs) == responses(ours)


def unsized(one: Outcome) -> list[str]:
    """The log lines without their sizes."""
    return [re.sub(r" (\d\d\d) \d+ ", r" \1 ", line) for line in one.log]


def tunnel_ended(case: Case, theirs: Outcome, ours: Outcome) -> bool:
    same = unsized(theirs) == unsized(ours)
    return case.ends and same and ours.client.startswith(theirs.client)


def interim_in_pieces(case: Case, theirs: Outcome, ours: Outcome) -> bool:
    """HAProxy may lose a part of it, or count a byte less."""
    ends = [
        [re.sub(r" (\d\d\d) \d+ (?:CD--|----)", r" \1 ", line) for line in one.log]
        for one in (theirs, ours)
    ]
    return has_interim_in_pieces(case) and ends[0] == ends[1]


def has_interim_in_pieces(case: Case) -> bool:
    return any(
        len(one.pieces) > 1 and re.match(rb"HTTP/1\.\d 1\d\d", b"".join(one.pieces))
        for one in case.answers
    )


def bad_behind(case: Case, theirs: Outcome, ours: Outcome) -> bool:
    if not 0 < len(ours.log) < len(theirs.log):
        return False
    one, *more = theirs.log[len(ours.log) - 1 :]
    blamed = one.replace(" ----", " sD--") == ours.log[-1]
    return blamed and bool(more) and " 400 0 PR" in more[0]


def last_line_missing(case: Case, theirs: Outcome, ours: Outcome) -> bool:
    """HAProxy may write the end that did not come, or count it."""
    broken = any(breaks_chunks(b"".join(answer.pieces)) for answer in case.answers)
    return broken and (
        theirs.log == ours.log or any(re.search(" [sS]D", line) for line in ours.log)
    )


def framing_in_trailers(case: Case, theirs: Outcome, ours: Outcome) -> bool:
    odd = rb"\n0+\r?\n(?:[^\n]*\S[^\n]*\n)*(?:content-length|transfer-encoding|host):"
    return bool(re.search(odd, text_of(case), re.IGNORECASE))


def mangled(case: Case, theirs: Outcome, ours: Outcome) -> bool:
    """HAProxy 2.6 reads on in the `Connection` that it has written anew already."""
    odd = re.compile(rb"connection:[^\n]*(?:close|keep-alive)[^\n]*", re.IGNORECASE)
    found = odd.findall(text_of(case))
    return len(case.sends) > 1 and any(b"," in line for line in found)


def trailers_lost(case: Case, theirs: Outcome, ours: Outcome) -> bool:
    cut = any(len(answer.pieces) > 1 for answer in case.answers) or len(case.sends) > 1
    return cut and ours.client.lower().count(b"x-trailer") > theirs.client.lower().count(
        b"x-trailer"
    )


ALLOWED: list[Allowed] = [
    Allowed("a NUL in a head", refused(rb"\x00")),
    Allowed("a byte above 126 in a target", refused(rb"^\S+[ \t]+[!-~]*[\x7f-\xff]")),
    Allowed("chunks and trailers that RFC 9112 does not allow", refused_chunks),
    Allowed(
        "a response that is not HTTP/d.d with a status from 100 to 999",
        refused(rb"\n\n(?:HTTP/\d\.\d[ \t]+(?:0\d\d|\d{1,2}|\d{4,})\b|RTSP)"),
    ),
    Allowed("a length of more than 63 bits", refused(rb"length:[^\r\n]*\d{19,}")),
    Allowed("CONNECT to more than host and port", refused(rb"^CONNECT[ \t]+\S*[@/]")),
    Allowed("CONNECT with a body", refused(rb"^CONNECT(?s:.)*(?:length|encoding)")),
    Allowed("101 without `Upgrade`", refused(rb"connection:.*upgrade")),
    Allowed("a tunnel that is refused without end", tunnel_refused),
    Allowed(
        "`Content-Length` and `Transfer-Encoding`",
        refused(rb"transfer-encoding(?s:.)*content-length|content-length(?s:.)*transfer-encoding"),
    ),
    Allowed("refused at another step", both_refuse),
    Allowed("a head near the limit", lambda case, theirs, ours: len(text_of(case)) > 14_000),
    Allowed("a client that has ended its words", goes_on),
    Allowed("a client that has ended its words", end_passed_on),
    Allowed("a server that closes without having said so", server_left),
    Allowed("a head in pieces with `Connection: close, X`", mangled),
    Allowed("a client stops within its body", blames_client),
    Allowed("an interim response before a broken one", interim_first),
    Allowed("an interim response before one that comes in pieces", interim_in_pieces),
    Allowed("a tunnel's client that has ended its words", tunnel_ended),
    Allowed("a bad request behind one whose response stays incomplete", bad_behind),
    Allowed("an answer with `Connection: upgrade`", says_close),
    Allowed("the end of a chunked response does not come", last_line_missing),
    Allowed("trailers in pieces", trailers_lost),
    Allowed(
        "a blank before the colon, CR or NUL in a name",
        lax(refused(rb"^[^:\r\n]*(?:[ \t]|\r[^\n]*):|HTTP/\d\.\d[^\n]*\n[ \t]")),
    ),
    Allowed("the same options and HTTP/1.10, RTSP/1.0", lax(odd_version)),
    Allowed("the same options and a list in `Host`", lax(host_list)),
    Allowed("fields of framing in trailers", framing_in_trailers),
    Allowed(
        "a WebSocket answer without 101",
        lambda case, theirs, ours: b"Sec-Websocket-Accept" in theirs.client,
    ),
]


def parts_of(theirs: Outcome, ours: Outcome) -> list[str]:
    """The parts that are not the same."""
    parts = []
    if responses(theirs) != responses(ours):
        parts.append("client")
    if theirs.end != ours.end and "stuck" in (theirs.end, ours.end):
        parts.append("end")
    if [plain(one) for one in theirs.server] != [plain(one) for one in ours.server]:
        parts.append("server")
    if theirs.log != ours.log:
        parts.append("log")
    return parts


def differs(case: Case, theirs: Outcome, ours: Outcome) -> list[str]:
    """The parts that are not the same, and are not meant to differ either."""
    parts = parts_of(theirs, ours)
    if parts and any(one.holds(case, eased(case, theirs), eased(case, ours)) for one in ALLOWED):
        return []
    return parts
