"""Reads vLLM's streamed answer: server-sent lines into tokens with their scores. Pure.

A logprob that is null is a NaN on vLLM's side: the token before it means nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from inference_worker.engine.sequence import Scores
from inference_worker.errors import WorkerError
from protocol.canonical import parse_json
from protocol.errors import JsonError
from protocol.logprobs import DECIMALS

MAX_LINE_BYTES = 1 << 20
_PREFIX, _DONE, _TOKEN = b"data: ", b"[DONE]", "token_id:"


class ReplyMalformed(WorkerError):
    """What vLLM sent is not what its API promises; another version may have changed it."""

    code = "vllm_reply_malformed"

    def __init__(self, what: str) -> None:
        super().__init__(f"vLLM's reply: {what}")
        self.what = what


class ReplyNotFinite(WorkerError):
    """vLLM computed a NaN. Its memory keeps it, so that later rows of anybody may get it too."""

    code = "vllm_not_finite"

    def __init__(self, token: int) -> None:
        super().__init__(f"the logprob of token {token} is not a number")
        self.token = token


@dataclass(frozen=True)
class Chosen:
    """A token of the answer and how likely the model held it to be."""

    token: int
    scores: Scores


def read_line(line: bytes, count: int) -> tuple[Chosen, ...]:
    """The tokens of one line with their `count` likeliest; empty for a blank line and for the last one."""
    text = line.strip()
    if not text:
        return ()
    if not text.startswith(_PREFIX):
        raise ReplyMalformed(f"line begins {text[:40]!r}")
    data = text.removeprefix(_PREFIX)
    if data == _DONE:
        return ()
    try:
        return _read(parse_json(data, MAX_LINE_BYTES), count)
    except (JsonError, KeyError, TypeError, ValueError, IndexError) as error:
        raise ReplyMalformed(f"{type(error).__name__}: {error}") from error


def _read(chunk: Any, count: int) -> tuple[Chosen, ...]:
    if "error" in chunk:
        raise ReplyMalformed(str(chunk["error"]))
    told = chunk["choices"][0].get("logprobs")
    if told is None:
        return ()
    rows = zip(told["tokens"], told["token_logprobs"], told["top_logprobs"], strict=True)
    return tuple(_chosen(_token(name), logprob, top, count) for name, logprob, top in rows)


def _chosen(token: int, logprob: Any, top: Mapping[str, Any], count: int) -> Chosen:
    told = {_token(name): value for name, value in top.items()}
    if not all(isinstance(value, int | float) for value in (logprob, *told.values())):
        raise ReplyNotFinite(token)
    # The token itself is told as well where it is none of the likeliest.
    likeliest = sorted(told, key=lambda one: (-told[one], one))[:count]
    return Chosen(token, Scores(_rounded(logprob), tuple((one, _rounded(told[one])) for one in likeliest)))


def _token(name: str) -> int:
    if not name.startswith(_TOKEN):
        raise ValueError(f"token {name!r} is not spelt as an id")
    return int(name.removeprefix(_TOKEN))


def _rounded(logprob: Any) -> float:
    return min(0.0, round(float(logprob), DECIMALS)) + 0.0
