#!/usr/bin/env bash
# rsyslog and syslog-ng for the benchmark of kills: Debian's packages, unpacked in the cache and not installed (the
# two cannot be on one system, and neither should become its logger).
#   peers.sh prepare    fill the cache, print the folder
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/stack/cache.sh
. "$here/../stack/cache.sh"

# With those of their libraries that a small system has not.
packages=(rsyslog rsyslog-kafka syslog-ng-core syslog-ng-mod-rdkafka libestr0 libfastjson4 libivykis0
    liblognorm5 libnet1 libpcre3 libwrap0)

build() {
    local out=$1 package
    say "fetching rsyslog and syslog-ng from Debian"
    mkdir "$out/debs"
    (cd "$out/debs" && apt-get download -q=2 "${packages[@]}")
    for package in "$out"/debs/*.deb; do dpkg -x "$package" "$out"; done
    rm -r "$out/debs"
}

case ${1:-}:$# in
prepare:1) cached "peers-bookworm-$(content_key "${BASH_SOURCE[0]}")" "$here/peers.sh" build ;;
build:2) build "$2" ;;
*)
    sed -n '2,4s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
