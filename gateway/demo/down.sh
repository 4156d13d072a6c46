#!/usr/bin/env bash
# Stops the demo: what up.sh started, and nothing else. Accounts, credit and key stay for the next time.
set -euo pipefail
. "$(dirname -- "$0")/lib.sh"

[ -d "$state" ] || {
    echo "nothing runs"
    exit 0
}
lock_state
stopped=$(stop node1 node2 && stop gateway && stop stripe)
rm -f "$state/env"
echo "${stopped:-nothing runs}"
