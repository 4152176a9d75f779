#!/usr/bin/env bash
# The Java clients of the tests, from Maven, in the cache.
#   java.sh             prints their folder (fills the cache first): FOLDER/lib/*.jar are the class path
#   java.sh compile SOURCE FOLDER    compiles a producer against them into FOLDER, prints
#                                    what runs it: JAVA=…, JAVA_CLASS_PATH=…
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/stack/cache.sh
. "$here/cache.sh"

pom="$here/clients/java/pom.xml"
key="java-clients-$(content_key "$pom")"
copier=org.apache.maven.plugins:maven-dependency-plugin:3.8.1

build() {
    local out=$1
    say "fetching the Java clients from Maven"
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT
    cp "$pom" "$scratch/pom.xml"
    (cd "$scratch" && mvn -B -q -Dstyle.color=never "$copier:copy-dependencies" \
        "-DoutputDirectory=$out/lib" -DincludeScope=runtime)
    compgen -G "$out/lib/opentelemetry-sdk-*.jar" >/dev/null
}

# A runtime is not enough: the producers come as sources.
find_jdk() {
    local compiler
    for compiler in "${JAVA_HOME:+$JAVA_HOME/bin/javac}" /usr/lib/jvm/java-17-openjdk-*/bin/javac; do
        if [ -x "$compiler" ]; then
            printf '%s\n' "${compiler%/bin/javac}"
            return 0
        fi
    done
    return 1
}

compile() {
    local part jdk
    part=$(cached "$key" "$here/java.sh" build) || exit 77
    jdk=$(find_jdk) || { say "no Java compiler found"; exit 77; }
    "$jdk/bin/javac" --release 17 -cp "$part/lib/*" -d "$2" "$1"
    printf 'JAVA=%s\nJAVA_CLASS_PATH=%s:%s/lib/*\n' "$jdk/bin/java" "$2" "$part"
}

case ${1:-path}:$# in
path:* | prepare:1) cached "$key" "$here/java.sh" build || exit 77 ;;
build:2) build "$2" ;;
compile:3) compile "$2" "$3" ;;
*)
    sed -n '2,6s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
