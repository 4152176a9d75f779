#!/usr/bin/env bash
# The generated documents say what the tables in the code say.
#   generated_docs.sh SLUICE [--write]       SLUICE: the built program
set -euo pipefail
sluice=$(realpath "$1")
cd "$(dirname "$0")/../.."

status=0
for subject in configuration metrics events; do
    document="docs/${subject^^}.md"
    if [ "${2:-}" = --write ]; then
        "$sluice" docs "$subject" >"$document.new"
        mv "$document.new" "$document"
    elif ! "$sluice" docs "$subject" | diff -u "$document" - >&2; then
        echo "$document is stale: tests/rules/generated_docs.sh $1 --write" >&2
        status=1
    fi
done
exit "$status"
