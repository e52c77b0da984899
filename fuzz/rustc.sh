#!/bin/sh
# What `cargo xtask fuzz` compiles this workspace's own crates with: a counter at every edge, the table of edges, and the
# operands of comparisons, for libFuzzer. All of it is plain code generation, so the pinned stable compiler does.
case " $* " in
*" --crate-name build_script_"*) exec "$@" ;;
esac
exec "$@" -Copt-level=2 \
    -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares
