#!/usr/bin/env bash
# Writes the coverage report of what ran in a coverage tree: report.txt per file, summary.txt in short.
#   coverage.sh BUILD_DIR
set -euo pipefail
build=$(cd "$1" && pwd)
cd "$(dirname "$0")/../.."

gcovr --root . --object-directory "$build" --filter 'agent/' --filter 'proto/' --filter 'app/client/' \
    --exclude-throw-branches -j "$(nproc)" --txt "$build/report.txt" --print-summary "$build" \
    >"$build/summary.txt"
cat "$build/report.txt" "$build/summary.txt"
