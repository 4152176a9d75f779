#!/usr/bin/env bash
# Builds one preset and runs the tests with the given labels there, from the repository's root.
#   suite.sh PRESET LABELS       LABELS: as in ctest -L
# Exits 77 when its compiler is missing, or when a test in it was skipped and none failed.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
preset=$1 labels=$2
build="build/$preset"

quiet() {
    local log="build/$preset.log"
    mkdir -p build
    "$@" >"$log" 2>&1 || { cat "$log"; exit 1; }
}

run_tests() {
    local log="build/$preset-tests.log" status=0
    "$@" ctest --test-dir "$build" -L "$labels" --no-tests=error --output-on-failure -j "$(nproc)" |
        tee "$log" || status=$?
    [ "$status" -eq 0 ] || exit "$status"
    ! grep -q '\*\*\*Skipped' "$log" || skipped=77
}

# A thread sanitizer built for less address-space randomization than newer kernels use ends at start.
fixed_addresses() {
    if setarch "$(uname -m)" -R true 2>/dev/null; then echo "setarch $(uname -m) -R"; fi
}

if [ "$preset" = fuzz ] && ! command -v clang-14 >/dev/null; then
    echo "skipped: no clang-14" >&2
    exit 77
fi

skipped=0
quiet cmake --preset "$preset"
quiet cmake --build "$build"

export ASAN_OPTIONS="detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=1:${ASAN_OPTIONS:-}"
export UBSAN_OPTIONS="print_stacktrace=1:${UBSAN_OPTIONS:-}"
export TSAN_OPTIONS="suppressions=$here/tsan.supp:second_deadlock_stack=1:${TSAN_OPTIONS:-}"
case $preset in
tsan)
    read -ra prefix < <(fixed_addresses) || true
    quiet cc -std=c11 -D_GNU_SOURCE -O1 -g -Wall -Wextra -Werror -shared -fPIC \
        -o "$build/c11_threads.so" "$here/c11_threads.c"
    run_tests "${prefix[@]}" env LD_PRELOAD="$PWD/$build/c11_threads.so"
    ;;
coverage)
    "$here/fuzz_coverage.sh" "$build"
    find "$build" -name '*.gcda' -delete
    run_tests
    "$here/coverage.sh" "$build"
    ;;
fuzz)
    run_tests
    "$here/fuzz.sh" "$build"
    ;;
*) run_tests ;;
esac
exit "$skipped"
