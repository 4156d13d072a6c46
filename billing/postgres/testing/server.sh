#!/usr/bin/env bash
# A PostgreSQL server for tests, on a Unix socket in a folder of its own, for as long as a process lives.
#
#   server.sh FOLDER PID [FSYNC]    makes FOLDER; the server is ready once FOLDER/ready is there, or gave up once
#                                   FOLDER/failed is. FSYNC is on or off, by default off, and so is vacuuming
#
# It ends when the process does, however that ends, and takes the folder with it. PostgreSQL refuses to run as root, so
# root runs it as the user `postgres`.
set -u
folder=$1 watched=$2 fsync=${3:-off}

alive() { # a process that has ended and was not yet asked for is not alive
    kill -0 "$watched" 2>/dev/null && ! grep -qs '^State:[[:space:]]*Z' "/proc/$watched/status"
}

bin=$(pg_config --bindir 2>/dev/null)
[ -x "$bin/initdb" ] || bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)
as=()
mkdir -p "$folder/socket"
if [ "$(id -u)" -eq 0 ]; then
    chown -R postgres "$folder"
    as=(setpriv --reuid postgres --regid postgres --init-groups)
fi
cd "$folder" || exit 1

server=
finish() {
    [ -n "$server" ] && kill -INT "$server" 2>/dev/null && wait "$server"
    cd / && rm -rf "$folder"
}
trap finish EXIT
trap 'exit 1' INT TERM HUP

# By default not durable: where the disk is slow it would be the disk that is tested, and what tests kill is never the
# server.
if "${as[@]}" "$bin/initdb" -D "$folder/data" -U postgres --auth=trust --no-sync --encoding=UTF8 --no-locale >"$folder/log" 2>&1; then
    "${as[@]}" "$bin/postgres" -D "$folder/data" -k "$folder/socket" -c listen_addresses= -c "fsync=$fsync" \
        -c max_connections=400 -c shared_buffers=64MB -c "autovacuum=$fsync" >>"$folder/log" 2>&1 &
    server=$!
    for _ in $(seq 600); do
        if "$bin/pg_isready" -q -h "$folder/socket" -U postgres; then
            touch "$folder/ready"
            break
        fi
        kill -0 "$server" 2>/dev/null || break
        sleep 0.1
    done
fi
if [ ! -e "$folder/ready" ]; then
    tail -n 5 "$folder/log" >"$folder/failed.new" 2>&1
    mv "$folder/failed.new" "$folder/failed"
    # Left for those who wait to read it.
    sleep 5
    exit 1
fi
while alive && kill -0 "$server" 2>/dev/null; do
    sleep 0.5
done
