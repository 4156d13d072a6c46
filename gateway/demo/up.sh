#!/usr/bin/env bash
# Starts the demo: one gateway and two nodes with different prices, each a process of its own, on the real model.
#
# usage: up.sh PEERWAY PEERWAY_NODE MODEL.gguf
#
# Run again, it starts what is missing and leaves alone what runs. Everything lies in .peerway (or $PEERWAY_STATE).
set -euo pipefail
. "$(dirname -- "$0")/lib.sh"

[ $# -eq 3 ] || fail "usage: up.sh PEERWAY PEERWAY_NODE MODEL.gguf"
gguf=$(realpath -- "$3")
model=smollm2-135m-instruct
# USD per million tokens, input and output: the first node is the cheaper one.
prices1=(0.05 0.10)
prices2=(0.10 0.20)
fake_stripe=$(realpath -- "$(dirname -- "$0")/../../billing/stripe/fake")
[ -n "${STRIPE_SECRET_KEY:-}" ] && stripe=real || stripe=fake

# Binaries are copied, so that a build under way never changes what a running process is made of.
adopt() { # BINARY SERVICE...
    local binary=$1 ours
    ours=$state/bin/$(basename -- "$binary")
    shift
    cmp -s -- "$binary" "$ours" && return
    [ ! -e "$ours" ] || stop "$@"
    mkdir -p "$state/bin"
    cp -- "$binary" "$ours.new"
    mv -- "$ours.new" "$ours"
}

# Whether something listens on a TCP port or holds a UDP port.
is_taken() { # PORT
    local hex
    hex=$(printf ':%04X' "$1")
    awk -v port="$hex" '
        FNR > 1 && substr($2, length($2) - 4) == port && (FILENAME ~ /udp/ || $4 == "0A") { found = 1 }
        END { exit !found }
    ' /proc/net/tcp /proc/net/tcp6 /proc/net/udp /proc/net/udp6 2>/dev/null
}

# The first port from here on that nobody has.
free_port() { # WANTED
    local port=$1
    while is_taken "$port"; do
        port=$((port + 1))
        [ "$port" -lt $(($1 + 100)) ] || fail "ports $1 to $port are all in use"
    done
    [ "$port" = "$1" ] || echo "port $1 is in use; taking $port" >&2
    echo "$port"
}

# Starts a service in a session of its own: it outlives this terminal and hears none of its signals.
launch() { # SERVICE COMMAND...
    local service=$1
    shift
    setsid nohup "$@" </dev/null >>"$state/$service.log" 2>&1 9>&- &
    remember "$service" $!
    echo "$service started"
}

# Waits for a condition while a service is alive.
await() { # SERVICE SECONDS WHAT COMMAND...
    local service=$1 deadline=$((SECONDS + $2)) what=$3
    shift 3
    until "$@" >/dev/null 2>&1; do
        pid_of "$service" >/dev/null || fail "$service died: $(last_words "$service")"
        [ "$SECONDS" -lt "$deadline" ] || fail "$what did not happen in time; see $state/$service.log"
        sleep 0.05
    done
}

peerway() {
    "$state/bin/peerway" --data-dir "$state/gateway" "$@"
}

# Without a key of Stripe's, payments go to a fake that takes no money, and says so on each of its pages.
start_stripe() {
    local http port
    read -r http _ <"$state/ports"
    [ "$stripe" = fake ] || return 0
    if ! pid_of stripe >/dev/null; then
        # The gateway may know it by the port of last time.
        read -r port 2>/dev/null <"$state/stripe-port" || port=12111
        port=$(free_port "$port")
        echo "$port" >"$state/stripe-port"
        launch stripe python3 "$fake_stripe" --port "$port" --state-file "$state/stripe.json" \
            --webhook-url "http://127.0.0.1:$http/v1/webhooks/stripe" --webhook-secret whsec_of_the_demo
    fi
    export STRIPE_SECRET_KEY=sk_test_of_the_demo STRIPE_WEBHOOK_SECRETS=whsec_of_the_demo
    STRIPE_API_BASE=http://127.0.0.1:$(cat "$state/stripe-port")
    export STRIPE_API_BASE
}

start_gateway() {
    if pid_of gateway >/dev/null; then
        start_stripe
        return
    fi
    local http p2p
    # The ports of last time, where they are free: callers keep their base URL.
    read -r http p2p 2>/dev/null <"$state/ports" || { http=8080 p2p=4100; }
    http=$(free_port "${PEERWAY_PORT:-$http}")
    p2p=$(free_port "${PEERWAY_P2P_PORT:-$p2p}")
    # Nodes and a Stripe that run were told the old address.
    [ ! -f "$state/ports" ] || [ "$(cat "$state/ports")" = "$http $p2p" ] || stop node1 node2 stripe
    echo "$http $p2p" >"$state/ports"
    start_stripe
    launch gateway "$state/bin/peerway" --data-dir "$state/gateway" serve --listen "127.0.0.1:$http" \
        --p2p-listen "/ip4/127.0.0.1/tcp/$p2p" --p2p-listen "/ip4/127.0.0.1/udp/$p2p/quic-v1" --mdns false
}

start_node() { # SERVICE PRICE_INPUT PRICE_OUTPUT
    pid_of "$1" >/dev/null && return
    local p2p
    read -r _ p2p <"$state/ports"
    launch "$1" "$state/bin/peerway-node" --engine mistral --model "$gguf" --model-id "$model" \
        --queue 32 --price-input "$2" --price-output "$3" --gateway "/ip4/127.0.0.1/tcp/$p2p" --data-dir "$state/$1"
}

# The demo's account and key, made once.
open_account() {
    if [ ! -s "$state/account" ] || ! peerway account show "$(cat "$state/account")" >/dev/null 2>&1; then
        rm -f "$state/key"
        peerway account create demo >"$state/account"
        peerway credit grant "$(cat "$state/account")" 10 --reference "demo:$(cat "$state/account")" --memo "demo credit"
    fi
    if [ ! -s "$state/key" ]; then
        (umask 077 && peerway key create "$(cat "$state/account")" --name demo >"$state/key")
    fi
}

sell_model() {
    local sold
    sold=$(peerway --json model list)
    [[ $sold == *"\"$model\""* ]] || peerway model add "$model" --gguf "$gguf" >/dev/null
}

both_nodes_are_known() {
    [ "$(peerway --json node list | grep -c '"healthy": true')" -eq 2 ]
}

chat() {
    curl --silent --fail-with-body --max-time 120 "$base_url/chat/completions" \
        -H "Authorization: Bearer $key" -H "Content-Type: application/json" \
        -d "{\"model\":\"$model\",\"messages\":[{\"role\":\"user\",\"content\":\"Say hello.\"}],\"max_tokens\":16}"
}

write_env() {
    local new=$state/env.new
    (
        umask 077
        cat >"$new" <<EOF
OPENAI_BASE_URL=$base_url
OPENAI_API_KEY=$key
PEERWAY_MODEL=$model
PEERWAY_GATEWAY_PID=$(pid_of gateway)
PEERWAY_NODE1_PID=$(pid_of node1)
PEERWAY_NODE2_PID=$(pid_of node2)
EOF
    )
    mv -- "$new" "$state/env"
}

lock_state
chmod 700 "$state"
rm -f "$state/env"
adopt "$1" gateway
adopt "$2" node1 node2
start_gateway
start_node node1 "${prices1[@]}"
start_node node2 "${prices2[@]}"

base_url=http://127.0.0.1:$(cut -d' ' -f1 "$state/ports")/v1
await gateway 20 "the gateway's start" curl --silent --fail --max-time 2 "${base_url%/v1}/health"
open_account
sell_model
key=$(cat "$state/key")
await node1 120 "the first node's arrival" curl --silent --fail --max-time 2 "${base_url%/v1}/ready"
await node2 120 "both nodes' arrival" both_nodes_are_known
answer=$(chat) || fail "the first question was not answered: $answer"
write_env

cat <<EOF

Peerway is up: a gateway and two nodes, and the model has answered.

  base URL  $base_url
  key       $key
  model     $model
  payments  $([ "$stripe" = fake ] && echo "fake: no STRIPE_SECRET_KEY is set, so nothing is paid ($STRIPE_API_BASE)" || echo "by Stripe")

Try it:

  curl $base_url/chat/completions -H 'Authorization: Bearer $key' -H 'Content-Type: application/json' \\
    -d '{"model":"$model","max_tokens":64,"messages":[{"role":"user","content":"What is the capital of France?"}]}'

The same for programs is in $state/env. \`make status\` shows it at work, \`make down\` stops it.
EOF
