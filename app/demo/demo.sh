#!/usr/bin/env bash
# Shows logs and traces on their whole way: two apps → one Unix socket → the agent → Kafka and OTLP.
#
#   ./run demo                 what to call: it builds, and gives the environment below
#   SLUICE_BUILD=build/release SLUICE_CLIENTS=VENV app/demo/demo.sh
#
# The apps are a C program (libsluice, the native dialect) and a FastAPI service (structlog's JSON
# lines, OpenTelemetry's OTLP/gRPC) that only environment variables point at the socket. The agent
# brings a Kafka and an OTLP receiver of its own (--dev) and prints what arrives at them.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build=$(realpath "${SLUICE_BUILD:?set it, or call ./run demo}")
clients=$(realpath "${SLUICE_CLIENTS:?set it, or call ./run demo}")
sluice=$build/agent/sluice
folder=$(mktemp -d "${TMPDIR:-/tmp}/sluice-demo-XXXXXX")
started=() # pids that are still ours to stop

say() { printf '\n== %s\n' "$*"; }

die() {
    printf 'demo: %s\n' "$1" >&2
    [ $# -lt 2 ] || tail -n 20 "$2" >&2
    exit 1
}

# stop PID: SIGTERM, and wait until it is gone; its exit status.
stop() {
    local pid=$1 left=() other
    kill -TERM "$pid" 2>/dev/null || true
    for other in "${started[@]}"; do [ "$other" = "$pid" ] || left+=("$other"); done
    started=("${left[@]}")
    wait "$pid"
}

finish() {
    local pid
    for pid in "${started[@]}"; do stop "$pid" || true; done
    rm -rf "$folder"
}
trap finish EXIT

# field NAME: a text field of the agent's "started" line.
field() { sed -n 's/.*"event":"started".*"'"$1"'":"\([^"]*\)".*/\1/p' "$folder/agent.log"; }

start_agent() {
    # What the caller's shell has set for other agents and SDKs is not for this one.
    local name foreign=()
    for name in $(compgen -e | grep -E '^(SLUICE|OTEL)_'); do foreign+=(-u "$name"); done
    env "${foreign[@]}" \
        "$sluice" run --dev --set "socket.path=$folder/sluice.sock" \
        --set otlp_listen=127.0.0.1:0 --set http.listen=127.0.0.1:0 \
        >"$folder/agent.out" 2>"$folder/agent.log" &
    agent=$!
    started+=("$agent")
    local deadline=$((SECONDS + 20))
    until [ -n "$(field http_listen)" ]; do
        kill -0 "$agent" 2>/dev/null || die "the agent ended:" "$folder/agent.log"
        [ "$SECONDS" -lt "$deadline" ] || die "the agent did not start in 20 s:" "$folder/agent.log"
        sleep 0.05
    done
}

run_orders() {
    SLUICE_SOCKET=$folder/sluice.sock "$build/app/demo/orders" 3
}

run_items() {
    # All that tells this app about Sluice:
    env SLUICE_SOCKET="$folder/sluice.sock" \
        OTEL_SERVICE_NAME=items \
        OTEL_EXPORTER_OTLP_ENDPOINT="unix://$folder/sluice.sock" \
        OTEL_EXPORTER_OTLP_INSECURE=true \
        OTEL_TRACES_EXPORTER=otlp OTEL_METRICS_EXPORTER=none OTEL_LOGS_EXPORTER=none \
        "$clients/bin/opentelemetry-instrument" \
        "$clients/bin/python" -m uvicorn --app-dir "$here" items:app \
        --uds "$folder/items.sock" --no-access-log --log-level warning >"$folder/items.log" 2>&1 &
    local items=$!
    started+=("$items")
    "$clients/bin/python" "$here/ask.py" "$folder/items.sock" || die "items does not serve:" "$folder/items.log"
    stop "$items" || true # uvicorn dies of the signal, when its last spans have left
}

[ -x "$sluice" ] || die "$sluice is not built"

say "the agent, with an embedded Kafka and OTLP receiver, on $folder/sluice.sock"
start_agent
say "orders: a C program over the native dialect"
run_orders
say "items: FastAPI, structlog and OpenTelemetry, pointed at the same socket by environment variables"
run_items
"$clients/bin/python" "$here/settle.py" "$(field http_listen)"
"$sluice" status --http "$(field http_listen)" >"$folder/books"
stop "$agent" || die "the agent failed:" "$folder/agent.log"

say "the ECS documents, as a consumer of the Kafka topic reads them"
grep '^{' "$folder/agent.out" || die "no document arrived:" "$folder/agent.log"
say "the traces, as the OTLP receiver got them"
grep -v -e '^{' -e '^delivered=' "$folder/agent.out" || die "no trace arrived:" "$folder/agent.log"
say "the books: every record accounted for"
cat "$folder/books"
tail -n 1 "$folder/agent.out"
grep -q '^balanced: yes' "$folder/books" || die "the books do not balance"

root=$(cd "$here/../.." && pwd)
say "to keep it running, and write to it from another terminal:"
cat <<EOF
    ${sluice#"$root"/} run --dev --set socket.path=/tmp/sluice.sock
    SLUICE_SOCKET=/tmp/sluice.sock ${build#"$root"/}/app/demo/orders
EOF
