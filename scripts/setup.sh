#!/usr/bin/env bash
# Builds everything the project needs inside the checkout, once; a second run only checks stamps.
#   .venv          all Python packages, from requirements/lock.txt with hashes, and torch
#   node_modules   solc, OpenZeppelin, anvil, forge, viem, from package-lock.json
#   .tools/audit   slither and halmos, when asked for
#   .cache/base    SmolLM2-135M-Instruct as safetensors, from a hash-pinned package
# Arguments: what to set up (python node base browser audit); default: python node base.
set -euo pipefail
cd "$(dirname "$0")/.."

PYTHON="${PYTHON:-python3.11}"
command -v "$PYTHON" >/dev/null || PYTHON=python3
BASE=.cache/base/smollm2-135m-instruct-fp32

say() { printf '\033[1m[set-up]\033[0m %s\n' "$1"; }
stamp_of() { cat "$@" | sha256sum | cut -c1-64; }
is_fresh() { [ -f "$1" ] && [ "$(cat "$1")" = "$2" ]; }

# Prints a line with the elapsed time every few seconds, so that a long step is seen to move.
with_progress() {
  local label="$1" began=$SECONDS log status=0
  shift
  log="$(mktemp)"
  "$@" >"$log" 2>&1 &
  local child=$!
  while kill -0 "$child" 2>/dev/null; do
    sleep 1
    if [ $(((SECONDS - began) % 5)) -eq 0 ]; then printf '[set-up]   %s … %ds\n' "$label" "$((SECONDS - began))"; fi
  done
  wait "$child" || status=$?
  if [ "$status" -ne 0 ]; then cat "$log" >&2; rm -f "$log"; say "$label failed (exit $status); its output is above"; exit "$status"; fi
  rm -f "$log"
}

require_python() {
  "$PYTHON" - <<'P' || { say "Python 3.11 or newer is needed; set PYTHON=/path/to/python3.11"; exit 3; }
import sys
raise SystemExit(sys.version_info < (3, 11))
P
}

setup_python() {
  local want
  want="$(stamp_of requirements/lock.txt pyproject.toml scripts/setup.sh)"
  is_fresh .venv/.stamp "$want" && return 0
  require_python
  say "Python packages (a few minutes the first time)"
  [ -x .venv/bin/python ] || "$PYTHON" -m venv .venv
  # Brownie's compiled wheel has two fatal defects (docs/adr/0002); its plain source does not.
  export BROWNIE_LIB=1 BROWNIE_NOCOMPILE=1
  with_progress "pip" .venv/bin/python -m pip install --quiet --upgrade "pip>=25"
  with_progress "locked packages" .venv/bin/python -m pip install --quiet --no-deps --require-hashes -r requirements/lock.txt
  with_progress "torch" .venv/bin/python -m pip install --quiet torch==2.13.0
  setup_triton
  with_progress "openledger" .venv/bin/python -m pip install --quiet --no-deps --editable .
  echo "$want" >.venv/.stamp
}

# torch's CUDA build brings its own. Beside the CPU's it interprets and compiles the kernels in tests.
setup_triton() {
  if .venv/bin/python -c 'import triton' 2>/dev/null; then return 0; fi
  if [ "$(uname -sm)" != "Linux x86_64" ]; then
    say "no Triton for this system: the tests of GPU kernels will be skipped"
    return 0
  fi
  with_progress "triton" .venv/bin/python -m pip install --quiet --no-deps triton==3.7.1
}

setup_node() {
  local want
  want="$(stamp_of package-lock.json package.json)"
  is_fresh node_modules/.stamp "$want" && return 0
  say "npm packages"
  with_progress "npm" npm ci --ignore-scripts --no-audit --no-fund
  echo "$want" >node_modules/.stamp
}

setup_base() {
  [ -f "$BASE/fingerprint.json" ] && return 0
  say "base model: SmolLM2-135M-Instruct, converted to safetensors once"
  with_progress "conversion" .venv/bin/python -m inference_worker.base.convert --out "$BASE"
}

# Analysers of the contracts, apart from the product's packages: halmos holds others back.
setup_audit() {
  local want
  want="$(stamp_of requirements/audit.txt)"
  is_fresh .tools/audit/.stamp "$want" && return 0
  require_python
  say "slither and halmos"
  [ -x .tools/audit/bin/python ] || "$PYTHON" -m venv .tools/audit
  with_progress "audit packages" .tools/audit/bin/python -m pip install --quiet -r requirements/audit.txt
  echo "$want" >.tools/audit/.stamp
}

# A browser is needed by the wallet tests alone; without root they are skipped in words.
setup_browser() {
  command -v chromium >/dev/null && return 0
  if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    say "no Chromium and no right to install it: the wallet tests will be skipped"
    return 0
  fi
  say "Chromium, for the wallet tests"
  with_progress "package list" apt-get update -qq
  with_progress "chromium" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium
}

for part in "${@:-python node base}"; do
  for name in $part; do "setup_$name"; done
done
