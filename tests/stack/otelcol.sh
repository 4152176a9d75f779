#!/usr/bin/env bash
# A real OpenTelemetry Collector for tests: built once from its Go modules, then any number of instances.
#   otelcol.sh prepare                fill the cache (minutes the first time)
#   otelcol.sh path                   the same, and print the program's path
#   otelcol.sh start FOLDER CONFIG    start one there with that configuration, wait until it runs
#   otelcol.sh stop|kill|pause|resume|status FOLDER
# CONFIG may name environment variables (${env:NAME}); FOLDER/log is the collector's own log.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/stack/cache.sh
. "$here/cache.sh"
# shellcheck source=tests/stack/server.sh
. "$here/server.sh"

version=v0.155.0
key="otelcol-$version-$(content_key "$here/otelcol/go.mod" "$here/otelcol/main.go")"

build() {
    local out=$1 go
    go=$("$here/go.sh")
    say "building the OpenTelemetry Collector $version from its Go modules (two CPU minutes, once)"
    export CGO_ENABLED=0 GOTOOLCHAIN=local GOFLAGS="-buildvcs=false -p=2" GOWORK=off
    cd "$here/otelcol"
    nice "$go" build -mod=readonly -ldflags "-s -w" -o "$out/otelcol" .
}

# The collector says so when all its parts have started.
ready() { grep -q 'Everything is ready' "$1/log"; }

start() {
    local folder=$1 config=$2 part
    part=$(cached "$key" "$here/otelcol.sh" build) || exit 77
    mkdir -p "$folder"
    folder=$(cd "$folder" && pwd)
    if server_pid "$folder"; then return 0; fi
    launch "$folder" "$part/otelcol" --config "file:$config"
    if await "$folder" 30 ready "$folder"; then
        server_pid "$folder"
        return 0
    fi
    stop_server "$folder" 5
    say "the collector did not start; the end of $folder/log:"
    tail -n 20 "$folder/log" >&2
    return 1
}

case ${1:-}:$# in
prepare:1) cached "$key" "$here/otelcol.sh" build >/dev/null ;;
path:1) printf '%s/otelcol\n' "$(cached "$key" "$here/otelcol.sh" build)" ;;
build:2) build "$2" ;;
start:3) start "$2" "$3" ;;
stop:2) stop_server "$2" 10 ;;
kill:2) signal_server "$2" KILL ;;
pause:2) signal_server "$2" STOP ;;
resume:2) signal_server "$2" CONT ;;
status:2) server_pid "$2" ;;
*)
    sed -n '2,7s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
