# shellcheck shell=bash
# What up, down and status share: where the demo's state lies, and which of its processes run.
#
# A process is known by its id and its start time, because ids are used again: nothing that someone else started is
# ever taken for ours, nor stopped.

state=${PEERWAY_STATE:-.peerway}

fail() {
    echo "peerway: $*" >&2
    exit 1
}

# When a process began, in clock ticks since the machine's start. Fails where there is no such process.
started_at() { # PID
    local stat
    stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
    # The name in parentheses may hold spaces; the 20th field behind it is the start time, the first the state.
    # shellcheck disable=SC2086 # fields are meant to be split
    set -- ${stat##*) }
    [ "$1" != Z ] || return 1
    echo "${20}"
}

# Remembers a process.
remember() { # SERVICE PID
    echo "$2 $(started_at "$2")" >"$state/$1.pid"
}

# The id of a service's process where it runs. Fails where it does not.
pid_of() { # SERVICE
    local pid began
    read -r pid began 2>/dev/null <"$state/$1.pid" || return 1
    [ -n "$began" ] && [ "$(started_at "$pid")" = "$began" ] || return 1
    echo "$pid"
}

# The last thing a service had to say.
last_words() { # SERVICE
    tail -n 1 "$state/$1.log" 2>/dev/null
}

# Asks services to stop, waits for them, and kills those that do not.
stop() { # SERVICE...
    local service pid deadline=$((SECONDS + 40)) stopping=()
    for service in "$@"; do
        if pid=$(pid_of "$service"); then
            kill -TERM "$pid" 2>/dev/null || true
            stopping+=("$service")
        else
            rm -f "$state/$service.pid"
        fi
    done
    for service in "${stopping[@]}"; do
        while pid=$(pid_of "$service"); do
            if [ "$SECONDS" -ge "$deadline" ]; then
                echo "$service does not stop; killing it" >&2
                kill -KILL "$pid" 2>/dev/null || true
                deadline=$((SECONDS + 5))
            fi
            sleep 0.05
        done
        rm -f "$state/$service.pid"
        echo "$service stopped"
    done
}

# One demo command at a time on a state folder.
lock_state() {
    mkdir -p "$state" 2>/dev/null || fail "cannot make the folder $state"
    exec 9>"$state/lock" || fail "cannot write in the folder $state"
    flock --wait 120 9 || fail "another make up or make down is still busy with $state"
}
