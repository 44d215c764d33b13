"""Load the base from its folder: safetensors only, no network, digests of the record checked against the
files.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from inference_worker.base.fingerprint import combine, file_digests, read_record
from inference_worker.errors import BaseModelInvalid


@dataclass(frozen=True)
class Identity:
    """What a base is called by, and its tokenizer; the two digests are 0x hex."""

    tokenizer: Any
    fingerprint: str
    tokenizer_digest: str
    name: str


@dataclass(frozen=True)
class Base:
    """A loaded base: fp32 weights in eval mode, its tokenizer, and the two digests that name them (0x
    hex).
    """

    model: Any
    tokenizer: Any
    fingerprint: str
    tokenizer_digest: str
    name: str


def load_base(folder: Path | str, device: str = "cpu", verify: bool = True) -> Base:
    """Load a folder made by `base.convert`.

    `verify` re-hashes every file (0.3 s for 135M fp32); raises BaseModelInvalid when a file changed.
    """
    identity = identify(folder, verify)
    # The weights stay mapped from the file: processes that load the same base share its pages.
    model = AutoModelForCausalLM.from_pretrained(
        str(folder), local_files_only=True, use_safetensors=True, dtype=torch.float32
    )
    model.eval().requires_grad_(False).to(device)
    return Base(model, identity.tokenizer, identity.fingerprint, identity.tokenizer_digest, identity.name)


def identify(folder: Path | str, verify: bool = True) -> Identity:
    """The base without its weights; `verify` as for `load_base`."""
    folder = Path(folder)
    record = read_record(folder)
    if verify:
        check_files(folder, record)
    digests = str(record["fingerprint"]), str(record["tokenizer_digest"])
    return Identity(load_tokenizer(folder), *digests, str(record["name"]))


def load_tokenizer(folder: Path | str) -> Any:
    """The tokenizer alone, for whoever needs no weights."""
    return AutoTokenizer.from_pretrained(str(folder), local_files_only=True)


def check_files(folder: Path, record: dict[str, object]) -> None:
    """Raise unless the files hash to the recorded fingerprint."""
    actual = combine(file_digests(folder))
    if actual != record["fingerprint"]:
        raise BaseModelInvalid(f"fingerprint of {folder.name}", record["fingerprint"], actual)
