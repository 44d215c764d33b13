"""Which rows of a version are trained on, read once from the node and kept in memory only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from inference_worker.blobs.node_blobs import Blobs, SourceRow
from inference_worker.errors import RowsUnreadable
from inference_worker.evaluation.held_out import Question
from inference_worker.training.examples import Example, make_example
from protocol.hashing import sha256, to_hex
from protocol.manifest import GRANTED, Manifest


@dataclass(frozen=True)
class Dataset:
    """The trained rows in manifest order. Near-copies are left out, so that copying a row changes nothing
    at all.
    """

    manifest: Manifest
    rows: tuple[SourceRow, ...]

    def examples(self, tokenizer: Any, max_length: int) -> list[Example]:
        """Each row as an exchange."""
        return [
            make_example(tokenizer, s.place.index, s.row.prompt, s.row.completion, max_length)
            for s in self.rows
        ]

    def questions(self) -> list[Question]:
        """Each row as a question with its answer."""
        return [Question(s.row.prompt, s.row.completion) for s in self.rows]

    def licences(self) -> tuple[str, ...]:
        """The licences met, sorted."""
        return tuple(sorted({s.place.licence for s in self.rows}))

    def digest(self) -> bytes:
        """sha256 over the trained rows' content digests in order."""
        return sha256("".join(s.place.digest for s in self.rows).encode())


def load_dataset(blobs: Blobs, manifest_cid: str) -> Dataset:
    """The canonical rows under consent; RowsUnreadable when the node may not read one of them."""
    manifest = blobs.manifest(manifest_cid)
    wanted = [row.index for row in manifest.rows if row.cluster == row.index and row.consent == GRANTED]
    found = {source.place.index: source for source in blobs.rows(manifest_cid)}
    missing = [index for index in wanted if index not in found]
    if missing or not wanted:
        raise RowsUnreadable(len(wanted), missing)
    return Dataset(manifest, tuple(found[index] for index in wanted))


def run_digest(dataset: Dataset, recipe_digest: str, base_fingerprint: str) -> str:
    """What a training run is a function of; checkpoints of anything else are refused."""
    return to_hex(sha256(dataset.digest() + recipe_digest.encode() + base_fingerprint.encode()))


def open_token_rows(tokens: Sequence[tuple[SourceRow, tuple[int, ...]]]) -> list[list[object]]:
    """`[row, ids]` of ungated rows, which may be published."""
    return [[source.place.index, list(ids)] for source, ids in tokens if not source.place.gated]
