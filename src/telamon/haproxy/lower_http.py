"""From the model to the plan: what a section says of the HTTP that it passes on."""

from __future__ import annotations

from dataclasses import replace

from telamon.haproxy.http_model import ErrorsDraft, ErrorsUse, HttpDraft
from telamon.haproxy.lower_rules import RuleLowering
from telamon.haproxy.model import Model, ProxyDraft, ServerOptions
from telamon.plan.http import Cookie, ErrorReply, HttpSettings, PoolLimits
from telamon.plan.proxy import Mode

# The old name and today's.
_UNSAFE_REQUESTS = ("accept-invalid-http-request", "accept-unsafe-violations-in-http-request")
_UNSAFE_RESPONSES = ("accept-invalid-http-response", "accept-unsafe-violations-in-http-response")


def http_settings(draft: ProxyDraft, model: Model, rules: RuleLowering) -> HttpSettings:
    """What one section says of HTTP."""
    options, http = draft.settings.options, draft.settings.http

    def on(*names: str) -> bool:
        return any(name in options for name in names)

    settings = HttpSettings(
        connection=http.connection,
        reuse=http.reuse,
        # A body that may hold the key must be there before a server is picked.
        buffer_request=on("http-buffer-request") or draft.settings.key.check_post,
        no_delay=on("http-no-delay"),
        pretend_keepalive=on("http-pretend-keepalive"),
        prefer_last_server=on("prefer-last-server"),
        abort_on_close=on("abortonclose"),
        ignore_probes=on("http-ignore-probes"),
        name_policy=http.name_policy,
        unsafe_requests=on(*_UNSAFE_REQUESTS),
        unsafe_responses=on(*_UNSAFE_RESPONSES),
        use_proxy_header=on("http-use-proxy-header"),
        adjust_client_case=on("h1-case-adjust-bogus-client"),
        adjust_server_case=on("h1-case-adjust-bogus-server"),
        drop_request_trailers=on("http-drop-request-trailers"),
        drop_response_trailers=on("http-drop-response-trailers"),
        forward_for=http.forward_for,
        original_to=http.original_to,
        forwarded=http.forwarded,
        monitor_uri=http.monitor_uri if draft.has_frontend else None,
        retry_on=http.retry_on if draft.has_backend else (),
        monitor_fail=tuple(draft.settings.rules.monitor_fail) if draft.has_frontend else (),
        errors=tuple(
            replace(error, reply=rules.reply(error.reply)) for error in _errors(http, model.errors)
        ),
        unique_id=rules.optional(draft.settings.rules.unique_id),
        unique_id_header=http.unique_id_header,
        server_name_header=http.server_name_header,
        request_captures=tuple(http.request_captures),
        response_captures=tuple(http.response_captures),
        cookie_capture=http.cookie_capture,
        cookie=_cookie(http) if draft.has_backend else None,
        persist=on("persist"),
        max_keep_alive_queue=http.max_keep_alive_queue,
        session_rate_limit=http.session_rate_limit if draft.has_frontend else None,
        idle_close_on_response=on("idle-close-on-response"),
        check_cache=on("checkcache") and draft.has_backend,
    )
    return settings if draft.settings.mode is Mode.HTTP else _of_tcp(settings)


def _of_tcp(settings: HttpSettings) -> HttpSettings:
    """What HAProxy ignores in mode tcp, with a warning (`checks.py`), is ignored even after a
    rule switches the mode."""
    return replace(
        settings,
        buffer_request=False,
        no_delay=False,
        pretend_keepalive=False,
        prefer_last_server=False,
        unsafe_requests=False,
        unsafe_responses=False,
        ignore_probes=False,
        use_proxy_header=False,
        idle_close_on_response=False,
        check_cache=False,
        forward_for=None,
        original_to=None,
        forwarded=None,
        monitor_uri=None,
        monitor_fail=(),
        cookie_capture=None,
        cookie=None,
    )


def _errors(http: HttpDraft, sections: dict[str, ErrorsDraft]) -> tuple[ErrorReply, ...]:
    """One reply a status: the last that was written."""
    replies: dict[int, ErrorReply] = {}
    for item in http.errors:
        if isinstance(item, ErrorsUse):
            found = sections[item.name.text].replies
            wanted = [status for status, _ in item.statuses] or list(found)
            replies |= {status: found[status] for status in wanted if status in found}
        else:
            replies[item.status] = item
    return tuple(replies[status] for status in sorted(replies))


def _cookie(http: HttpDraft) -> Cookie | None:
    if http.cookie is None or not http.cookie.dynamic:
        return http.cookie
    return replace(http.cookie, dynamic_key=http.dynamic_cookie_key)


def pool_limits(options: ServerOptions) -> PoolLimits:
    return PoolLimits(
        max_connections=options.pool_max_conn,
        low_connections=options.pool_low_conn,
        purge_delay=options.pool_purge_delay,
        max_reuse=options.max_reuse,
    )
