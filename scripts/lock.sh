#!/usr/bin/env bash
# Writes requirements/lock.txt: the versions that .venv holds now, with the hashes of all their files.
set -euo pipefail
cd "$(dirname "$0")/.."
frozen="$(mktemp)"
trap 'rm -f "$frozen"' EXIT
# `pip freeze` would name the wheel file of a package that was installed from one.
.venv/bin/python -m pip list --format=freeze --exclude-editable | grep -vE '^(torch|nvidia-|triton|uv|pip|setuptools)\b' >"$frozen"
command -v .venv/bin/uv >/dev/null || .venv/bin/python -m pip install --quiet uv
{
  echo '# Every Python package of the project but torch, with the hashes of all its files. Made by `make lock`.'
  echo '# torch stands outside: its CPU and GPU builds differ; set-up pins its version.'
  echo '--no-binary eth-brownie'
  .venv/bin/uv pip compile --quiet --no-deps --generate-hashes --no-header --no-annotate --universal --python-version 3.11 "$frozen"
} >requirements/lock.txt
