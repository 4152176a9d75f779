#!/usr/bin/env bash
# Port choice for the stack's servers: free loopback ports, picked when a server starts.
#
# Sourced. They lie below the kernel's ephemeral range, so no outgoing connection can take one
# between the choice and the server's bind; another server still can, hence the callers' retry.

# free_ports COUNT: prints COUNT different ports on which nothing listens.
free_ports() {
    local want=$1 port chosen=" "
    while [ "$want" -gt 0 ]; do
        port=$((10240 + (RANDOM << 15 | RANDOM) % 22000))
        case $chosen in *" $port "*) continue ;; esac
        if listening "$port"; then continue; fi
        chosen="$chosen$port "
        printf '%s\n' "$port"
        want=$((want - 1))
    done
}

# listening PORT: true when a connection to it on loopback is accepted.
listening() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
