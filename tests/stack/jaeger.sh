#!/usr/bin/env bash
# A real Jaeger for tests: built once from its Go module, then any number of instances.
#   jaeger.sh prepare            fill the cache (minutes the first time)
#   jaeger.sh start FOLDER       start one there, print its addresses as KEY=value
#   jaeger.sh stop|kill|pause|resume|status|env FOLDER
# JAEGER_PORTS="P1 .. P6" asks for these ports: OTLP gRPC, OTLP HTTP, query, query gRPC, health, metrics.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/stack/cache.sh
. "$here/cache.sh"
# shellcheck source=tests/stack/ports.sh
. "$here/ports.sh"
# shellcheck source=tests/stack/server.sh
. "$here/server.sh"

version=v1.76.0
key="jaeger-$version"

# `go install` refuses a module with replace directives, so a scratch module takes over its
# go.mod and go.sum: the same versions that Jaeger itself is released with.
build() {
    local out=$1 go module
    go=$("$here/go.sh")
    say "building Jaeger $version from its Go module (about six CPU minutes, once)"
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT
    export CGO_ENABLED=0 GOTOOLCHAIN=local GOFLAGS="-buildvcs=false -p=2" GOWORK=off
    cd "$scratch"
    printf 'module scratch\n' >go.mod
    module=$("$go" mod download -json "github.com/jaegertracing/jaeger@$version" |
        sed -n 's/^[[:space:]]*"Dir": "\(.*\)",\{0,1\}$/\1/p')
    [ -n "$module" ]
    install -m 644 "$module/go.mod" "$module/go.sum" .
    "$go" mod edit -module stack/jaeger -require "github.com/jaegertracing/jaeger@$version"
    nice "$go" build -mod=mod -ldflags "-s -w" -o "$out/jaeger" \
        github.com/jaegertracing/jaeger/cmd/jaeger
}

ready() { curl -sf -o /dev/null --max-time 2 "http://127.0.0.1:$JAEGER_HEALTH_PORT/status"; }

start() {
    local folder=$1 part attempt
    part=$(cached "$key" "$here/jaeger.sh" build) || exit 77
    mkdir -p "$folder"
    folder=$(cd "$folder" && pwd)
    if server_pid "$folder" >/dev/null; then
        cat "$folder/env"
        return 0
    fi
    for attempt in 1 2 3; do
        if launch_jaeger "$folder" "$part" && await "$folder" 60 ready; then
            write_env "$folder"
            return 0
        fi
        stop_server "$folder" 5
        grep -q 'address already in use' "$folder/log" || break
    done
    say "Jaeger did not start (attempt $attempt); the end of $folder/log:"
    tail -n 20 "$folder/log" >&2
    return 1
}

launch_jaeger() {
    local ports
    read -ra ports <<<"${JAEGER_PORTS:-$(free_ports 6 | tr '\n' ' ')}"
    [ "${#ports[@]}" -eq 6 ]
    chosen_ports="${ports[*]}"
    export JAEGER_GRPC_PORT=${ports[0]} JAEGER_HTTP_PORT=${ports[1]} JAEGER_QUERY_PORT=${ports[2]}
    export JAEGER_QUERY_GRPC_PORT=${ports[3]} JAEGER_HEALTH_PORT=${ports[4]}
    export JAEGER_METRICS_PORT=${ports[5]}
    launch "$1" "$2/jaeger" --config "$here/jaeger.yaml"
}

write_env() {
    cat >"$1/env" <<EOF
JAEGER_OTLP_GRPC=127.0.0.1:$JAEGER_GRPC_PORT
JAEGER_OTLP_HTTP=http://127.0.0.1:$JAEGER_HTTP_PORT
JAEGER_QUERY=http://127.0.0.1:$JAEGER_QUERY_PORT
JAEGER_METRICS=http://127.0.0.1:$JAEGER_METRICS_PORT/metrics
JAEGER_PORTS="$chosen_ports"
JAEGER_PID=$(server_pid "$1")
JAEGER_FOLDER=$1
EOF
    cat "$1/env"
}

case ${1:-}:$# in
prepare:1) cached "$key" "$here/jaeger.sh" build >/dev/null ;;
build:2) build "$2" ;;
start:2) start "$2" ;;
stop:2) stop_server "$2" 10 ;;
kill:2) signal_server "$2" KILL ;;
pause:2) signal_server "$2" STOP ;;
resume:2) signal_server "$2" CONT ;;
status:2) server_pid "$2" ;;
env:2) cat "$2/env" ;;
*)
    sed -n '2,6s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
