"""Python in the rules of haproxy.cfg: fetches, converters, actions and services of your own.

A file that `telamon-python PATH.py` (in `global`) names registers functions by decorators, and
rules call them under the prefix `python.`:

    from telamon.script import Reply, Request, Transaction, action, converter, fetch, service

    @fetch("tier")
    def tier(txn: Transaction, header: str = "x-plan") -> str:
        return {"1": "gold"}.get(txn.request.header(header) or "", "basic")

    @converter("initials")
    def initials(text: str) -> str:
        return "".join(word[0] for word in text.split())

    @action("tag", at="http-request")
    def tag(txn: Transaction) -> None:
        txn.set_header("X-Tier", str(txn.get_var("txn.tier") or "none"))

    @service("hello")
    def hello(request: Request) -> Reply:
        return Reply(200, f"hello {request.path}\\n", content_type="text/plain")

    http-request set-var(txn.tier) python.tier(x-plan)
    http-request set-header X-Who %[req.hdr(name),python.initials]
    http-request python.tag
    http-request use-service python.hello if { path /hello }

What stands here is the language of such files; docs/python.md tells all of it.

A call runs in a thread of the proxy's control process, never in a data thread: only the request
that made it waits. A call that raises, or takes longer than `telamon-python-timeout` (1 s), is
logged with its traceback; a fetch or converter then has no value, an action is passed over (or,
with `required=True`, answers 500) and a service answers 500.
"""

from telamon.script.registry import ScriptError, action, converter, fetch, service
from telamon.script.reply import Reply
from telamon.script.transaction import Request, Response, Transaction
from telamon.script.values import Value

__all__ = [
    "Reply",
    "Request",
    "Response",
    "ScriptError",
    "Transaction",
    "Value",
    "action",
    "converter",
    "fetch",
    "service",
]
