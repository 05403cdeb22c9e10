"""What every balancer serves in a measurement: the same services, each on a port of its own.

HAProxy and Telamon read the very same text; nginx gets what comes nearest to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

NGINX_STREAM = Path("/usr/lib/nginx/modules/ngx_stream_module.so")


class Service(StrEnum):
    """A listener by what it does. `RICH` has what real files have: ACLs, edits, a capture, logs."""

    TCP = "tcp"
    TCP_BULK = "tcp-bulk"
    HTTP = "http"
    HTTP_BULK = "http-bulk"
    RICH = "rich"


@dataclass(frozen=True)
class Setting:
    """Ports: of the services, of the servers for small messages and for bulk, of the log's
    receiver. `extra_frontends` and `extra_servers` only stand in the file and serve nobody."""

    ports: dict[Service, int]
    small: Sequence[int]
    bulk: Sequence[int]
    syslog: int
    extra_frontends: int = 0
    extra_servers: int = 0
    free: Sequence[int] = field(default=())

    def servers(self, service: Service) -> Sequence[int]:
        return self.bulk if service in (Service.TCP_BULK, Service.HTTP_BULK) else self.small


_RICH = """
    log 127.0.0.1:{syslog} local0
    option httplog
    option forwardfor
    capture request header Host len 64
    acl is_api path_beg /api
    acl is_static path_end .css .js .png
    acl is_admin path_beg /admin
    acl internal src 10.0.0.0/8 192.168.0.0/16
    acl is_post method POST
    acl has_auth req.hdr(authorization) -m found
    acl host_a hdr(host) -i a.example.org
    acl host_b hdr_end(host) -i .example.com
    acl is_old path_reg ^/v[12]/
    acl big req.hdr(content-length) -m int gt 100000
    http-request deny if is_admin !internal
    http-request deny if is_post big
    http-request set-header X-Class api if is_api !is_static
    http-request set-header X-Old yes if is_old
    http-request set-header X-Host a if host_a or host_b
    http-request set-header X-Forwarded-Proto http
    http-request del-header X-Secret unless has_auth
    http-response set-header X-Served-By bench
"""


def haproxy_text(setting: Setting) -> str:
    lines = [
        "global",
        "    maxconn 8000",
        "    nbthread 1",
        "defaults",
        "    mode http",
        "    timeout connect 5s",
        "    timeout client 1m",
        "    timeout server 1m",
    ]
    for service, port in setting.ports.items():
        mode = "tcp" if service in (Service.TCP, Service.TCP_BULK) else "http"
        lines += [
            f"listen {service.value}",
            f"    mode {mode}",
            f"    bind 127.0.0.1:{port}",
            "    maxconn 8000",
        ]
        if mode == "http":
            lines.append("    http-reuse always")
        if service is Service.RICH:
            lines.append(_RICH.format(syslog=setting.syslog).strip("\n"))
        lines += [
            f"    server s{n} 127.0.0.1:{server}"
            for n, server in enumerate(setting.servers(service), 1)
        ]
    for number, port in zip(range(setting.extra_frontends), setting.free, strict=False):
        lines += [
            f"frontend extra{number}",
            f"    bind 127.0.0.1:{port}",
            f"    default_backend {Service.HTTP.value}",
        ]
    if setting.extra_servers:
        lines.append("backend crowd")
        lines += [f"    server c{n} 127.0.0.1:9" for n in range(setting.extra_servers)]
    return "\n".join(lines) + "\n"


def nginx_text(setting: Setting, directory: Path) -> str:
    def upstreams(kind: str, more: str) -> str:
        def one(name: str, ports: Sequence[int]) -> str:
            servers = " ".join(f"server 127.0.0.1:{port};" for port in ports)
            return f"upstream {kind}_{name} {{ {servers} {more} }}\n"

        return one("small", setting.small) + one("bulk", setting.bulk)

    ports = setting.ports
    stream = "".join(
        f"server {{ listen 127.0.0.1:{ports[service]}; proxy_pass tcp_{size}; "
        f"proxy_timeout 1m; }}\n"
        for service, size in ((Service.TCP, "small"), (Service.TCP_BULK, "bulk"))
    )
    web = "".join(
        f"server {{ listen 127.0.0.1:{ports[service]}; location / {{ "
        f"proxy_pass http://http_{size}; {more} }} }}\n"
        for service, size, more in (
            (Service.HTTP, "small", ""),
            (Service.HTTP_BULK, "bulk", ""),
            (Service.RICH, "small", "proxy_set_header X-Forwarded-For $remote_addr;"),
        )
    )
    return (
        f"load_module {NGINX_STREAM};\n"
        "daemon off; worker_processes 1; worker_rlimit_nofile 18000;\n"
        f"pid {directory}/nginx.pid; error_log {directory}/error.log;\n"
        "events { worker_connections 18000; }\n"
        f"stream {{\n{upstreams('tcp', '')}{stream}}}\n"
        f"http {{ access_log off; keepalive_requests 100000000;\n"
        'proxy_http_version 1.1; proxy_set_header Connection "";\n'
        f"client_body_temp_path {directory}; proxy_temp_path {directory};\n"
        f"fastcgi_temp_path {directory}; uwsgi_temp_path {directory}; scgi_temp_path {directory};\n"
        f"{upstreams('http', 'keepalive 256; keepalive_requests 100000000;')}{web}}}\n"
    )
