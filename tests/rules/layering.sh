#!/usr/bin/env bash
# The direction of the data flow, checked: which room may include, and link, which.
#   layering.sh [ROOT]
set -euo pipefail
cd "${1:-$(dirname "$0")/../..}"
# shellcheck source=tests/rules/sources.sh
. tests/rules/sources.sh

# A room may include itself, the base and what stands here: the room it hands to, never one behind it.
declare -A may=(
    [base]=""
    [proto]="base"
    [grpc]="base proto"
    [deliver]="base proto grpc"
    [spool]="base deliver"
    [enrich]="base proto spool"
    [decode]="base proto enrich"
    [receive]="base proto grpc decode"
    [dev]="base proto grpc"
    [control]="base proto agent dev"
    [agent]="base proto grpc deliver spool enrich decode receive dev control"
    [client]="proto" # the apps' side shares the wire contract and nothing else
)

room_of() {
    case $1 in
    agent/*/*) printf '%s\n' "$1" | cut -d/ -f2 ;;
    agent/*) echo agent ;;
    proto/*) echo proto ;;
    app/client/*) echo client ;;
    *) echo free ;; # examples, services and tests may use what they show
    esac
}

# target_of INCLUDE: the room a quoted include names; a bare name is the includer's own folder or agent.h.
target_of() {
    case $1 in
    */*) printf '%s\n' "${1%%/*}" ;;
    agent.h) echo agent ;;
    *) echo own ;;
    esac
}

failures=0
complain() {
    printf '%s\n' "$*" >&2
    failures=$((failures + 1))
}

allowed() { case " $1 ${may[$1]} own " in *" $2 "*) return 0 ;; *) return 1 ;; esac; }

check_includes() {
    local file room line include
    while read -r file; do
        room=$(room_of "$file")
        [ "$room" != free ] || continue
        if [ -z "${may[$room]+known}" ]; then
            complain "$file: the room $room is not in the table of rooms"
            continue
        fi
        while IFS=: read -r line include; do
            allowed "$room" "$(target_of "$include")" ||
                complain "$file:$line: $room may not include \"$include\""
        done < <(sed -nE '/^[[:space:]]*#[[:space:]]*include[[:space:]]*"/{=;s/.*"([^"]*)".*/\1/p}' "$file" | paste -d: - -)
    done < <(c_sources)
}

check_links() {
    local file room link links
    for file in agent/*/CMakeLists.txt proto/CMakeLists.txt; do
        room=$(room_of "$file")
        read -ra links < <(sed -nE 's/^sluice_room\([a-z]+ LINKS ?([^)]*)\).*/\1/p' "$file") || true
        for link in "${links[@]}"; do
            case $link in
            *::* | m) ;; # a library of others, not a room
            *) allowed "$room" "$link" || complain "$file: $room may not link $link" ;;
            esac
        done
    done
}

check_includes
check_links
if [ "$failures" -gt 0 ]; then
    echo "$failures breaches of the layering (the table is in tests/rules/layering.sh)" >&2
    exit 1
fi
