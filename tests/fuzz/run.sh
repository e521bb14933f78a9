#!/usr/bin/env bash
# Fuzzes what reads the bytes of others.
#
#   tests/fuzz/run.sh                       every target for ten seconds
#   tests/fuzz/run.sh SECONDS [TARGET]...   these targets, or all, for so long each
#   tests/fuzz/run.sh --take TARGET...      adds to the kept inputs the small ones that were found and reach new code
#
# What is found stays in `target/fuzz/corpus`. An input that breaks a property is written to `target/fuzz/broken` and
# named in the output; put it into `tests/fuzz/corpus/TARGET`, and `cargo test` shows it to the property from then on.
#
# Needs: a C++ compiler, for libFuzzer.
set -euo pipefail
cd "$(dirname "$0")"
readonly FOUND=$PWD/../../target/fuzz
# The largest input that is kept, in bytes.
readonly LARGEST=2048

targets() {
    ls corpus
}

build() {
    RUSTC_WRAPPER=$PWD/rustc.sh CARGO_TARGET_DIR=$FOUND/build cargo build --locked --quiet
}

# fuzz TARGET FLAG...: runs the fuzzer.
fuzz() {
    local target=$1
    shift
    OULI_FUZZ=$target "$FOUND/build/debug/fuzz" -artifact_prefix="$FOUND/broken/$target-" -timeout=10 \
        -rss_limit_mb=1024 "$@"
}

# one SECONDS TARGET: tells what it came to in one line, or everything where a property broke.
one() {
    local seconds=$1 target=$2 log=$FOUND/logs/$2
    mkdir -p "$FOUND/corpus/$target"
    if ! fuzz "$target" -max_total_time="$seconds" -print_final_stats=1 -verbosity=1 -max_len=4096 -dict=words.txt \
        "$FOUND/corpus/$target" "corpus/$target" >"$log" 2>&1; then
        cat "$log"
        return 1
    fi
    awk -v target="$target" '
        / cov: / { for (i = 1; i < NF; i++) { if ($i == "cov:") edges = $(i + 1); if ($i == "corp:") kept = $(i + 1) } }
        /number_of_executed_units/ { runs = $2 }
        END { printf "%-16s %9d runs, %5d edges reached, %s inputs\n", target, runs, edges, kept }' "$log"
}

take() {
    local target small
    for target in "$@"; do
        small=$(mktemp -d)
        find "$FOUND/corpus/$target" -type f -size "-${LARGEST}c" -exec cp -t "$small" {} +
        fuzz "$target" -set_cover_merge=1 "corpus/$target" "$small" 2>&1 | grep -E "new files|new features" || true
        rm -rf "$small"
    done
}

mkdir -p "$FOUND"/{broken,corpus,logs}
build
if [[ ${1:-} == --take ]]; then
    shift
    take "$@"
    exit
fi
readonly SECONDS_EACH=${1:-10}
[[ $# == 0 ]] || shift
[[ $# != 0 ]] || mapfile -t all < <(targets)
export -f one fuzz
export FOUND
# As many at once as there are cores. `xargs` ends with a failure where one of them does.
printf '%s\n' "${@:-${all[@]}}" | xargs -P "$(nproc)" -I{} bash -c 'set -euo pipefail; one "$@"' _ "$SECONDS_EACH" {}
