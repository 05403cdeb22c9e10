#!/usr/bin/env bash
# Bring what the operating system must have for one of: build, demo, test, bench.
# As root on Debian and its kin it is installed by apt; elsewhere this says exactly what is missing.
# Real peers (haproxy, keepalived, nginx, chromium) are judges in tests: without them, the tests that
# need them are skipped and say so, so their absence only warns.
set -u

rust_needed=1.85
new_enough_rust() {
  local have
  have=$(cargo --version 2>/dev/null | cut -d' ' -f2) || return 1
  [ -n "$have" ] && [ "$(printf '%s\n' "$rust_needed" "$have" | sort -V | head -n1)" = "$rust_needed" ]
}

# command to look for = Debian package that has it
declare -A need=()
declare -A want=()
case "${1:-}" in
  build) need=([cc]=gcc [make]=make) ;;
  demo)  need=([ip]=iproute2) ;;
  test)  need=([ip]=iproute2)
         want=([haproxy]=haproxy [keepalived]=keepalived [nginx]=nginx [curl]=curl [socat]=socat
               [killall]=psmisc [pgrep]=procps [pidof]=sysvinit-utils [chromium]=chromium
               [tcpdump]=tcpdump [hatop]=hatop [varnishtest]=varnish) ;;
  bench) want=([haproxy]=haproxy [nginx]=nginx) ;;
  *) echo "usage: $0 build|demo|test|bench" >&2; exit 2 ;;
esac

missing=() wished=()
for tool in "${!need[@]}"; do command -v "$tool" >/dev/null || missing+=("${need[$tool]}"); done
for tool in "${!want[@]}"; do command -v "$tool" >/dev/null || wished+=("${want[$tool]}"); done
if [ "${1}" = build ]; then
  python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
  # Debian 12's plain rustc is too old; rustc-web is the one that its browsers are built with.
  if ! new_enough_rust; then
    if apt-cache show rustc-web >/dev/null 2>&1; then missing+=(rustc-web cargo-web)
    else missing+=(rustc cargo); fi
  fi
fi
# nginx's TCP proxy is a module of its own.
if [ "${1}" = bench ] && [ ! -e /usr/lib/nginx/modules/ngx_stream_module.so ]; then
  wished+=(libnginx-mod-stream)
fi
[ ${#missing[@]} -eq 0 ] && [ ${#wished[@]} -eq 0 ] && exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  export DEBIAN_FRONTEND=noninteractive
  # A package's service must not start here: `policy-rc.d` saying 101 is Debian's way to ask that.
  policy=/usr/sbin/policy-rc.d made=
  if [ ! -e $policy ]; then printf '#!/bin/sh\nexit 101\n' > $policy && chmod 755 $policy && made=1; fi
  echo "installing: ${missing[*]} ${wished[*]}"
  apt-get update -qq >/dev/null
  apt-get install -y -qq --no-install-recommends "${missing[@]}" "${wished[@]}" >/dev/null
  status=$?
  [ -n "$made" ] && rm -f $policy
  [ $status -eq 0 ] && exit 0
  echo "apt-get could not install all of: ${missing[*]} ${wished[*]}" >&2
fi

if [ ${#missing[@]} -gt 0 ]; then
  still=()
  for tool in "${!need[@]}"; do command -v "$tool" >/dev/null || still+=("${need[$tool]}"); done
  [ "${1}" != build ] || new_enough_rust || still+=("cargo (Rust $rust_needed or newer, from rustup.rs)")
  if [ ${#still[@]} -gt 0 ]; then
    echo "missing: ${still[*]}. Install them, for example: sudo apt-get install ${missing[*]}" >&2
    exit 1
  fi
fi
[ ${#wished[@]} -gt 0 ] && echo "note: without ${wished[*]}, what needs them is skipped" >&2
exit 0
