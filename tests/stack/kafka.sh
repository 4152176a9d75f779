#!/usr/bin/env bash
# A real Apache Kafka for tests: one KRaft node from Maven's jars, any number of instances.
#   kafka.sh prepare             fill the cache (a minute the first time)
#   kafka.sh start FOLDER        start one there, print its addresses as KEY=value
#   kafka.sh stop|kill|pause|resume|status|env FOLDER
# A folder that was stopped or killed starts again with its data and its ports.
# KAFKA_HEAP sets the JVM's heap options, KAFKA_PROPERTIES further broker properties (key=value words).
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/stack/cache.sh
. "$here/cache.sh"
# shellcheck source=tests/stack/ports.sh
. "$here/ports.sh"
# shellcheck source=tests/stack/server.sh
. "$here/server.sh"

version=4.4.0
key="kafka-$version-$(content_key "$here/kafka/pom.xml")"
copier=org.apache.maven.plugins:maven-dependency-plugin:3.8.1

build() {
    local out=$1
    say "fetching Kafka $version from Maven"
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT
    cp "$here/kafka/pom.xml" "$scratch/pom.xml"
    (cd "$scratch" && mvn -B -q -Dstyle.color=never "-Dkafka.version=$version" "$copier:copy-dependencies" \
        "-DoutputDirectory=$out/lib" -DincludeScope=runtime)
    compgen -G "$out/lib/kafka_2.13-$version.jar" >/dev/null
}

find_java() {
    local java
    for java in "${JAVA_HOME:+$JAVA_HOME/bin/java}" /usr/lib/jvm/java-17-openjdk-*/bin/java; do
        if [ -x "$java" ]; then
            printf '%s\n' "$java"
            return 0
        fi
    done
    command -v java
}

write_settings() {
    local folder=$1 ports=("${@:2}") property
    {
        cat "$here/kafka/server.properties"
        printf '%s=PLAINTEXT://127.0.0.1:%s,CONTROLLER://127.0.0.1:%s\n' \
            listeners "${ports[@]}" advertised.listeners "${ports[@]}"
        printf 'controller.quorum.voters=1@127.0.0.1:%s\nlog.dirs=%s/data\n' "${ports[1]}" "$folder"
        for property in ${KAFKA_PROPERTIES:-}; do printf '%s\n' "$property"; done
    } >"$folder/server.properties"
}

# "started" is the broker's own word; the open port alone comes before it serves.
ready() { grep -q 'Kafka Server started' "$1/log" && listening "$2"; }

start() {
    local folder=$1 part java ports attempt
    part=$(cached "$key" "$here/kafka.sh" build) || exit 77
    java=$(find_java) || { say "no Java found"; exit 77; }
    mkdir -p "$folder"
    folder=$(cd "$folder" && pwd)
    if server_pid "$folder" >/dev/null; then
        cat "$folder/env"
        return 0
    fi
    for attempt in 1 2 3; do
        if [ ! -f "$folder/ports" ]; then
            # The quorum's port is part of the formatted data, so new ports mean new data.
            rm -rf "$folder/data"
            mapfile -t ports < <(free_ports 2)
            write_settings "$folder" "${ports[@]}"
            "$java" -XX:TieredStopAtLevel=1 -cp "$here/kafka:$part/lib/*" kafka.tools.StorageTool \
                format -t "$(cluster_id)" -c "$folder/server.properties" >"$folder/format.log" 2>&1
        else
            read -ra ports <"$folder/ports"
        fi
        launch_kafka "$folder" "$java" "$part"
        if await "$folder" 120 ready "$folder" "${ports[0]}"; then
            printf '%s %s\n' "${ports[@]}" >"$folder/ports"
            write_env "$folder" "${ports[0]}"
            return 0
        fi
        stop_server "$folder" 10
        if [ -f "$folder/ports" ] || ! grep -q 'Address already in use' "$folder/log"; then break; fi
    done
    say "Kafka did not start (attempt $attempt); the end of $folder/log:"
    tail -n 20 "$folder/log" >&2
    return 1
}

launch_kafka() {
    local heap
    read -ra heap <<<"${KAFKA_HEAP:--Xms128m -Xmx512m}"
    launch "$1" "$2" "${heap[@]}" -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Djava.awt.headless=true \
        -cp "$here/kafka:$3/lib/*" kafka.Kafka "$1/server.properties"
}

write_env() {
    cat >"$1/env" <<EOF
KAFKA_BROKERS=127.0.0.1:$2
KAFKA_PID=$(server_pid "$1")
KAFKA_FOLDER=$1
EOF
    cat "$1/env"
}

# Kafka's cluster id: 16 bytes in unpadded URL-safe base64. The zero byte keeps the first character
# from being "-", which the format tool would read as an option.
cluster_id() { (printf '\0' && head -c 15 /dev/urandom) | base64 | tr '/+' '_-' | tr -d '='; }

case ${1:-}:$# in
prepare:1) cached "$key" "$here/kafka.sh" build >/dev/null ;;
build:2) build "$2" ;;
start:2) start "$2" ;;
stop:2) stop_server "$2" 30 ;;
kill:2) signal_server "$2" KILL ;;
pause:2) signal_server "$2" STOP ;;
resume:2) signal_server "$2" CONT ;;
status:2) server_pid "$2" ;;
env:2) cat "$2/env" ;;
*)
    sed -n '2,7s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
