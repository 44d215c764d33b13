"""The identity of a base folder: one digest over its files, one over what decides tokenisation.

Pure reading; it refuses nothing but unreadable files. Training, serving and attribution compare these two
strings.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

RECORD_NAME = "fingerprint.json"
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja")


def file_digest(path: Path) -> str:
    """sha256 of a file as hex, read in 1 MiB pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while piece := stream.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def file_digests(folder: Path) -> dict[str, str]:
    """Digest of each file of the folder, the record itself left out."""
    names = sorted(p.name for p in folder.iterdir() if p.is_file() and p.name != RECORD_NAME)
    return {name: file_digest(folder / name) for name in names}


def combine(digests: dict[str, str]) -> str:
    """One 0x-prefixed sha256 over `digest  name` lines sorted by name."""
    lines = "".join(f"{digests[name]}  {name}\n" for name in sorted(digests))
    return "0x" + hashlib.sha256(lines.encode()).hexdigest()


def record_of(folder: Path, name: str) -> dict[str, object]:
    """What `fingerprint.json` holds for a finished folder."""
    files = file_digests(folder)
    tokenizer = {k: v for k, v in files.items() if k in TOKENIZER_FILES}
    return {
        "v": 1,
        "name": name,
        "fingerprint": combine(files),
        "tokenizer_digest": combine(tokenizer),
        "files": files,
    }


def write_record(folder: Path, name: str) -> dict[str, object]:
    """Write the record beside the files and return it."""
    record = record_of(folder, name)
    text = json.dumps(record, sort_keys=True, indent=1) + "\n"
    (folder / RECORD_NAME).write_text(text, encoding="utf-8")
    return record


def read_record(folder: Path) -> dict[str, object]:
    """The record written at conversion."""
    record: dict[str, object] = json.loads((folder / RECORD_NAME).read_text(encoding="utf-8"))
    return record
