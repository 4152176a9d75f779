#!/usr/bin/env bash
# Every event that the code names is in the table that docs/EVENTS.md is made from, and every row is named somewhere.
#   events.sh [ROOT]
set -euo pipefail
cd "${1:-$(dirname "$0")/../..}"
table=agent/base/own_log_events.c

sources=$(find agent -name '*.c' -not -path "$table" -print0 | sort -z | xargs -0 cat)

# The first literal of a call of own_log, or of what wraps it (…_log, …complain), line ends or not.
said() {
    tr '\n' ' ' <<<"$sources" |
        grep -oP '\b(own_log(_fields)?|\w+_log|\w*complain)\([^";]*"\K[a-z][a-z0-9_]*(?="\s*[,)])' | sort -u
}
listed() { grep -oP '^    \{"\K[a-z0-9_]+(?=", "(debug|info|warn|error)")' "$table" | sort -u; }

status=0
while read -r event; do
    echo "the event $event is not in $table" >&2
    status=1
done < <(comm -23 <(said) <(listed))
while read -r event; do
    grep -qF "\"$event\"" <<<"$sources" || {
        echo "$table: nobody says $event" >&2
        status=1
    }
done < <(listed)
exit "$status"
