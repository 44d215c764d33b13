"""Grammars of JSON schemas over the base's own tokens: compiled once, bounded in time, size and number.

Compiling is the library's (llguidance, ADR 15); here are its limits, its options and the cache. The library
reports a schema that it cannot enforce; nothing is enforced in part.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from llguidance import LLMatcher, LLParserLimits, LLTokenizer
from llguidance.hf import from_tokenizer

from inference_worker.engine.closing import COMPILE_TRIES, Closer, Place
from inference_worker.errors import RequestInvalid

# In units of the library: lexer steps (about 50,000 per ms when compiling, 14,000 per ms when masking),
# Earley items (20,000 per ms), states of 1-2 kB. One step thus costs a few ms at the worst.
LIMITS = LLParserLimits(
    max_items_in_row=1000,
    initial_lexer_fuel=500_000,
    step_lexer_fuel=50_000,
    step_max_items=20_000,
    max_lexer_states=5_000,
    max_grammar_size=50_000,
    verbose_errors=False,
)
# No white space: a model may otherwise emit it for ever. All options are set, so that none comes from the
# schema.
OPTIONS: Any = {
    "item_separator": ",",
    "key_separator": ":",
    "whitespace_flexible": False,
    "coerce_one_of": False,
    "lenient": False,
    # Without \\u no answer can hold half of a surrogate pair; other characters stand for themselves.
    "json_allowed_escapes": '"\\bfnrt',
}
CACHED_GRAMMARS = 64


@dataclass(frozen=True)
class Grammar:
    """A compiled schema. `matcher` is at the beginning and never advanced; requests copy it."""

    matcher: LLMatcher
    closer: Closer
    vocab: int
    end_token: int
    shortest: tuple[int, ...]
    """The shortest answer known to fit, without the end token."""


class GrammarCompiler:
    """Compiles schema texts for one tokenizer. `compile` may be called from any thread but the engine's."""

    def __init__(self, tokenizer: Any, vocab: int) -> None:
        slices = LLTokenizer.json_slices()
        self._tokens = from_tokenizer(tokenizer, vocab, int(tokenizer.eos_token_id), slices)
        self._closer = Closer(self._tokens)
        self._vocab, self._end_token = vocab, int(tokenizer.eos_token_id)
        self._known: OrderedDict[str, Grammar] = OrderedDict()
        self._lock = threading.Lock()

    def bytes_of(self, token: int) -> bytes:
        """What a token spells; it may be part of a character."""
        return self._closer.bytes_of(token)

    def compile(self, schema: str, max_tokens: int) -> Grammar:
        """The grammar of a schema that `protocol.json_schema` accepts.

        Raises RequestInvalid for one the library cannot enforce, one that no value fits, and one whose
        shortest known value does not fit `max_tokens`.
        """
        with self._lock:
            grammar = self._known.pop(schema, None) or self._compiled(schema)
            self._known[schema] = grammar
            if len(self._known) > CACHED_GRAMMARS:
                self._known.popitem(last=False)
        if len(grammar.shortest) > max_tokens:
            allowed = f"at least {len(grammar.shortest)}, the least that a value of json_schema takes"
            raise RequestInvalid("max_tokens", max_tokens, allowed)
        return grammar

    def _compiled(self, schema: str) -> Grammar:
        source = LLMatcher.grammar_from_json_schema(schema, overrides=OPTIONS)
        matcher = LLMatcher(self._tokens, source, log_level=0, limits=LIMITS)
        if not matcher.is_error():
            # The first mask fills the lexer's tables; the copies of the requests then start with them.
            matcher.compute_bitmask()
        reason = matcher.get_error() or " ".join(matcher.get_grammar_warnings())
        if reason:
            raise RequestInvalid(
                "json_schema", _head(schema), f"a schema that can be enforced ({reason[:300]})"
            )
        shortest = self._closer.closing(matcher, Place.OUTSIDE, COMPILE_TRIES)
        if shortest is None:
            raise RequestInvalid("json_schema", _head(schema), "a schema with a value of bounded size")
        return Grammar(matcher, self._closer, self._vocab, self._end_token, tuple(shortest))


def _head(schema: str) -> str:
    return schema if len(schema) <= 80 else schema[:79] + "…"
