#!/usr/bin/env bash
# Shows the demo: its processes, the nodes and models that the gateway sees, prices, and what is left of the credit.
set -euo pipefail
. "$(dirname -- "$0")/lib.sh"

services=(gateway node1 node2)
up=0
for service in "${services[@]}"; do
    if pid=$(pid_of "$service"); then
        running=$(ps -o etime= -p "$pid" 2>/dev/null | tr -d ' ') || running=
        printf '%-8s  up    pid %s%s\n' "$service" "$pid" "${running:+, for $running}"
        up=$((up + 1))
    else
        printf '%-8s  down\n' "$service"
    fi
done
if [ "$up" -eq 0 ]; then
    echo "start it with: make up"
    exit 0
fi

peerway() {
    "$state/bin/peerway" --data-dir "$state/gateway" "$@"
}
[ ! -f "$state/env" ] || printf '\nbase URL  %s\n' "$(sed -n 's/^OPENAI_BASE_URL=//p' "$state/env")"
if pid_of gateway >/dev/null; then
    printf '\n'
    peerway node list
fi
if pid_of stripe >/dev/null; then
    printf '\npayments  fake: nothing is paid (http://127.0.0.1:%s)\n' "$(cat "$state/stripe-port")"
fi
printf '\n'
peerway model list
printf '\n'
peerway account show "$(cat "$state/account")" | sed -n '1,/^$/p'
