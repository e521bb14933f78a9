#!/bin/sh
# Builds matcher.py into {{name}}.wasm. With --debug, the gateway logs `print` and exceptions.
set -eu
cd "$(dirname "$0")"

if ! cmp -s requirements.txt .venv/requirements.txt; then
  python3 -m venv .venv
  .venv/bin/pip install --quiet --requirement requirements.txt
  cp requirements.txt .venv/
fi

stub=--stub-wasi
[ "${1:-}" = --debug ] && stub=

.venv/bin/componentize-py --quiet --wit-path wit --world matcher-plugin \
  componentize $stub matcher --output {{name}}.wasm
