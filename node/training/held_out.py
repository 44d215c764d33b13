"""Questions kept out of training, as the file that a worker evaluates an adapter on."""

from __future__ import annotations

from collections.abc import Sequence

from node.errors import InvalidInput
from protocol.canonical import canonical_json, parse_json
from protocol.fields import Fields
from protocol.manifest import Row, dedup_digest

MAX_QUESTIONS = 1_000_000
MAX_PROMPT_CHARS = 1 << 20


def encode_held_out(questions: Sequence[Row], candidates: Sequence[Row] = ()) -> bytes:
    """Canonical JSON; `candidates` are the rows that wrong answers are drawn from."""
    if not questions:
        raise InvalidInput("an evaluation needs at least one question")
    lists = {"questions": questions, "candidates": candidates}
    spelled = {name: [_question(row) for row in rows] for name, rows in lists.items()}
    return canonical_json({"v": 1, **spelled})


def check_disjoint(questions: Sequence[Row], trained: Sequence[Row]) -> None:
    """Raise InvalidInput where a question was trained on: it would measure memory, not skill."""
    seen = {dedup_digest(row) for row in trained}
    repeated = [row.completion for row in questions if dedup_digest(row) in seen]
    if repeated:
        raise InvalidInput("held-out questions are among the training rows", repeated=repeated[:5])


def _question(row: Row) -> dict[str, str]:
    return {"prompt": row.prompt, "completion": row.completion}


def decode_prompts(data: bytes) -> tuple[str, ...]:
    """The questions' prompts of such a file. Raises ProtocolError."""
    fields = Fields(parse_json(data, max_bytes=len(data), max_depth=8), "held_out")
    fields.integer("v", 1, 1)
    prompts = tuple(
        one.text("prompt", MAX_PROMPT_CHARS) for one in fields.objects("questions", MAX_QUESTIONS)
    )
    if not prompts:
        raise fields.wrong("questions", "must hold at least one")
    return prompts
