"""The parameters of a completion request that say how tokens are chosen, read into one `Sampling`.

Names, defaults and meanings are the OpenAI API's; `top_k`, `min_p` and `repetition_penalty` are the
extensions that open models' servers share. `logprobs` has two forms, one for each of the two routes.
"""

import math
import secrets
from collections.abc import Mapping
from typing import Any, Literal

from node.api.problems import Problem, invalid
from protocol.errors import FieldError
from protocol.json_schema import ANY_OBJECT, check_schema, schema_text
from protocol.sampling import (
    LEAST_REPETITION,
    MAX_BIAS,
    MAX_BIASES,
    MAX_LOGPROBS,
    MAX_PENALTY,
    MAX_REPETITION,
    MAX_SEED,
    MAX_TEMPERATURE,
    MAX_TOP_K,
    Sampling,
)
from protocol.types import MAX_UINT32

MAX_STOPS = 4
MAX_STOP_BYTES = 256
MAX_TEXT_LOGPROBS = 5
MAX_SCHEMA_NAME_CHARS = 64

Form = Literal["chat", "text"]

NAMES = frozenset({
    "temperature", "top_p", "seed", "stop", "top_k", "min_p", "frequency_penalty", "presence_penalty",
    "repetition_penalty", "logit_bias", "logprobs", "top_logprobs", "response_format",
})  # fmt: skip


def parse_sampling(document: Mapping[str, Any], form: Form) -> Sampling:
    """The record, every field within its bounds. Raises Problem."""
    stop = _stop(document.get("stop"))
    schema = _json_schema(document.get("response_format"), form)
    if stop and schema is not None:
        raise invalid("stop", f"{len(stop)} stop strings could cut the JSON of response_format; send none")
    return Sampling(
        temperature=_number(document, "temperature", 1.0, 0.0, MAX_TEMPERATURE),
        top_p=_top_p(document),
        seed=_seed(document.get("seed")),
        stop=stop,
        top_k=_integer(document, "top_k", 0, MAX_TOP_K) or 0,
        min_p=_number(document, "min_p", 0.0, 0.0, 1.0),
        frequency_penalty=_number(document, "frequency_penalty", 0.0, -MAX_PENALTY, MAX_PENALTY),
        presence_penalty=_number(document, "presence_penalty", 0.0, -MAX_PENALTY, MAX_PENALTY),
        repetition_penalty=_number(document, "repetition_penalty", 1.0, LEAST_REPETITION, MAX_REPETITION),
        logit_bias=_biases(document.get("logit_bias")),
        json_schema=schema,
        logprobs=_chat_logprobs(document) if form == "chat" else _text_logprobs(document),
    )


def _number(document: Mapping[str, Any], name: str, default: float, low: float, high: float) -> float:
    value = document.get(name)
    if value is None:
        return default
    if type(value) not in (int, float):
        raise invalid(name, f"{name} must be a number, not {type(value).__name__}", "invalid_type")
    if not math.isfinite(value) or not low <= value <= high:
        raise invalid(name, f"{name} must be {low:g}..{high:g}, got {value}")
    return float(value)


def _integer(document: Mapping[str, Any], name: str, low: int, high: int) -> int | None:
    value = document.get(name)
    if value is None:
        return None
    if type(value) is not int:
        raise invalid(name, f"{name} must be an integer, not {type(value).__name__}", "invalid_type")
    if not low <= value <= high:
        raise invalid(name, f"{name} must be {low}..{high}, got {value}")
    return value


def _top_p(document: Mapping[str, Any]) -> float:
    top_p = _number(document, "top_p", 1.0, 0.0, 1.0)
    if top_p == 0.0:
        raise invalid("top_p", f"top_p must be above 0 and at most 1, got {document['top_p']}")
    return top_p


def _seed(value: object) -> int:
    given = _integer({"seed": value}, "seed", 0, MAX_SEED)
    return secrets.randbelow(1 << 31) if given is None else given


def _stop(value: object) -> tuple[str, ...]:
    stops = [] if value is None else [value] if isinstance(value, str) else value
    if not isinstance(stops, list) or not all(isinstance(one, str) for one in stops):
        raise invalid("stop", "stop must be a string or an array of strings", "invalid_type")
    if len(stops) > MAX_STOPS:
        raise invalid("stop", f"stop may hold at most {MAX_STOPS} strings, got {len(stops)}")
    for one in stops:
        if not 1 <= len(one.encode("utf-8")) <= MAX_STOP_BYTES:
            raise invalid("stop", f"each stop must be 1..{MAX_STOP_BYTES} bytes, got {len(one)} characters")
    return tuple(stops)


def _biases(value: object) -> tuple[tuple[int, float], ...]:
    if value is None:
        return ()
    if not isinstance(value, dict):
        raise invalid("logit_bias", "logit_bias must be an object of token ids", "invalid_type")
    if len(value) > MAX_BIASES:
        raise invalid("logit_bias", f"logit_bias may name at most {MAX_BIASES} tokens, got {len(value)}")
    biases = {_token_id(name): _number(value, name, 0.0, -MAX_BIAS, MAX_BIAS) for name in value}
    if len(biases) != len(value):
        raise invalid("logit_bias", f"logit_bias names {len(value)} tokens, {len(biases)} of them distinct")
    return tuple(sorted(biases.items()))


def _token_id(name: str) -> int:
    if not name.isascii() or not name.isdigit() or len(name) > 10 or int(name) > MAX_UINT32:
        raise invalid("logit_bias", f"logit_bias is keyed by token ids, got {name[:64]!r}")
    return int(name)


def _chat_logprobs(document: Mapping[str, Any]) -> int | None:
    wanted = document.get("logprobs")
    if wanted is not None and type(wanted) is not bool:
        raise invalid("logprobs", "logprobs must be true or false", "invalid_type")
    top = _integer(document, "top_logprobs", 0, MAX_LOGPROBS)
    if top is not None and not wanted:
        raise invalid("top_logprobs", f"top_logprobs {top} goes with logprobs: true")
    return (top or 0) if wanted else None


def _text_logprobs(document: Mapping[str, Any]) -> int | None:
    if document.get("top_logprobs") is not None:
        raise invalid("top_logprobs", "completions take logprobs as a number", "unknown_parameter")
    if document.get("logprobs") is False:
        return None
    return _integer(document, "logprobs", 0, MAX_TEXT_LOGPROBS)


def _json_schema(value: object, form: Form) -> str | None:
    if value is None:
        return None
    if not isinstance(value, dict) or not isinstance(value.get("type"), str):
        raise invalid("response_format", "response_format must be an object with a type", "invalid_type")
    kind = value["type"]
    if kind not in ("text", "json_object", "json_schema") or (form == "text" and kind != "text"):
        raise invalid("response_format", f"response_format {kind[:64]!r} is not offered", "unsupported_value")
    strange = value.keys() - ({"type", "json_schema"} if kind == "json_schema" else {"type"})
    if strange:
        raise invalid("response_format", f"unknown parameter: {min(strange)[:64]!r}", "unknown_parameter")
    if kind == "json_schema":
        return _named_schema(value.get("json_schema"))
    return ANY_OBJECT if kind == "json_object" else None


def _named_schema(value: object) -> str:
    param = "response_format.json_schema"
    if not isinstance(value, dict):
        raise invalid(param, f"{param} must be an object", "invalid_type")
    for name in value.keys() - {"name", "description", "strict", "schema"}:
        raise invalid(f"{param}.{name[:64]}", f"unknown parameter: {name[:64]!r}", "unknown_parameter")
    if not isinstance(value.get("name"), str) or not 1 <= len(value["name"]) <= MAX_SCHEMA_NAME_CHARS:
        raise invalid(f"{param}.name", f"name must be a string of 1..{MAX_SCHEMA_NAME_CHARS} characters")
    if value.get("strict") not in (True, False, None):
        raise invalid(f"{param}.strict", "strict must be true or false", "invalid_type")
    text = schema_text(value.get("schema"))
    try:
        check_schema(text)
    except FieldError as error:
        raise Problem(400, "invalid_json_schema", str(error), param) from error
    return text
