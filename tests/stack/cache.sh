#!/usr/bin/env bash
# The stack's cache: what tests fetch or build once, each part under a key that names its version.
#
# Sourced. A part is built in a folder of its own and then appears under its key by one rename of
# a symbolic link, so a build that was cut short is never mistaken for a part. The folder keeps
# its path for good, because a virtual environment's scripts name the path they were made at.

stack_cache="${XDG_CACHE_HOME:-$HOME/.cache}/sluice"

say() { printf 'sluice: %s\n' "$*" >&2; }

# cached KEY COMMAND ARGS...: prints the folder of part KEY; where it is missing, first runs
# COMMAND ARGS... FOLDER (a program, so that its own `set -e` holds) to fill it.
cached() {
    local key=$1 link="$stack_cache/$1"
    shift
    if [ ! -e "$link/.complete" ]; then
        fill "$key" "$link" "$@" || return 1
    fi
    printf '%s\n' "$link"
}

fill() (
    key=$1 link=$2
    shift 2
    mkdir -p "$stack_cache/parts" "$stack_cache/locks"
    exec 9>"$stack_cache/locks/$key"
    flock 9 # two test runs side by side build a part once
    [ ! -e "$link/.complete" ] || exit 0
    folder=$(mktemp -d "$stack_cache/parts/$key.XXXXXX")
    chmod 755 "$folder"
    if ! "$@" "$folder" >&2 9>&-; then
        rm -rf "$folder"
        say "$key could not be built"
        exit 1
    fi
    touch "$folder/.complete"
    ln -sfn "parts/${folder##*/}" "$link.new"
    mv -fT "$link.new" "$link"
)

# content_key FILE...: a short key that changes with the files' content.
content_key() { cat -- "$@" | sha256sum | cut -c1-12; }
