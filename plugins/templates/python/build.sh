#!/bin/sh
# Builds matcher.py into {{name}}.wasm.
set -eu
cd "$(dirname "$0")"

if ! cmp -s requirements.txt .venv/requirements.txt; then
  python3 -m venv .venv
  .venv/bin/pip install --quiet --requirement requirements.txt
  cp requirements.txt .venv/
fi

.venv/bin/componentize-py --quiet --wit-path wit --world matcher-plugin \
  componentize matcher --output {{name}}.wasm
