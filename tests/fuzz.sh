#!/usr/bin/env bash
# Fuzzes what reads the addresses that callers send and the answers of TikTok, each for so many
# seconds (60 if not said). Needs a nightly compiler and `cargo install cargo-fuzz`. What was found in
# earlier runs is kept in target/fuzz and gone on from; an input that fails is left there and named.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:-60}
work=$PWD/target/fuzz
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$work/build}
for target in address upstream; do
    corpus=$work/corpus/$target
    mkdir -p "$corpus" "$work/failures/$target"
    # No sanitizer: the crates under test forbid unsafe code.
    cargo +nightly fuzz run --fuzz-dir tests/fuzz --sanitizer none "$target" \
        "$corpus" "tests/fuzz/seeds/$target" -- \
        -max_total_time="$seconds" -max_len=16384 -timeout=10 -print_final_stats=1 \
        -artifact_prefix="$work/failures/$target/"
done
