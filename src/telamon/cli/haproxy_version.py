"""`haproxy -v` and `-vv`, whose lines scripts and test tools take apart.

The first line is read for a version that compares as numbers; TARGET, OPTIONS and the feature list
are asked for what the program can do (vtest's `feature cmd`, packagers' scripts).
"""

from __future__ import annotations

import os

from telamon import __version__
from telamon.base.version import HAPROXY_LEVEL, HAPROXY_VERSION, RELEASE_DATE
from telamon.haproxy.conditions import FEATURES

_KNOWN = """
51DEGREES ACCEPT4 BACKTRACE CLOSEFROM CPU_AFFINITY CRYPT_H DEVICEATLAS DL ENGINE EPOLL EVPORTS
GETADDRINFO KQUEUE KTLS LIBATOMIC LIBCRYPT LINUX_CAP LINUX_SPLICE LINUX_TPROXY LUA MATH
MEMORY_PROFILING NETFILTER NS OBSOLETE_LINKER OPENSSL OPENSSL_AWSLC OPENSSL_WOLFSSL OT PCRE PCRE2
PCRE2_JIT PCRE_JIT POLL PRCTL PROCCTL PROMEX PTHREAD_EMULATION QUIC QUIC_OPENSSL_COMPAT RT
SHM_OPEN SLZ SSL STATIC_PCRE STATIC_PCRE2 TFO THREAD THREAD_DUMP TPROXY WURFL ZLIB
"""
"""The build options that HAProxy lists, here or not."""


def version() -> str:
    """-v."""
    system = os.uname()
    return (
        f"HAProxy version {HAPROXY_VERSION} {RELEASE_DATE} - https://haproxy.org/\n"
        f"Status: Telamon {__version__} in the place of HAProxy {HAPROXY_LEVEL.rpartition('.')[0]}"
        " - its mistakes are Telamon's own.\n"
        f"Known bugs: see Telamon's issues, not HAProxy's.\n"
        f"Running on: {system.sysname} {system.release} {system.version} {system.machine}\n"
    )


def build() -> str:
    """-vv."""
    options = " ".join(f"USE_{name}=1" for name in sorted(FEATURES))
    features = " ".join(
        f"{'+' if name in FEATURES else '-'}{name}"
        for name in sorted(FEATURES | set(_KNOWN.split()))
    )
    return version() + (
        "Build options :\n"
        "  TARGET  = linux-glibc\n"
        "  CPU     = generic\n"
        "  CC      = rustc\n"
        "  CFLAGS  = \n"
        f"  OPTIONS = {options}\n"
        "  DEBUG   = \n"
        "\n"
        f"Feature list : {features}\n"
        "\n"
        "Default settings :\n"
        "  bufsize = 16384, maxrewrite = 1024, maxpollevents = 200\n"
        "\n"
        f"Built with multi-threading support (MAX_THREADS=1024, default={_threads()}).\n"
        "Built without OpenSSL, Lua and compression support.\n"
        "Built with transparent proxy support using: IP_TRANSPARENT IPV6_TRANSPARENT IP_FREEBIND\n"
        "Regular expressions are read as PCRE2's.\n"
        "\n" + pollers() + "\n"
        "Available multiplexer protocols :\n"
        "(protocols marked as <default> cannot be specified using 'proto' keyword)\n"
        "  <default> : mode=HTTP  side=FE|BE  mux=H1    flags=HTX\n"
        "  <default> : mode=TCP   side=FE|BE  mux=PASS  flags=\n"
        "\n"
        "Available services : none\n"
        "\n"
        "Available filters : none\n"
        "\n"
    )


def _threads() -> int:
    return len(os.sched_getaffinity(0))


def pollers() -> str:
    """How the data plane may talk to the kernel here; -d and -V show it too."""
    from telamon.engine import probe_io

    ring, reason = probe_io()
    result = "OK" if ring else "FAILED"
    note = "" if ring else f" ({reason})"
    return (
        "Available polling systems :\n"
        f"   io_uring : pref=400,  test result {result}{note}\n"
        "      epoll : pref=300,  test result OK\n"
        f"Total: 2 ({1 + ring} usable), will use {'io_uring' if ring else 'epoll'}.\n"
    )
