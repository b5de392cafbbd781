#!/usr/bin/env bash
# Has a client made from the running service's own description, and goes the documented way with it.
# Needs `openapi-python-client` and `ruff` on PATH, and `python3` of the same environment.
set -euo pipefail
cd "$(dirname "$0")/.."

work=$PWD/target/ci/generated-client
rm -rf "$work"
mkdir -p "$work"
log=$work/up.log

source tests/start-local.sh

# What the generator cannot make something of it leaves out with a warning: none is acceptable.
openapi-python-client generate --url "$api/openapi.json" --meta none \
    --output-path "$work/tiktok_intelligence" --fail-on-warning 2>&1 | tee "$work/generator.log"
if grep -i -q -E 'warning|error|skipp|unable|omitted' "$work/generator.log"; then
    echo "the generator cannot make something of the description: see above" >&2
    exit 1
fi

export VIDINTEL_API=$api VIDINTEL_KEY=$key
export VIDINTEL_ADVANCE="$local advance --control http://127.0.0.1:$console"
PYTHONPATH=$work PYTHONDONTWRITEBYTECODE=1 python3 tests/generated-client/journey.py || {
    # Why the service failed is in its log, not in its answers.
    grep -E '"level":"ERROR"|"status":5[0-9][0-9]|panicked' "$log" | tail -n 20 >&2
    exit 1
}
