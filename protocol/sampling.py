"""How the tokens of an answer are chosen: one record for node and worker, and the digest a receipt binds.

Every field has a bound here, so that both sides refuse the same requests. `logprobs` only adds to what is
told of the answer; all other fields can change the answer, and the digest binds each of them.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

from protocol.errors import WireError
from protocol.fields import Fields
from protocol.hashing import ZERO_WORD, Keccak, tag, words
from protocol.json_schema import MAX_SCHEMA_BYTES, check_schema
from protocol.types import MAX_UINT32

MAX_STOPS = 16
MAX_STOP_CHARS = 256
MAX_TEMPERATURE = 2.0
MAX_SEED = 2**53 - 1
MAX_TOP_K = 1 << 20
MAX_PENALTY = 2.0
LEAST_REPETITION, MAX_REPETITION = 0.1, 10.0
MAX_BIASES = 300
MAX_BIAS = 100.0
MAX_LOGPROBS = 20


@dataclass(frozen=True, slots=True)
class Sampling:
    """The defaults change nothing: every token is drawn from the model's own distribution.

    `temperature` 0 is greedy; `top_k` 0 keeps all; `frequency_penalty` and `presence_penalty` are subtracted
    for tokens of the answer so far, `repetition_penalty` divides the logits of tokens of prompt and answer;
    `logit_bias` is (token id, bias), ids ascending; `json_schema` is the text of a schema that the answer
    must fit, or None; `logprobs` is how many alternatives to tell per token, or None for no logprobs.
    """

    temperature: float = 1.0
    top_p: float = 1.0
    seed: int = 0
    stop: tuple[str, ...] = ()
    top_k: int = 0
    min_p: float = 0.0
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    repetition_penalty: float = 1.0
    logit_bias: tuple[tuple[int, float], ...] = ()
    json_schema: str | None = None
    logprobs: int | None = None

    def to_json(self) -> dict[str, object]:
        """Plain values."""
        return {
            "temperature": self.temperature,
            "top_p": self.top_p,
            "seed": self.seed,
            "stop": list(self.stop),
            "top_k": self.top_k,
            "min_p": self.min_p,
            "frequency_penalty": self.frequency_penalty,
            "presence_penalty": self.presence_penalty,
            "repetition_penalty": self.repetition_penalty,
            "logit_bias": [{"id": token, "bias": bias} for token, bias in self.logit_bias],
            "json_schema": self.json_schema,
            "logprobs": self.logprobs,
        }

    @classmethod
    def read(cls, fields: Fields) -> Self:
        """The record these fields spell, nothing left over."""
        sampling = cls(
            temperature=fields.number("temperature", 0.0, MAX_TEMPERATURE),
            top_p=fields.number("top_p", 0.0, 1.0),
            seed=fields.integer("seed", 0, MAX_SEED),
            stop=fields.texts("stop", MAX_STOPS, MAX_STOP_CHARS),
            top_k=fields.integer("top_k", 0, MAX_TOP_K),
            min_p=fields.number("min_p", 0.0, 1.0),
            frequency_penalty=fields.number("frequency_penalty", -MAX_PENALTY, MAX_PENALTY),
            presence_penalty=fields.number("presence_penalty", -MAX_PENALTY, MAX_PENALTY),
            repetition_penalty=fields.number("repetition_penalty", LEAST_REPETITION, MAX_REPETITION),
            logit_bias=_read_biases(fields),
            json_schema=_read_schema(fields),
            logprobs=None if fields.absent("logprobs") else fields.integer("logprobs", 0, MAX_LOGPROBS),
        )
        fields.done()
        if "" in sampling.stop:
            raise fields.wrong("stop", "a stop string has at least one character, got ''")
        if sampling.stop and sampling.json_schema is not None:
            raise fields.wrong("stop", f"{len(sampling.stop)} stop strings could cut JSON; send none with it")
        return sampling

    @classmethod
    def from_json(cls, value: object) -> Self:
        """The record this object spells."""
        return cls.read(Fields(value, "sampling", WireError))


def sampling_digest(sampling: Sampling, max_tokens: int, keccak: Keccak) -> bytes:
    """Digest of all that fixes the answer beside prompt, model and profile; floats by their binary64 bits."""
    schema = sampling.json_schema
    return keccak(
        words(
            tag("sampling", keccak),
            max_tokens,
            _bits(sampling.temperature),
            _bits(sampling.top_p),
            sampling.seed,
            _texts_digest(sampling.stop, keccak),
            sampling.top_k,
            _bits(sampling.min_p),
            _bits(sampling.frequency_penalty),
            _bits(sampling.presence_penalty),
            _bits(sampling.repetition_penalty),
            keccak(words(*(x for token, bias in sampling.logit_bias for x in (token, _bits(bias))))),
            ZERO_WORD if schema is None else keccak(schema.encode("utf-8")),
        )
    )


def _bits(number: float) -> int:
    # -0.0 means what 0.0 means, so both have one spelling.
    return int.from_bytes(struct.pack(">d", number + 0.0), "big")


def _texts_digest(texts: Sequence[str], keccak: Keccak) -> bytes:
    return keccak(words(*(keccak(text.encode("utf-8")) for text in texts)))


def _read_biases(fields: Fields) -> tuple[tuple[int, float], ...]:
    biases = []
    for one in fields.objects("logit_bias", MAX_BIASES):
        biases.append((one.integer("id", 0, MAX_UINT32), one.number("bias", -MAX_BIAS, MAX_BIAS)))
        one.done()
    ids = [token for token, _ in biases]
    if any(here >= after for here, after in pairwise(ids)):
        raise fields.wrong("logit_bias", "ids must ascend, each once")
    return tuple(biases)


def _read_schema(fields: Fields) -> str | None:
    if fields.absent("json_schema"):
        return None
    text = fields.text("json_schema", MAX_SCHEMA_BYTES)
    try:
        check_schema(text)
    except ValueError as error:
        raise fields.wrong("json_schema", str(error)) from error
    return text
