"""A batch: what one contribution consists of, as a file whose CID and root go on chain."""

from __future__ import annotations

from dataclasses import dataclass

from node.datanet.rows import MAX_BATCH_ROWS, MAX_LICENCE_CHARS
from protocol import contribution
from protocol.canonical import canonical_json, parse_json
from protocol.cid import Cid, parse_cid
from protocol.errors import CidError
from protocol.fields import Fields
from protocol.hashing import Keccak, to_hex
from protocol.types import Address

MAX_BATCH_BYTES = 8 << 20


@dataclass(frozen=True)
class BatchRow:
    """One row by reference: its content digest (salted where gated) and where its bytes are."""

    digest: bytes
    cid: Cid
    gated: bool
    licence: str


@dataclass(frozen=True)
class Batch:
    """The contributor is named inside, so that nobody can submit another's file as their own."""

    datanet: int
    contributor: Address
    rows: tuple[BatchRow, ...]


def batch_root(batch: Batch, keccak: Keccak) -> bytes:
    """The tree over the contributor's rows in batch order: what the chain stores."""
    return contribution.batch_root(batch.contributor, [row.digest for row in batch.rows], keccak)


def encode_batch(batch: Batch) -> bytes:
    """Canonical JSON."""
    rows = [
        {"digest": to_hex(row.digest), "cid": row.cid.text, "gated": row.gated, "licence": row.licence}
        for row in batch.rows
    ]
    return canonical_json({"v": 1, "datanet": batch.datanet, "contributor": batch.contributor, "rows": rows})


def decode_batch(data: bytes) -> Batch:
    """The inverse of `encode_batch`. Raises JsonError or FieldError."""
    fields = Fields(parse_json(data, MAX_BATCH_BYTES, 4), "batch")
    fields.integer("v", 1, 1)
    batch = Batch(
        fields.integer("datanet", 1, 2**53 - 1),
        fields.address("contributor"),
        tuple(_read_row(entry) for entry in fields.objects("rows", MAX_BATCH_ROWS)),
    )
    fields.done()
    return batch


def _read_row(fields: Fields) -> BatchRow:
    digest, text = fields.hexadecimal("digest", 32), fields.text("cid", 59)
    try:
        cid = parse_cid(text)
    except CidError as error:
        raise fields.wrong("cid", str(error)) from error
    row = BatchRow(digest, cid, fields.boolean("gated"), fields.text("licence", MAX_LICENCE_CHARS))
    fields.done()
    return row
