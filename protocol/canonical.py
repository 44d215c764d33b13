"""One spelling for each JSON value, and a parser that accepts no two readings of the same bytes.

`canonical_json` is RFC 8785 for everything but floats, which have no place in what is hashed. `parse_json`
is for input from outside: it refuses what two parsers could read differently (duplicate keys, NaN, huge
integers, lone surrogates) and what could exhaust us (size, depth).
"""

import json
import math
import re
from collections.abc import Iterable, Mapping
from itertools import pairwise

from protocol.errors import JsonError

MAX_SAFE_INTEGER = 2**53 - 1
MAX_NUMBER_CHARS = 64

# An unterminated string swallows the rest, so that the scan stays linear on hostile input.
_TOKENS = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)|[\[\]{}]', re.DOTALL)


def canonical_json(value: object) -> bytes:
    """RFC 8785 bytes of str, int within ±(2^53-1), bool, None, lists, tuples and string-keyed mappings."""
    try:
        return "".join(_spell(value)).encode("utf-8")
    except UnicodeEncodeError as error:
        raise JsonError(f"lone surrogate at {error.start}") from error


def _spell(value: object) -> list[str]:
    if value is None or isinstance(value, bool | str):
        return [json.dumps(value, ensure_ascii=False)]
    if isinstance(value, int):
        if abs(value) > MAX_SAFE_INTEGER:
            raise JsonError(f"{value} is beyond 2^53-1; spell it as a string")
        return [str(value)]
    if isinstance(value, list | tuple):
        return ["[", *_joined(_spell(item) for item in value), "]"]
    if isinstance(value, Mapping):
        return ["{", *_joined(_member(key, value[key]) for key in _sorted_keys(value)), "}"]
    raise JsonError(f"{type(value).__name__} has no canonical form")


def _joined(parts: Iterable[list[str]]) -> list[str]:
    out: list[str] = []
    for part in parts:
        if out:
            out.append(",")
        out.extend(part)
    return out


def _member(key: str, value: object) -> list[str]:
    return [json.dumps(key, ensure_ascii=False), ":", *_spell(value)]


def _sorted_keys(value: Mapping[object, object]) -> list[str]:
    keys = [key for key in value if isinstance(key, str)]
    if len(keys) != len(value):
        raise JsonError("object keys must be strings")
    # RFC 8785 sorts by UTF-16 code units, which differs from code points above U+FFFF.
    return sorted(keys, key=lambda key: key.encode("utf-16-be", "surrogatepass"))


def parse_json(data: bytes, max_bytes: int = 1 << 20, max_depth: int = 64) -> object:
    """The one value these bytes spell, or JsonError; floats must be finite, integers within ±(2^53-1)."""
    if len(data) > max_bytes:
        raise JsonError(f"{len(data)} bytes of JSON, at most {max_bytes} accepted")
    _check_depth(data, max_depth)
    try:
        text = data.decode("utf-8")
        value: object = json.loads(
            text, object_pairs_hook=_unique, parse_int=_integer, parse_float=_real, parse_constant=_constant
        )
    except JsonError:
        raise
    except (ValueError, RecursionError) as error:
        raise JsonError(f"not JSON: {error}") from error
    if "\\u" in text:
        _refuse_lone_surrogates(value)
    return value


def _check_depth(data: bytes, max_depth: int) -> None:
    depth = 0
    for token in _TOKENS.finditer(data):
        first = token.group()[:1]
        if first in b"[{":
            depth += 1
            if depth > max_depth:
                raise JsonError(f"JSON nested deeper than {max_depth}")
        elif first in b"]}":
            depth -= 1


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    value = dict(pairs)
    if len(value) != len(pairs):
        keys = sorted(key for key, _ in pairs)
        twice = next(key for key, following in pairwise(keys) if key == following)
        raise JsonError(f"key {twice[:80]!r} appears twice")
    return value


def _integer(text: str) -> int:
    if len(text) > MAX_NUMBER_CHARS or abs(int(text)) > MAX_SAFE_INTEGER:
        raise JsonError(f"integer beyond 2^53-1: {text[:24]}")
    return int(text)


def _real(text: str) -> float:
    value = float(text)
    if len(text) > MAX_NUMBER_CHARS or not math.isfinite(value):
        raise JsonError(f"number out of range: {text[:24]}")
    return value


def _constant(text: str) -> object:
    raise JsonError(f"{text} is not JSON")


def _refuse_lone_surrogates(value: object) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as error:
        raise JsonError("lone surrogate in a string") from error
