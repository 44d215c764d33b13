"""Held-out questions and the codes to rank among, read strictly from a content-addressed blob."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from inference_worker.errors import RequestInvalid
from protocol.canonical import parse_json

MAX_BYTES = 256 << 20


@dataclass(frozen=True)
class Question:
    """What is asked and its true answer."""

    prompt: str
    completion: str


@dataclass(frozen=True)
class HeldOut:
    """Questions never trained on, and the pool of (prompt, answer) pairs that wrong answers are drawn
    from.
    """

    questions: tuple[Question, ...]
    candidates: tuple[Question, ...]


def parse_held_out(data: bytes) -> HeldOut:
    """Read `{"v":1,"questions":[{prompt,completion}],"candidates":[…]}`; RequestInvalid names what is
    wrong.
    """
    parsed = parse_json(data, max_bytes=MAX_BYTES, max_depth=8)
    if not isinstance(parsed, dict) or parsed.get("v") != 1:
        raise RequestInvalid("held_out.v", parsed.get("v") if isinstance(parsed, dict) else None, "1")
    questions = _questions(parsed.get("questions"), "held_out.questions")
    if not questions:
        raise RequestInvalid("held_out.questions", 0, "at least one")
    return HeldOut(questions, _questions(parsed.get("candidates", []), "held_out.candidates"))


def with_candidates(held_out: HeldOut, rows: Sequence[Question]) -> HeldOut:
    """The same questions; where no pool was given, questions and training rows are the pool."""
    if held_out.candidates:
        return held_out
    return HeldOut(held_out.questions, (*held_out.questions, *rows))


def _questions(value: object, field: str) -> tuple[Question, ...]:
    if not isinstance(value, list):
        raise RequestInvalid(field, type(value).__name__, "list")
    found = []
    for item in value:
        prompt, completion = (
            (item.get("prompt"), item.get("completion")) if isinstance(item, dict) else (None, None)
        )
        if not isinstance(prompt, str) or not isinstance(completion, str) or not completion:
            raise RequestInvalid(field, item, "{prompt: text, completion: text}")
        found.append(Question(prompt, completion))
    return tuple(found)
