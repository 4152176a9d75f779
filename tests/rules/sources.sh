#!/usr/bin/env bash
# Which files the rules are about: C that people write here, and shell scripts.
#
# Sourced from the repository's root. Generated and fetched files live under build/ or the cache.

c_sources() {
    local folder
    for folder in agent proto app tests; do
        [ ! -d "$folder" ] || find "$folder" -type f \( -name '*.c' -o -name '*.h' \)
    done | sort
}

shell_scripts() {
    printf '%s\n' run .ci/run
    local folder
    for folder in app tests deploy; do
        [ ! -d "$folder" ] || find "$folder" -type f -name '*.sh' -not -path '*/node_modules/*'
    done | sort
}
