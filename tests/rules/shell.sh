#!/usr/bin/env bash
# The scripts hold nothing that shellcheck knows to be a trap.
#   shell.sh [ROOT]
set -euo pipefail
cd "${1:-$(dirname "$0")/../..}"
# shellcheck source=tests/rules/sources.sh
. tests/rules/sources.sh

command -v shellcheck >/dev/null || { echo "skipped: no shellcheck" >&2; exit 77; }
shell_scripts | xargs -d '\n' shellcheck -x
