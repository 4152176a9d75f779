#!/usr/bin/env bash
# Lets every fuzzer search for SLUICE_FUZZ_SECONDS (default 60) from its kept corpus.
#   fuzz.sh BUILD_DIR       a tree of preset fuzz; findings are left in BUILD_DIR/findings
set -euo pipefail
build=$(cd "$1" && pwd)
cd "$(dirname "$0")/../.."

mkdir -p "$build/findings"
status=0
for fuzzer in tests/fuzz/fuzz_*.c; do
    name=$(basename "$fuzzer" .c)
    new="$build/corpus/$name" # what libFuzzer learns; the kept corpus is only read
    mkdir -p "$new"
    echo "$name: ${SLUICE_FUZZ_SECONDS:-60} s"
    "$build/tests/fuzz/$name" -max_total_time="${SLUICE_FUZZ_SECONDS:-60}" -timeout=10 -rss_limit_mb=1024 \
        -print_final_stats=1 -artifact_prefix="$build/findings/$name-" \
        "$new" "tests/fuzz/corpus/${name#fuzz_}" >"$build/$name.log" 2>&1 || {
        tail -n 60 "$build/$name.log"
        status=1
    }
done
exit "$status"
