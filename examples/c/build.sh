#!/bin/sh
# Builds plugin_roles.c into a component: build.sh WIT_FOLDER OUTPUT
# Rust's wasm-component-ld turns the core module into a component as it links.
set -eu
wit=$1 output=$2
wit-bindgen c "$wit" --world plugin --autodrop-borrows yes --out-dir gen
host=$(rustc -vV | sed -n 's/^host: //p')
linker=$(rustc --print sysroot)/lib/rustlib/$host/bin/wasm-component-ld
compile="clang-19 --target=wasm32-wasi -Os -Wall -Wextra"
$compile -c plugin_roles.c -o gen/plugin_roles.o
$compile -c gen/plugin.c -o gen/plugin.o
$compile -mexec-model=reactor -fuse-ld="$linker" -Wl,-s \
  gen/plugin_roles.o gen/plugin.o gen/plugin_component_type.o -o "$output"
