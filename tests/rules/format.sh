#!/usr/bin/env bash
# The C code is formatted as .clang-format says.
#   format.sh [ROOT]
set -euo pipefail
cd "${1:-$(dirname "$0")/../..}"
# shellcheck source=tests/rules/sources.sh
. tests/rules/sources.sh

command -v clang-format-14 >/dev/null || { echo "skipped: no clang-format-14" >&2; exit 77; }
c_sources | xargs -d '\n' clang-format-14 --dry-run -Werror
