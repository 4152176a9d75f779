#!/usr/bin/env bash
# The life of one server process of the stack: start, wait until ready, stop by its pid.
#
# Sourced. A server's folder holds `pid`, `env` (the KEY=value lines printed at start), `log` and
# its data. A pid counts only while it is the process that was started (its start time is kept
# beside it), so a recycled number is never signalled.

start_time() { sed -E 's/.*\) //' "/proc/$1/stat" 2>/dev/null | cut -d ' ' -f 20; }

# server_pid FOLDER: prints the pid while that server is alive, else fails.
server_pid() {
    local pid started
    read -r pid started 2>/dev/null <"$1/pid" || return 1
    [ -n "$started" ] && [ "$(start_time "$pid")" = "$started" ] || return 1
    # A zombie has only its parent left to collect it: for us it is gone.
    ! grep -q '^State:.Z' "/proc/$pid/status" 2>/dev/null || return 1
    printf '%s\n' "$pid"
}

# launch FOLDER COMMAND...: runs it in the background, in a session of its own, output to FOLDER/log.
launch() {
    local folder=$1 pid
    shift
    setsid "$@" >"$folder/log" 2>&1 </dev/null 9>&- &
    pid=$!
    printf '%s %s\n' "$pid" "$(start_time "$pid")" >"$folder/pid"
}

# await FOLDER SECONDS PREDICATE...: until the predicate holds; fails when the server has ended
# or the time is over.
await() {
    local folder=$1 deadline=$((SECONDS + $2))
    shift 2
    until "$@"; do
        server_pid "$folder" >/dev/null || return 1
        [ "$SECONDS" -lt "$deadline" ] || return 1
        sleep 0.1
    done
}

# stop_server FOLDER SECONDS: SIGTERM, then SIGKILL after that time. Stopping twice is no error.
stop_server() {
    local folder=$1 deadline=$((SECONDS + $2)) pid
    pid=$(server_pid "$folder") || return 0
    kill -CONT "$pid" 2>/dev/null || true
    kill -TERM "$pid" 2>/dev/null || true
    while server_pid "$folder" >/dev/null; do
        if [ "$SECONDS" -ge "$deadline" ]; then
            kill -KILL "$pid" 2>/dev/null || true
            deadline=$((SECONDS + 10))
        fi
        sleep 0.05
    done
    rm -f "$folder/pid"
}

# signal_server FOLDER NAME: sends one signal; fails when the server is not running. After KILL it is
# gone: a start right behind would else find it running.
signal_server() {
    local pid
    pid=$(server_pid "$1") || return 1
    kill "-$2" "$pid"
    while [ "$2" = KILL ] && server_pid "$1" >/dev/null; do sleep 0.02; done
}
