#!/usr/bin/env bash
# Holds the kept description against a linter's recommended rules, and every page against axe's, in a headless Chromium,
# wide and narrow, light and dark. Needs `node` and `npm` (22) and `chromium` on PATH. An argument is a folder for
# screenshots.
set -euo pipefail
cd "$(dirname "$0")/.."

work=$PWD/target/ci/pages
shots=${1:-}
[[ -z $shots ]] || mkdir -p "$shots"
log=$work/up.log
mkdir -p "$work"
# Installed anew when the pinned versions change.
if ! cmp --silent tests/pages/package-lock.json "$work/installed.json"; then
    cp tests/pages/{package.json,package-lock.json,.npmrc} "$work/"
    (cd "$work" && npm ci --silent --ignore-scripts)
    cp tests/pages/package-lock.json "$work/installed.json"
fi

export REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true
"$work/node_modules/.bin/redocly" lint docs/openapi.json --config tests/pages/redocly.yaml --format github-actions

source tests/start-local.sh
cp tests/pages/check.mjs "$work/"
CHROMIUM=$(command -v chromium)
export CHROMIUM
node "$work/check.mjs" "$api" "http://127.0.0.1:$console" "$shots"
