"""The body of a completion request, checked field by field before anything is allocated, priced or queued.

Every number has a type and a range; a parameter that this node does not honour is refused and not ignored,
for a wish that is silently dropped is an answer to another question. Client chat templates are never
accepted.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from node.api import credentials
from node.api.problems import Problem, invalid
from node.api.sampling_parameters import NAMES, parse_sampling
from node.pipeline import InferenceRequest
from protocol.canonical import parse_json
from protocol.context import MAX_CONTEXT_ROWS
from protocol.json_schema import MAX_SCHEMA_DEPTH

MODEL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,127}(@[0-9]{1,9})?")
ROLES = frozenset({"system", "developer", "user", "assistant"})
MAX_MESSAGES = 256
# A schema's own depth (protocol.json_schema) and the three levels around it.
BODY_DEPTH = 3 + MAX_SCHEMA_DEPTH


@dataclass(frozen=True)
class Limits:
    """What the operator allows. Tokens are output tokens; the prompt's own limit in tokens is the model's."""

    max_prompt_bytes: int
    max_tokens: int
    default_max_tokens: int


@dataclass(frozen=True)
class Parsed:
    """A request together with what concerns only the form of its answer."""

    request: InferenceRequest
    stream: bool
    include_usage: bool


# Parameters whose only accepted values are those that change nothing.
_NEUTRAL: dict[str, tuple[object, ...]] = {
    "n": (1, None),
    "best_of": (1, None),
    "echo": (False, None),
    "suffix": (None,),
    "tools": ([], None),
    "tool_choice": ("none", "auto", None),
    "parallel_tool_calls": (True, False, None),
    "modalities": (["text"], None),
    "store": (False, None),
}
_IGNORED = frozenset({"user", "metadata", "service_tier", "safety_identifier", "prompt_cache_key"})
_FORM_ONLY = frozenset({"stream", "stream_options"})
_READ = (
    _FORM_ONLY | NAMES | {"openledger", "model", "messages", "prompt", "max_tokens", "max_completion_tokens"}
)


def parse_chat(body: bytes, headers: Mapping[str, str], limits: Limits) -> Parsed:
    """A `/v1/chat/completions` body. Raises Problem."""
    document = _document(body, limits)
    if "prompt" in document:
        raise invalid("prompt", "chat completions take messages, not prompt", "unknown_parameter")
    return _parsed(document, headers, limits, _messages(document.get("messages"), limits), None)


def parse_completion(body: bytes, headers: Mapping[str, str], limits: Limits) -> Parsed:
    """A `/v1/completions` body. Raises Problem."""
    document = _document(body, limits)
    if "messages" in document:
        raise invalid("messages", "completions take prompt, not messages", "unknown_parameter")
    prompt = document.get("prompt")
    if not isinstance(prompt, str):
        raise invalid("prompt", "prompt must be one string", "invalid_type")
    _sized(prompt, "prompt", limits)
    return _parsed(document, headers, limits, None, prompt)


def _document(body: bytes, limits: Limits) -> dict[str, Any]:
    try:
        # Escapes make JSON longer than its text: six bytes for one at worst.
        document = parse_json(body, max_bytes=6 * limits.max_prompt_bytes + 65536, max_depth=BODY_DEPTH)
    except ValueError as error:
        raise invalid(None, f"the body is not acceptable JSON: {error}", "invalid_json") from error
    if not isinstance(document, dict):
        raise invalid(None, "the body must be a JSON object", "invalid_type")
    for name, value in document.items():
        _known(name, value)
    return document


def _known(name: str, value: object) -> None:
    if name in _READ or name in _IGNORED:
        return
    if name not in _NEUTRAL:
        raise invalid(name[:64], f"unknown parameter: {name[:64]!r}", "unknown_parameter")
    # Compared with their types, since True == 1 in Python.
    if not any(type(value) is type(one) and value == one for one in _NEUTRAL[name]):
        raise invalid(name, f"this node does not offer {name}", "unsupported_value")


def _parsed(
    document: Mapping[str, Any],
    headers: Mapping[str, str],
    limits: Limits,
    messages: tuple[tuple[str, str], ...] | None,
    prompt: str | None,
) -> Parsed:
    stream = _boolean(document.get("stream"), "stream")
    request = InferenceRequest(
        model=_model(document.get("model")),
        messages=messages,
        prompt=prompt,
        max_tokens=_max_tokens(document, limits),
        sampling=parse_sampling(document, "text" if messages is None else "chat"),
        idempotency_key=credentials.idempotency_key(headers),
        body_digest=_body_digest(document),
        api_key=credentials.bearer(headers),
        voucher=credentials.voucher(headers),
        retrieve=_retrieve(document.get("openledger")),
    )
    return Parsed(request, stream, _include_usage(document.get("stream_options"), stream))


def _body_digest(document: Mapping[str, Any]) -> bytes:
    """What must be equal for one idempotency key to mean one request, streamed or not."""
    asked = {name: value for name, value in document.items() if name not in _FORM_ONLY | _IGNORED}
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode("ascii")).digest()


def _model(value: object) -> str:
    if not isinstance(value, str):
        raise invalid("model", "model must be a string", "invalid_type")
    if not MODEL_NAME.fullmatch(value):
        raise Problem(404, "model_not_found", f"no model is called {value[:128]!r}", "model")
    return value


def _messages(value: object, limits: Limits) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, list):
        raise invalid("messages", "messages must be an array", "invalid_type")
    if not 1 <= len(value) <= MAX_MESSAGES:
        raise invalid("messages", f"messages must hold 1..{MAX_MESSAGES} messages, got {len(value)}")
    messages = tuple(_message(one, f"messages[{index}]") for index, one in enumerate(value))
    _sized("".join(content for _, content in messages), "messages", limits)
    return messages


def _message(value: object, param: str) -> tuple[str, str]:
    if not isinstance(value, dict):
        raise invalid(param, f"{param} must be an object", "invalid_type")
    for name in value.keys() - {"role", "content", "name"}:
        raise invalid(f"{param}.{name[:64]}", f"unknown parameter: {name[:64]!r}", "unknown_parameter")
    role = value.get("role")
    if role not in ROLES:
        raise invalid(f"{param}.role", f"role must be one of {', '.join(sorted(ROLES))}")
    return ("system" if role == "developer" else str(role)), _content(
        value.get("content"), f"{param}.content"
    )


def _content(value: object, param: str) -> str:
    if isinstance(value, str):
        return value
    if not isinstance(value, list) or not value:
        raise invalid(param, f"{param} must be a string or an array of text parts", "invalid_type")
    texts = [part.get("text") for part in value if isinstance(part, dict) and part.get("type") == "text"]
    if len(texts) != len(value) or not all(isinstance(text, str) for text in texts):
        raise invalid(param, f"{param} may hold text parts only", "unsupported_value")
    return "".join(str(text) for text in texts)


def _sized(text: str, param: str, limits: Limits) -> None:
    size = len(text.encode("utf-8"))
    if size > limits.max_prompt_bytes:
        message = f"the prompt is {size} bytes; at most {limits.max_prompt_bytes} are taken"
        raise Problem(413, "prompt_too_long", message, param)
    if not size:
        raise invalid(param, "the prompt is empty")


def _max_tokens(document: Mapping[str, Any], limits: Limits) -> int:
    given = {
        name: document[name]
        for name in ("max_tokens", "max_completion_tokens")
        if document.get(name) is not None
    }
    if len(set(map(repr, given.values()))) > 1:
        raise invalid("max_tokens", "max_tokens and max_completion_tokens differ")
    for name, value in given.items():
        if type(value) is not int:
            raise invalid(name, f"{name} must be an integer", "invalid_type")
        if not 1 <= value <= limits.max_tokens:
            raise invalid(name, f"{name} must be 1..{limits.max_tokens}, got {value}")
        return value
    return limits.default_max_tokens


def _retrieve(value: object) -> int:
    """The one thing that the member `openledger` may ask for: rows of the model's Datanet in the prompt."""
    if value is None:
        return 0
    if not isinstance(value, dict) or not value.keys() <= {"retrieve"}:
        raise invalid("openledger", "openledger may hold retrieve only")
    rows = value.get("retrieve", 0)
    if type(rows) is not int:
        raise invalid("openledger.retrieve", "retrieve must be an integer", "invalid_type")
    if not 0 <= rows <= MAX_CONTEXT_ROWS:
        raise invalid("openledger.retrieve", f"retrieve must be 0..{MAX_CONTEXT_ROWS}, got {rows}")
    return rows


def _boolean(value: object, param: str) -> bool:
    if value is None:
        return False
    if type(value) is not bool:
        raise invalid(param, f"{param} must be true or false", "invalid_type")
    return value


def _include_usage(value: object, stream: bool) -> bool:
    if value is None:
        return False
    if not stream:
        raise invalid("stream_options", "stream_options goes with stream: true")
    if not isinstance(value, dict) or not value.keys() <= {"include_usage", "include_obfuscation"}:
        raise invalid("stream_options", "stream_options may hold include_usage only")
    return _boolean(value.get("include_usage"), "stream_options.include_usage")
