"""Which HAProxy and Keepalived generations this program stands in for.

Clients compare the version that `show info` and `haproxy -v` report as numbers, so it leads with
the HAProxy generation whose language and figures are spoken here.
"""

from __future__ import annotations

from telamon import __version__

HAPROXY_LEVEL = "3.5.0"
HAPROXY_VERSION = f"{HAPROXY_LEVEL}-telamon{__version__}"
RELEASE_DATE = "2026/11/24"
