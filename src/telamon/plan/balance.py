"""How a backend chooses a server. Mirrored by `crates/telamon-plan/src/balance.rs`."""

from __future__ import annotations

from enum import StrEnum

from telamon.base.frozen import frozen
from telamon.plan.rules import Expression


class Algorithm(StrEnum):
    """Balancing algorithms (manual, `balance`)."""

    ROUNDROBIN = "roundrobin"
    STATIC_RR = "static-rr"
    LEASTCONN = "leastconn"
    FIRST = "first"
    SOURCE = "source"
    RANDOM = "random"
    URI = "uri"
    URL_PARAM = "url_param"
    HDR = "hdr"
    RDP_COOKIE = "rdp-cookie"
    HASH = "hash"

    @property
    def hashes(self) -> bool:
        """Whether a key of the request decides, as `hash-type` says."""
        return self in HASHING

    @property
    def needs_http(self) -> bool:
        """Whether its key stands in an HTTP request."""
        return self in (Algorithm.URI, Algorithm.URL_PARAM, Algorithm.HDR)


HASHING = frozenset(
    {
        Algorithm.SOURCE,
        Algorithm.URI,
        Algorithm.URL_PARAM,
        Algorithm.HDR,
        Algorithm.RDP_COOKIE,
        Algorithm.HASH,
    }
)


@frozen
class BalanceKey:
    """What a hashing algorithm takes of a request; each algorithm reads its own fields.

    `name` is a header's, a parameter's or a cookie's. Of a URI at most `length` bytes and `depth`
    slashes count (0: all), `whole` with its query, `path_only` without its authority.
    """

    name: str = ""
    length: int = 0
    depth: int = 0
    whole: bool = False
    path_only: bool = False
    check_post: bool = False
    domain_only: bool = False
    expression: Expression | None = None


class HashMethod(StrEnum):
    """How a number leads to a server (manual, `hash-type`)."""

    MAP_BASED = "map-based"
    CONSISTENT = "consistent"


class HashFunction(StrEnum):
    """How a key becomes a number (manual, `hash-type`)."""

    SDBM = "sdbm"
    DJB2 = "djb2"
    WT6 = "wt6"
    CRC32 = "crc32"
    NONE = "none"


class HashAffinity(StrEnum):
    """`hash-preserve-affinity`: until when a key keeps to its server."""

    ALWAYS = "always"
    MAXCONN = "maxconn"
    MAXQUEUE = "maxqueue"


class HashKey(StrEnum):
    """`hash-key`: what places a server on the ring of the consistent method."""

    ID = "id"
    ADDR = "addr"
    ADDR_PORT = "addr-port"


@frozen
class Hashing:
    """`hash-type` and its companions. `balance_factor` is a percentage above 100, or 0: none."""

    method: HashMethod = HashMethod.MAP_BASED
    function: HashFunction = HashFunction.SDBM
    avalanche: bool = False
    balance_factor: int = 0
    affinity: HashAffinity = HashAffinity.ALWAYS
