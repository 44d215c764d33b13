"""Rows of a Datanet in a prompt: template `context-1`, and where each row stands among the prompt's tokens.

The block stands before the text of the message that asks. Its parts are turned into tokens one by one, in
which nothing is a control token, so that each row has token places of its own and a prompt without some rows
is the same prompt with their places cut out.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Self

from protocol.errors import ContextError
from protocol.fields import Fields
from protocol.manifest import Row
from protocol.types import MAX_UINT32

TEMPLATE = "context-1"
HEADER = "Records that may help:\n"
FOOTER = "\n"
MAX_CONTEXT_ROWS = 8
MAX_CONTEXT_BYTES = 4096
MAX_PROMPT_TOKENS = 1 << 17


@dataclass(frozen=True, slots=True)
class ContextRow:
    """A row (index in the manifest) to put into a prompt, and the text that stands there for it."""

    row: int
    text: str


@dataclass(frozen=True, slots=True)
class PlacedRow:
    """A row's tokens in a prompt: [start, end)."""

    row: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Context:
    """The block of rows in a prompt, tokens [start, end): header, the rows in order, footer."""

    start: int
    end: int
    rows: tuple[PlacedRow, ...]

    def __post_init__(self) -> None:
        edges = [self.start, *(edge for row in self.rows for edge in (row.start, row.end)), self.end]
        empty = [row.row for row in self.rows if row.start == row.end]
        if not 0 < len(self.rows) <= MAX_CONTEXT_ROWS or edges != sorted(edges) or edges[0] < 0 or empty:
            raise ContextError(f"rows in a prompt stand apart and in order, 1 to 8 of them, not {edges}")
        if any(one.end != other.start for one, other in zip(self.rows, self.rows[1:], strict=False)):
            raise ContextError(f"rows in a prompt follow each other, not {edges}")
        if len({row.row for row in self.rows}) != len(self.rows):
            raise ContextError(f"a row stands in a prompt once, not {[row.row for row in self.rows]}")

    @property
    def indexes(self) -> tuple[int, ...]:
        """The rows in the order of the prompt."""
        return tuple(row.row for row in self.rows)

    def check(self, prompt: Sequence[int]) -> None:
        """Raise ContextError unless the block lies in this prompt, with something before or after it."""
        if self.end > len(prompt) or self.end - self.start == len(prompt):
            raise ContextError(f"a block of tokens {self.start} to {self.end} in a prompt of {len(prompt)}")

    def keep(self, prompt: Sequence[int], places: Collection[int]) -> tuple[int, ...]:
        """The prompt with only the rows at these places (from 0); with none of them the block is gone."""
        if not places:
            return (*prompt[: self.start], *prompt[self.end :])
        kept = [prompt[row.start : row.end] for place, row in enumerate(self.rows) if place in places]
        return (
            *prompt[: self.rows[0].start],
            *(i for ids in kept for i in ids),
            *prompt[self.rows[-1].end :],
        )

    def replace(self, prompt: Sequence[int], place: int, ids: Sequence[int], alone: bool) -> tuple[int, ...]:
        """The prompt with other tokens in the place of one row; `alone` leaves out all other rows."""
        row, first, last = self.rows[place], self.rows[0].start, self.rows[-1].end
        if alone:
            return (*prompt[:first], *ids, *prompt[last:])
        return (*prompt[: row.start], *ids, *prompt[row.end :])

    def to_json(self) -> dict[str, object]:
        """Plain values; rows as [row, start, end]."""
        rows = [[row.row, row.start, row.end] for row in self.rows]
        return {"start": self.start, "end": self.end, "rows": rows}

    @classmethod
    def read(cls, fields: Fields) -> Self:
        """The inverse of `to_json`; a FieldError for anything else."""
        start = fields.integer("start", 0, MAX_PROMPT_TOKENS)
        end = fields.integer("end", 0, MAX_PROMPT_TOKENS)
        rows = fields.each("rows", MAX_CONTEXT_ROWS, lambda path, item: _placed(fields, path, item))
        fields.done()
        try:
            return cls(start, end, rows)
        except ContextError as error:
            raise fields.wrong("rows", str(error)) from error


def row_text(row: Row) -> str:
    """What stands in a prompt for a row: its question and its answer, without space around them."""
    return " ".join(part.strip() for part in (row.prompt, row.completion) if part.strip())


def segment(text: str) -> str:
    """One row's line, or lines, of the block."""
    return f"- {text}\n"


def context_rows_json(rows: Sequence[ContextRow]) -> list[dict[str, object]]:
    """Plain values of the rows that a prompt is to hold."""
    return [{"row": one.row, "text": one.text} for one in rows]


def read_context_rows(fields: Fields, name: str) -> tuple[ContextRow, ...]:
    """The rows that a field lists; none where it is missing or null."""
    if fields.absent(name):
        return ()
    rows = tuple(_context_row(one) for one in fields.objects(name, MAX_CONTEXT_ROWS))
    if len({one.row for one in rows}) != len(rows):
        raise fields.wrong(name, "names a row twice")
    return rows


def read_context(fields: Fields, name: str) -> Context | None:
    """The places that a field holds, None where it is missing or null."""
    return None if fields.absent(name) else Context.read(fields.child(name))


def _context_row(fields: Fields) -> ContextRow:
    row = ContextRow(fields.integer("row", 0, MAX_UINT32), fields.text("text", MAX_CONTEXT_BYTES))
    if not row.text.strip():
        raise fields.wrong("text", "is empty")
    fields.done()
    return row


def _placed(fields: Fields, path: str, item: object) -> PlacedRow:
    if not isinstance(item, list) or len(item) != 3 or not all(type(part) is int for part in item):
        raise fields.wrong(path, "must be [row, start, end], three whole numbers")
    row, start, end = item
    if not (0 <= row <= MAX_UINT32 and 0 <= start <= MAX_PROMPT_TOKENS and 0 <= end <= MAX_PROMPT_TOKENS):
        raise fields.wrong(path, f"row {row} or tokens {start} to {end} out of range")
    return PlacedRow(row, start, end)
