#!/usr/bin/env bash
# Holds the running service against its own description: no server error, no undocumented status,
# content type or shape. Needs `schemathesis` on PATH. Arguments are handed on to it, for example
# `--max-examples 500`.
set -euo pipefail
cd "$(dirname "$0")/.."

work=$PWD/target/ci/schemathesis
mkdir -p "$work"
log=$work/up.log

cargo build --quiet --locked --workspace --bins
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

# It keeps a cache of failures where it runs.
cd "$work"
schemathesis run "http://127.0.0.1:$port/openapi.json" \
    --header "X-API-Key: $key" \
    --phases examples,coverage,fuzzing \
    --checks not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance \
    --max-examples 50 --max-time 120 --seed 1 --workers 1 --request-timeout 10 \
    --generation-database none --no-color \
    "$@" || {
    # Why the service failed is in its log, not in its answers.
    grep -E '"level":"ERROR"|"status":5[0-9][0-9]|panicked' "$log" | tail -n 20 >&2
    exit 1
}
