#!/usr/bin/env bash
# The benchmarks behind `./run bench`, which has built release and started a Kafka (KAFKA_BROKERS).
#   run.sh [--records N] [--rounds N]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cmake --build "$SLUICE_BUILD" --target bench >"$SLUICE_BUILD/bench.log" 2>&1 || {
    cat "$SLUICE_BUILD/bench.log" >&2
    exit 1
}
for program in "$SLUICE_BUILD"/tests/bench/bench_*; do
    [ ! -x "$program" ] || [ -d "$program" ] || { echo "## ${program##*/}"; "$program"; echo; }
done
"$SLUICE_CLIENTS/bin/python" "$here/idle.py" --build "$SLUICE_BUILD" --brokers "$KAFKA_BROKERS"
"$SLUICE_CLIENTS/bin/python" "$here/flood.py" --build "$SLUICE_BUILD" --brokers "$KAFKA_BROKERS"
"$SLUICE_CLIENTS/bin/python" "$here/receipts.py" --build "$SLUICE_BUILD"
exec "$SLUICE_CLIENTS/bin/python" "$here/socket_to_kafka.py" --build "$SLUICE_BUILD" --brokers "$KAFKA_BROKERS" "$@"
