#!/usr/bin/env bash
# Installs what the engine is measured against, each in an environment of its own under .tools/bench.
# Arguments: which of transformers, vllm, llama, plots, hpo, attribution, infini; default: the first four, which are the
# engine's. One that does not install leaves the end of its output in .tools/bench/<name>.failed, and the
# benchmark names it as not run.
set -uo pipefail
cd "$(dirname "$0")/.."

PYTHON="${PYTHON:-python3.11}"
command -v "$PYTHON" >/dev/null || PYTHON=python3
FOLDER=.tools/bench
REASON_LINES=3

install_peer() {
  local name="$1" place="$FOLDER/$1"
  [ -x "$place/bin/python" ] || "$PYTHON" -m venv "$place" || return 1
  "$place/bin/python" -m pip install -r "requirements/bench/$name.txt" || return 1
  # These ask for builds that do not fit the torch beside them; text models need none.
  case "$name" in
    vllm | attribution) "$place/bin/python" -m pip uninstall -y torchvision torchaudio torchcodec ;;
  esac
}

setup_peer() {
  local name="$1" began=$SECONDS want log
  want="$(cat "requirements/bench/$name.txt" scripts/setup_peers.sh | sha256sum | cut -c1-64)"
  if [ -f "$FOLDER/$name/.stamp" ] && [ "$(cat "$FOLDER/$name/.stamp")" = "$want" ]; then return; fi
  log="$(mktemp)"
  printf '[peers] %s … (llama compiles for minutes)\n' "$name"
  if install_peer "$name" >"$log" 2>&1; then
    echo "$want" >"$FOLDER/$name/.stamp"
    rm -f "$FOLDER/$name.failed"
    printf '[peers] %s: installed in %ds\n' "$name" $((SECONDS - began))
  else
    tail -n "$REASON_LINES" "$log" >"$FOLDER/$name.failed"
    printf '[peers] %s: not installed; see %s\n' "$name" "$FOLDER/$name.failed"
  fi
  rm -f "$log"
}

mkdir -p "$FOLDER"
for peer in "${@:-transformers vllm llama plots}"; do
  for name in $peer; do setup_peer "$name"; done
done
