"""Rows of a Datanet put into a prompt, and the token places at which they stand.

Each part of the block is encoded by itself, as text in which nothing is a control token: so a row that spells
a turn boundary is but letters, and its places are exact whatever the tokenizer would have merged.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from inference_worker.base.chat import rendered_chat
from inference_worker.base.text_tokens import encode_rendered, encode_text
from inference_worker.errors import RequestInvalid
from protocol.context import FOOTER, HEADER, Context, ContextRow, PlacedRow, segment

Placed = tuple[tuple[int, ...], Context]
Messages = Sequence[tuple[str, str]]

# In no text that people write; where it stands in a rendered conversation, the rows go.
_MARK = "\ue000rows\ue001"


def place_in_chat(tokenizer: Any, messages: Messages, rows: Sequence[ContextRow]) -> Placed:
    """Ids of a conversation with the rows before the message that asks: the user's last one, or the last.

    Raises RequestInvalid where the base's chat template does not keep that message's text.
    """
    asking = max((n for n, (role, _) in enumerate(messages) if role == "user"), default=len(messages) - 1)
    marked = [
        {"role": role, "content": _MARK + text if number == asking else text}
        for number, (role, text) in enumerate(messages)
    ]
    parts = rendered_chat(tokenizer, marked).split(_MARK)
    if len(parts) != 2:
        raise RequestInvalid("context", f"{len(parts) - 1} places", "one place in the rendered conversation")
    before, after = (encode_rendered(tokenizer, part) for part in parts)
    return _placed(tokenizer, before, after, rows)


def place_in_text(tokenizer: Any, prompt: str, rows: Sequence[ContextRow]) -> Placed:
    """Ids of a plain prompt with the rows before it."""
    return _placed(tokenizer, [], encode_text(tokenizer, prompt), rows)


def row_ids(tokenizer: Any, text: str) -> tuple[int, ...]:
    """A row's ids, as they stand in every prompt that holds it."""
    return tuple(encode_text(tokenizer, segment(text)))


def _placed(
    tokenizer: Any, before: Sequence[int], after: Sequence[int], rows: Sequence[ContextRow]
) -> Placed:
    ids = [*before, *encode_text(tokenizer, HEADER)]
    places = []
    for row in rows:
        start = len(ids)
        ids += row_ids(tokenizer, row.text)
        places.append(PlacedRow(row.row, start, len(ids)))
    ids += encode_text(tokenizer, FOOTER)
    return (*ids, *after), Context(len(before), len(ids), tuple(places))
