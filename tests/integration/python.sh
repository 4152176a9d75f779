#!/usr/bin/env bash
# Runs one of these programs by the tests' own Python environment: python.sh PROGRAM [ARGS]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
clients=$("$here/../stack/clients.sh") || exit $?
program=$1
shift
SLUICE_PYTHON="$clients/bin/python"
export SLUICE_PYTHON
exec "$SLUICE_PYTHON" "$here/$program" "$@"
