#!/usr/bin/env bash
# Runs the fuzz targets with cargo-fuzz on stable Rust.
#
#   tests/fuzz/run.sh                       every target for ten seconds
#   tests/fuzz/run.sh SECONDS [TARGET]...   these targets, or all, for SECONDS each
#
# New inputs are kept in target/fuzz/corpus. An input that breaks a property is written to target/fuzz/artifacts/TARGET;
# copy it to tests/fuzz/regressions/TARGET, and `cargo test` checks it from then on.
#
# Needs: cargo-fuzz (cargo install --locked cargo-fuzz) and a C++ compiler, for libFuzzer.
set -euo pipefail
cd "$(dirname "$0")/../.."
readonly FUZZ=tests/fuzz FOUND=$PWD/target/fuzz
HOST=$(rustc -vV | sed -n 's/^host: //p')
# No sanitizers: they need a nightly compiler, and no crate of the gateway has unsafe code.
readonly FLAGS=(--fuzz-dir "$FUZZ" --target-dir "$FOUND/build" --sanitizer none)

# one SECONDS TARGET: prints a summary line, or the whole log if a property broke.
one() {
    local seconds=$1 target=$2 log=$FOUND/logs/$2 folder
    local inputs=("$FOUND/corpus/$target")
    mkdir -p "$FOUND/corpus/$target" "$FOUND/artifacts/$target"
    for folder in "$FUZZ/corpus/$target" "$FUZZ/regressions/$target"; do
        [[ ! -d $folder ]] || inputs+=("$folder")
    done
    if ! "$FOUND/build/$HOST/release/$target" -max_total_time="$seconds" -print_final_stats=1 -verbosity=1 \
        -max_len=4096 -timeout=10 -rss_limit_mb=1024 -dict="$FUZZ/fuzz.dict" \
        -artifact_prefix="$FOUND/artifacts/$target/" "${inputs[@]}" >"$log" 2>&1; then
        cat "$log"
        return 1
    fi
    awk -v target="$target" '
        / cov: / { for (i = 1; i < NF; i++) { if ($i == "cov:") edges = $(i + 1); if ($i == "corp:") kept = $(i + 1) } }
        /number_of_executed_units/ { runs = $2 }
        END { printf "%-16s %9d runs, %5d edges reached, %s inputs\n", target, runs, edges, kept }' "$log"
}

mkdir -p "$FOUND/logs"
cargo fuzz build "${FLAGS[@]}"
readonly SECONDS_EACH=${1:-10}
[[ $# == 0 ]] || shift
[[ $# != 0 ]] || mapfile -t all < <(cargo fuzz list --fuzz-dir "$FUZZ")
export -f one
export FOUND FUZZ HOST
# One process per core. `xargs` fails if one of them does.
printf '%s\n' "${@:-${all[@]}}" | xargs -P "$(nproc)" -I{} bash -c 'set -euo pipefail; one "$@"' _ "$SECONDS_EACH" {}
