"""From text to token ids, such that no text of a stranger becomes a control token.

A vocabulary has more special tokens than its chat template writes: names of files, notebook cells and the
like, which a pretraining run used. Spelled out in a text they are plain characters here, in training as in
serving. Those that the template writes are recognised in rendered conversations alone; who may not write
them there is refused before (`engine/prompt.py`).
"""

from __future__ import annotations

import json
from collections.abc import Set
from functools import lru_cache
from typing import Any

from tokenizers import Tokenizer

_PROBE = [{"role": role, "content": "x"} for role in ("system", "user", "assistant", "user")]
_TOKENIZERS = 8


@lru_cache(_TOKENIZERS)
def turn_tokens(tokenizer: Any) -> frozenset[str]:
    """The special tokens that its chat template may write, and those that it has a use for: begin, end,
    padding.
    """
    written = str(tokenizer.chat_template or "")
    if written:
        written += tokenizer.apply_chat_template(_PROBE, tokenize=False, add_generation_prompt=True)
    return frozenset(tokenizer.all_special_tokens) | {t for t in _special(tokenizer) if t in written}


def encode_text(tokenizer: Any, text: str) -> list[int]:
    """Ids of a text in which nothing is a control token."""
    return _encode(_recognising(tokenizer, frozenset()), text)


def encode_rendered(tokenizer: Any, text: str) -> list[int]:
    """Ids of a rendered conversation: the control tokens of turns are recognised, no others."""
    return _encode(_recognising(tokenizer, turn_tokens(tokenizer)), text)


def _encode(encoder: Tokenizer, text: str) -> list[int]:
    return [int(i) for i in encoder.encode(text, add_special_tokens=False).ids]


@lru_cache(2 * _TOKENIZERS)
def _recognising(tokenizer: Any, kept: Set[str]) -> Tokenizer:
    """The same vocabulary and merges; of the special tokens only `kept` are looked for in a text."""
    spelled = json.loads(tokenizer.backend_tokenizer.to_str())
    spelled["added_tokens"] = [
        added for added in spelled["added_tokens"] if not added["special"] or added["content"] in kept
    ]
    spelled["truncation"] = spelled["padding"] = None
    return Tokenizer.from_str(json.dumps(spelled))


def _special(tokenizer: Any) -> frozenset[str]:
    return frozenset(t.content for t in tokenizer.added_tokens_decoder.values() if t.special)
