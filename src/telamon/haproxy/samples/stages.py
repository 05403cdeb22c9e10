"""Where a sample may be fetched: what a value needs, and what each place in a stream's life has.

The table is the one that `haproxy -dKsmp` prints: a row for each need, a column for each stage.
A rule of a `listen` section stands in a frontend's and a backend's stage; a fetch is possible if
one of them has what it needs.
"""

from __future__ import annotations

from enum import Enum


class Stage(Enum):
    """A column of the table: its number, and its name in messages."""

    TCP_CONNECTION = (0, "frontend tcp-request connection rule")
    TCP_SESSION = (1, "frontend tcp-request session rule")
    FRONT_TCP_CONTENT = (2, "frontend tcp-request content rule")
    FRONT_HTTP_REQUEST = (3, "frontend http-request header rule")
    USE_BACKEND = (5, "frontend use-backend rule")
    BACK_TCP_CONTENT = (6, "backend tcp-request content rule")
    BACK_HTTP_REQUEST = (7, "backend http-request header rule")
    USE_SERVER = (9, "backend use-server, balance or stick-match rule")
    SOURCE = (10, "server source selection")
    BACK_TCP_RESPONSE = (11, "backend tcp-response content rule")
    BACK_HTTP_RESPONSE = (12, "backend http-response header rule")
    FRONT_HTTP_RESPONSE = (16, "frontend http-response header rule")
    LOG = (18, "log line")
    CHECK = (19, "backend tcp-check rule")
    CONFIGURATION = (20, "configuration parser")
    COMMAND = (21, "CLI parser")

    @property
    def column(self) -> int:
        return self.value[0]

    @property
    def text(self) -> str:
        return self.value[1]


class Needs(Enum):
    """A row of the table: where the value can be had, and what it depends on."""

    NOTHING = ("YYYYYYYYYYYYYYYYYYYYYY", "nothing")
    PROCESS = ("YYYYYYYYYYYYYYYYYYYY.Y", "the running process")
    CLIENT = ("YYYYYYYYYYYYYYYYYYYY..", "the client's connection")
    SESSION = (".YYYYYYYYYYYYYYYYYY...", "the client's session")
    FRONTEND = ("YYYYYYYYYYYYYYYYYYY...", "a frontend")
    REQUEST = ("..YYYYYYYYY...........", "the request")
    MESSAGE = ("..YYYYYYYYYYYYYYYY.Y..", "a request or a response")
    TRANSACTION = ("..YYYYYYYYYYYYYYYYY...", "a transaction")
    BACKEND = ("......YYYYYYYYYYYYYY..", "a backend")
    SERVER = ("..........YYYYYYYYYY..", "a server that was chosen")
    SERVER_CONNECTION = ("...........YYYYYYYYY..", "a connection to a server")
    RESPONSE = ("...........YYYYYYY.Y..", "the response")

    @property
    def text(self) -> str:
        return self.value[1]

    def met_in(self, stage: Stage) -> bool:
        return self.value[0][stage.column] == "Y"


def possible(needs: Needs, stages: tuple[Stage, ...]) -> bool:
    return any(needs.met_in(stage) for stage in stages)


RESPONSES = frozenset(
    {Stage.BACK_TCP_RESPONSE, Stage.BACK_HTTP_RESPONSE, Stage.FRONT_HTTP_RESPONSE, Stage.CHECK}
)
"""Where the old names without `req.` or `res.` mean the response."""
