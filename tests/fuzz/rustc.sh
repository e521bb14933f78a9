#!/bin/sh
# Stands before rustc: gives the fuzzer's own crates the marks by which libFuzzer sees what an input reaches, and what
# is compared in it. Their dependencies are compiled as they are.
rustc=$1
shift
case " $* " in
    *" --crate-name ouli_gateway "* | *" --crate-name fuzz "*)
        exec "$rustc" "$@" -Ccodegen-units=1 -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
            -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
            -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing
        ;;
    *) exec "$rustc" "$@" ;;
esac
