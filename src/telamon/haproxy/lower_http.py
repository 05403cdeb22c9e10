"""From the model to the plan: what a section says of the HTTP that it passes on."""

from __future__ import annotations

from telamon.haproxy.model import ProxyDraft, ProxySettings
from telamon.plan.http import ConnectionMode, HttpSettings

_MODES = {
    "http-keep-alive": ConnectionMode.KEEP_ALIVE,
    "http-server-close": ConnectionMode.SERVER_CLOSE,
    "httpclose": ConnectionMode.CLOSE,
}


def http_settings(draft: ProxyDraft) -> HttpSettings:
    """The HTTP options of one section."""
    settings, options = draft.settings, draft.settings.options
    return HttpSettings(
        connection=_connection(settings),
        reuse=settings.reuse,
        abort_on_close="abortonclose" in options,
        ignore_probes="http-ignore-probes" in options,
        forward_for=settings.forward_for,
        original_to=settings.original_to,
        monitor_uri=settings.monitor_uri,
        retry_on=settings.retry_on,
        errors=tuple(settings.errors.values()),
        server_name_header=settings.server_name_header,
    )


def _connection(settings: ProxySettings) -> ConnectionMode | None:
    """The mode that was written last: each undoes the others (manual 4.2)."""
    said = [_MODES[name] for name in settings.options if name in _MODES]
    return said[-1] if said else None
