#!/usr/bin/env bash
# The lengths a reader can hold: .c at most 500 lines, .h 120, a function 70.
#   lengths.sh [ROOT]
set -euo pipefail
cd "${1:-$(dirname "$0")/../..}"
# shellcheck source=tests/rules/sources.sh
. tests/rules/sources.sh

# The format rule puts a function's braces alone in the first column, which is what is looked for.
c_sources | xargs -d '\n' awk '
    function complain(text) { print text; bad = 1 }
    function close_file() {
        limit = name ~ /\.h$/ ? 120 : 500
        if (name != "" && lines > limit)
            complain(name ": " lines " lines (at most " limit ")")
    }
    FNR == 1 { close_file(); name = FILENAME; signature = 0; body = 0 }
    { lines = FNR }
    body && /^}/ {
        if (FNR - signature + 1 > 70)
            complain(FILENAME ":" signature ": a function of " FNR - signature + 1 " lines (at most 70)")
        body = 0; signature = 0; next
    }
    body { next }
    /^\{/ { body = 1; if (!signature) signature = FNR; next }
    /^[A-Za-z_]/ && !signature { signature = FNR }
    /^$|^[#\/]|;[[:space:]]*$|^}/ { signature = 0 }
    END { close_file(); exit bad }' >&2
