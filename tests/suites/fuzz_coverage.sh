#!/usr/bin/env bash
# Each fuzzer's kept corpus alone must cover 90 % of the lines of the decoder it is for.
#   fuzz_coverage.sh BUILD_DIR       a tree of preset coverage
set -euo pipefail
build=$(cd "$1" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."
least=90

# Prints the sources a fuzzer answers for, one a line, from the table beside this script.
sources_of() { awk -v fuzzer="$1" '!/^#/ && $1 == fuzzer { for (i = 2; i <= NF; i++) print $i }' "$here/decoders.txt"; }

measure() {
    local decoder=$1 source filters=()
    while read -r source; do
        [ -f "$source" ] || { echo "decoders.txt: $source does not exist" >&2; return 1; }
        filters+=(--filter "${source//./\\.}\$")
    done < <(sources_of "$decoder")
    if [ "${#filters[@]}" -eq 0 ]; then
        echo "fuzz_$decoder: tests/suites/decoders.txt does not say which sources it is for" >&2
        return 1
    fi
    find "$build" -name '*.gcda' -delete
    "$build/tests/fuzz/fuzz_$decoder" "tests/fuzz/corpus/$decoder" >"$build/fuzz_$decoder.log" 2>&1
    gcovr --root . --object-directory "$build" "${filters[@]}" -j "$(nproc)" \
        --fail-under-line "$least" "$build" >"$build/fuzz_$decoder.txt" || {
        echo "fuzz_$decoder: the corpus covers less than $least % of its decoder:" >&2
        cat "$build/fuzz_$decoder.txt" >&2
        return 1
    }
    sed -n "s/^TOTAL.* \([0-9]*%\).*/fuzz_$decoder: \1 of its decoder's lines/p" "$build/fuzz_$decoder.txt"
}

status=0
for fuzzer in tests/fuzz/fuzz_*.c; do
    [ -f "$fuzzer" ] || continue
    decoder=${fuzzer##*/fuzz_}
    measure "${decoder%.c}" || status=1
done
exit "$status"
