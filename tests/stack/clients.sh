#!/usr/bin/env bash
# The Python clients for tests and demo, in a virtual environment in the cache.
#   clients.sh          prints the environment's folder (fills the cache first): use FOLDER/bin/python
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/stack/cache.sh
. "$here/cache.sh"

requirements="$here/clients/requirements.txt"

case ${1:-path} in
path | prepare) cached "clients-$(content_key "$requirements")" "$here/clients.sh" build || exit 77 ;;
build)
    say "installing the Python clients"
    # Debian's Python, so that what is on PATH does not matter.
    /usr/bin/python3 -m venv "$2"
    "$2/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: -r "$requirements"
    broken=$("$2/bin/pip" check) || {
        printf '%s\n' "$broken" >&2
        exit 1
    }
    ;;
*)
    echo "usage: clients.sh [path|prepare]" >&2
    exit 2
    ;;
esac
