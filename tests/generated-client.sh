#!/usr/bin/env bash
# Has a client made from the running service's own description, and goes the documented way with it.
# Needs `openapi-python-client` and `ruff` on PATH, and `python3` of the same environment.
set -euo pipefail
cd "$(dirname "$0")/.."

work=$PWD/target/ci/generated-client
rm -rf "$work"
mkdir -p "$work"
log=$work/up.log

# Functions that are built already can be named by VIDINTEL_PREBUILT.
if [[ -n ${VIDINTEL_PREBUILT:-} ]]; then
    cargo build --quiet --locked --package local
else
    cargo build --quiet --locked --workspace --bins
fi
read -r port console < <(python3 - <<'PYTHON'
import socket
sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
print(*(s.getsockname()[1] for s in sockets))
PYTHON
)
"${CARGO_TARGET_DIR:-target}/debug/local" up --verbose --port "$port" --console-port "$console" >"$log" 2>&1 &
service=$!
trap 'kill "$service" 2>/dev/null; wait "$service" || true' EXIT

# The last thing it prints is a demo account's key; before that it may have to build the functions.
key=
for ((waited = 0; waited < 900 && ${#key} == 0; waited++)); do
    if ! kill -0 "$service" 2>/dev/null; then
        cat "$log" >&2
        exit 1
    fi
    sleep 1
    key=$(grep -o -m 1 -E 'tvi_live_[0-9A-Za-z]{12}_[0-9A-Za-z]{32}_[0-9A-Za-z]{6}' "$log" || true)
done
if [[ -z $key ]]; then
    cat "$log" >&2
    echo "no key after $waited s" >&2
    exit 1
fi
api=http://127.0.0.1:$port

# What the generator cannot make something of it leaves out with a warning: none is acceptable.
openapi-python-client generate --url "$api/openapi.json" --meta none \
    --output-path "$work/tiktok_intelligence" --fail-on-warning 2>&1 | tee "$work/generator.log"
if grep -i -q -E 'warning|error|skipp|unable|omitted' "$work/generator.log"; then
    echo "the generator cannot make something of the description: see above" >&2
    exit 1
fi

local=${CARGO_TARGET_DIR:-$PWD/target}/debug/local
export VIDINTEL_API=$api VIDINTEL_KEY=$key
export VIDINTEL_ADVANCE="$local advance --control http://127.0.0.1:$console"
PYTHONPATH=$work PYTHONDONTWRITEBYTECODE=1 python3 tests/generated-client/journey.py || {
    # Why the service failed is in its log, not in its answers.
    grep -E '"level":"ERROR"|"status":5[0-9][0-9]|panicked' "$log" | tail -n 20 >&2
    exit 1
}
