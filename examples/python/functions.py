"""Signed links, tenants by host, and a page for what is not there.

`sign("/files/a.pdf", 1800000000)` makes the query of a link; rules let it pass until that time.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import time
import urllib.parse
from pathlib import Path

from telamon.script import Reply, Request, Transaction, action, fetch, service

# Read once, when the proxy starts and still has the rights for it.
SECRET = os.environ.get("LINK_SECRET", "change me").encode()
TENANTS = json.loads(Path(__file__).with_name("tenants.json").read_text())


def sign(path: str, expires: int) -> str:
    signature = hmac.new(SECRET, f"{path}:{expires}".encode(), hashlib.sha256).hexdigest()
    return f"expires={expires}&signature={signature}"


@action("check-link", required=True)
def check_link(txn: Transaction) -> None:
    """Denies a link that is not ours, or too old. Without the check nothing may pass: required."""
    query = dict(urllib.parse.parse_qsl(txn.request.query))
    expires = int(query.get("expires", "0") or 0)
    if not hmac.compare_digest(sign(txn.request.path, expires), txn.request.query):
        txn.deny(403)
    elif expires < time.time():
        txn.reply(Reply(410, "This link has expired.\n", "text/plain"))
    else:
        txn.set_query("")


@fetch("tenant")
def tenant(txn: Transaction) -> str | None:
    """The backend of a tenant, by the first part of the host's name."""
    return TENANTS.get((txn.request.header("host") or "").partition(".")[0])


@service("unknown-tenant")
def unknown_tenant(request: Request) -> Reply:
    known = "".join(f"<li>{name}</li>" for name in sorted(TENANTS))
    return Reply(404, f"<h1>No such tenant</h1><ul>{known}</ul>")
