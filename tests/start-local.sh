# Sourced at the root of the repository, with the file of its output in `log`: starts the service for the rest
# of the script. Leaves its address in `api`, its controls' port in `console`, a demo account's key in `key`,
# and its program in `local`.

# Functions that are built already can be named by VIDINTEL_PREBUILT: then they are used in place of the one program.
cargo build --quiet --locked --workspace --bin local --bin functions
read -r port console < <(python3 - <<'PYTHON'
import socket
sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
print(*(s.getsockname()[1] for s in sockets))
PYTHON
)
local=${CARGO_TARGET_DIR:-$PWD/target}/debug/local
"$local" up --verbose --port "$port" --console-port "$console" >"$log" 2>&1 &
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
