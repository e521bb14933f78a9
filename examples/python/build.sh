#!/bin/sh
# Builds each plugin into build/NAME.wasm, but for those that are newer than all they are made of.
set -eu
cd "$(dirname "$0")"

if ! cmp -s requirements.txt .venv/requirements.txt; then
  python3 -m venv .venv
  .venv/bin/pip install --quiet --requirement requirements.txt
  cp requirements.txt .venv/
fi

build() { # MODULE WORLD OUTPUT
  # Where there is no output yet, `find` says so, and that counts as well.
  [ -z "$(find "$1.py" build.sh requirements.txt ../../wit -newer "$3" 2>&1)" ] && return
  .venv/bin/componentize-py --quiet --wit-path ../../wit --world "$2" componentize "$1" --output "$3"
  echo "$3: $(wc -c <"$3") bytes"
}

mkdir -p build
build ignore_nonce matcher-plugin build/ignore-nonce.wasm
build mask_email redactor-plugin build/mask-email.wasm
build skip_errors policy-plugin build/skip-errors.wasm
