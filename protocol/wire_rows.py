"""Asking a worker to compute the signs of an index's rows anew, and what it found."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from protocol.fields import Fields
from protocol.hashing import from_hex, to_hex
from protocol.index_pages import MAX_CHECKPOINTS, MAX_WIDTH
from protocol.types import MAX_UINT32
from protocol.wire_fields import MAX_TOKENS, VERSION, opened, read_cid

MAX_ROWS = 64
MAX_SIGN_CHARS = 2 + MAX_WIDTH // 4


@dataclass(frozen=True, slots=True)
class RowsRequest:
    """Rows of a manifest, by number; `max_length` is what the recipe cuts a row to, in tokens."""

    index_cid: str
    manifest_cid: str
    max_length: int
    rows: tuple[int, ...]

    def to_json(self) -> dict[str, object]:
        """Plain values."""
        return {
            "v": VERSION,
            "index_cid": self.index_cid,
            "manifest_cid": self.manifest_cid,
            "max_length": self.max_length,
            "rows": list(self.rows),
        }

    @classmethod
    def from_json(cls, value: object) -> Self:
        """The record this object spells; at most MAX_ROWS rows."""
        fields = opened(value, "rows")
        request = cls(
            read_cid(fields, "index_cid"),
            read_cid(fields, "manifest_cid"),
            fields.integer("max_length", 1, MAX_TOKENS),
            fields.integers("rows", MAX_ROWS, 0, MAX_UINT32),
        )
        fields.done()
        return request


@dataclass(frozen=True, slots=True)
class RowsResult:
    """The packed signs of each row at each checkpoint; rows that this worker's node may not read are left
    out.
    """

    signs: Mapping[int, tuple[bytes, ...]]

    def to_json(self) -> dict[str, object]:
        """Plain values, rows ascending."""
        rows = [{"row": row, "signs": list(map(to_hex, signs))} for row, signs in sorted(self.signs.items())]
        return {"v": VERSION, "rows": rows}

    @classmethod
    def from_json(cls, value: object) -> Self:
        """The record this object spells."""
        fields = opened(value, "rows")
        rows = [_row(one) for one in fields.objects("rows", MAX_ROWS)]
        fields.done()
        if len(dict(rows)) != len(rows):
            raise fields.wrong("rows", "names a row twice")
        return cls(dict(rows))


def _row(fields: Fields) -> tuple[int, tuple[bytes, ...]]:
    row, texts = fields.integer("row", 0, MAX_UINT32), fields.texts("signs", MAX_CHECKPOINTS, MAX_SIGN_CHARS)
    fields.done()
    try:
        return row, tuple(from_hex(text, len(text) // 2 - 1) for text in texts)
    except ValueError as error:
        raise fields.wrong("signs", str(error)) from error
