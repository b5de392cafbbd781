#!/usr/bin/env bash
# Holds the running service against its own description: no server error, no undocumented status,
# content type or shape. Needs `schemathesis` on PATH. Arguments are handed on to it, for example
# `--max-examples 500`.
set -euo pipefail
cd "$(dirname "$0")/.."

work=$PWD/target/ci/schemathesis
mkdir -p "$work"
log=$work/up.log

source tests/start-local.sh

# Two hours pass, so that limits of a minute do not hide what lies behind them.
while sleep 1; do
    "$local" advance 1m --control "http://127.0.0.1:$console" >/dev/null
done &
clock=$!
trap 'kill "$clock" "$service" 2>/dev/null; wait "$service" || true' EXIT

export PYTHONPATH=$PWD/tests PYTHONDONTWRITEBYTECODE=1 SCHEMATHESIS_HOOKS=schemathesis_checks
# It keeps a cache of failures where it runs.
cd "$work"
schemathesis run "$api/openapi.json" \
    --header "X-API-Key: $key" \
    --phases examples,coverage,fuzzing \
    --checks no_failure_of_ours,status_code_conformance,content_type_conformance,response_headers_conformance,whole_answers_are_of_their_schema \
    --max-examples 50 --max-time 120 --seed 1 --workers 1 --request-timeout 10 \
    --generation-database none --no-color \
    "$@" || {
    # Why the service failed is in its log, not in its answers.
    grep -E '"level":"ERROR"|"status":5[0-9][0-9]|panicked' "$log" | tail -n 20 >&2
    exit 1
}
