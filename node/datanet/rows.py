"""What a row may look like before anybody stores it: kinds, sizes and characters, in every Datanet alike."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from node.errors import InvalidInput, LimitExceeded
from protocol.manifest import Row

KINDS = ("qa", "text")
MAX_BATCH_ROWS = 10_000
MAX_TEXT_CHARS = 16_384
MAX_META_ENTRIES = 16
MAX_META_KEY_CHARS = 64
MAX_META_VALUE_CHARS = 16_384
MAX_LICENCE_CHARS = 128

ALLOWED_CONTROLS = frozenset("\n\t")
# The joiners are spelling in several scripts. Other format characters only hide or reorder text.
ALLOWED_FORMATS = frozenset("\u200c\u200d")
REFUSED_CATEGORIES = ("Cc", "Cf", "Cs", "Co", "Cn")


class InvalidRow(InvalidInput):
    """One row of a batch is not acceptable as data; `position` counts from 0."""

    def __init__(self, position: int, field: str, reason: str) -> None:
        super().__init__(reason, position=position, field=field)
        self.position = position
        self.field = field


def check_rows(rows: Sequence[Row]) -> None:
    """Raise InvalidRow for the first row that breaks a rule, LimitExceeded for a batch of the wrong size."""
    if not 0 < len(rows) <= MAX_BATCH_ROWS:
        raise LimitExceeded("batch size", rows=len(rows), at_least=1, at_most=MAX_BATCH_ROWS)
    for position, row in enumerate(rows):
        fault = find_fault(row)
        if fault is not None:
            raise InvalidRow(position, *fault)


def find_fault(row: Row) -> tuple[str, str] | None:
    """The first field that breaks a rule, with the reason."""
    if row.kind not in KINDS:
        return "kind", f"{str(row.kind)[:40]!r} is not one of {', '.join(KINDS)}"
    if len(row.meta) > MAX_META_ENTRIES:
        return "meta", f"{len(row.meta)} entries, at most {MAX_META_ENTRIES}"
    texts = [("prompt", row.prompt, MAX_TEXT_CHARS), ("completion", row.completion, MAX_TEXT_CHARS)]
    for key, value in row.meta.items():
        texts += [("meta", key, MAX_META_KEY_CHARS), (f"meta.{key}", value, MAX_META_VALUE_CHARS)]
    faults = ((field, _text_fault(text, most)) for field, text, most in texts)
    return next(((field, fault) for field, fault in faults if fault is not None), None)


def check_licence(licence: str) -> None:
    """A licence is a short name, best an SPDX one. Raises InvalidInput."""
    if not 0 < len(licence) <= MAX_LICENCE_CHARS or first_refused(licence) is not None:
        raise InvalidInput("not a licence name", licence=licence[:80], at_most=MAX_LICENCE_CHARS)


def _text_fault(text: object, max_chars: int) -> str | None:
    if not isinstance(text, str):
        return f"must be text, not {type(text).__name__}"
    if len(text) > max_chars:
        return f"{len(text)} characters, at most {max_chars}"
    refused = first_refused(text)
    return None if refused is None else f"character U+{ord(refused):04X} is not allowed"


def first_refused(text: str) -> str | None:
    """The first control, invisible, private or unassigned character, if there is one."""
    for letter in text:
        allowed = letter in ALLOWED_CONTROLS or letter in ALLOWED_FORMATS
        if not allowed and unicodedata.category(letter) in REFUSED_CATEGORIES:
            return letter
    return None
