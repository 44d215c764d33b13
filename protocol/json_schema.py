"""Which JSON schemas an answer may be asked to fit: a closed subset with bounds, checked before anything is
compiled.

The subset is what can be enforced token by token: objects, arrays, scalars, enums, unions and local
references. A keyword outside it is refused by name and never ignored, for the answer would then fit
another schema than the one asked for.
"""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from protocol.canonical import parse_json
from protocol.errors import JsonError, SchemaRefused

MAX_SCHEMA_BYTES = 16 * 1024
MAX_SCHEMA_DEPTH = 24
MAX_PROPERTIES = 256
MAX_ENUM_VALUES = 512
MAX_SUBSCHEMAS = 512
MAX_REPEATS = 256
MAX_PATTERN_CHARS = 128

ANY_OBJECT = '{"type":"object"}'
"""The schema of response_format json_object."""

TYPES = ("object", "array", "string", "number", "integer", "boolean", "null")
FORMATS = ("date-time", "date", "time", "email", "ipv4", "ipv6", "uuid")
_CONTROL = re.compile(r"[\x00-\x07\x0b\x0e-\x1f]")
_NOTES = frozenset(
    {"title", "description", "default", "examples", "$schema", "$id", "$comment", "deprecated"}
)


@dataclass
class _Counts:
    """What has been seen so far of each bounded kind."""

    subschemas: int = 0
    properties: int = 0
    enum_values: int = 0
    references: list[tuple[str, str]] = field(default_factory=list)
    definitions: set[str] = field(default_factory=set)


def schema_text(schema: object) -> str:
    """The text of a parsed schema: no white space, keys as they came, since answers keep that order."""
    return json.dumps(schema, ensure_ascii=False, separators=(",", ":"))


def check_schema(text: str) -> None:
    """Raise SchemaRefused unless the text is a schema of an object within the subset and the bounds."""
    try:
        schema = parse_json(text.encode("utf-8"), MAX_SCHEMA_BYTES, MAX_SCHEMA_DEPTH)
    except (JsonError, UnicodeEncodeError) as error:
        raise SchemaRefused("schema", str(error)) from error
    if not isinstance(schema, dict) or schema.get("type") != "object":
        raise SchemaRefused("schema.type", "the outermost schema must have type object")
    counts = _Counts()
    _check(schema, "schema", counts)
    for path, reference in counts.references:
        if reference not in counts.definitions:
            raise SchemaRefused(path, f"{reference[:80]!r} is none of the schema's own #/$defs")


def _check(schema: object, path: str, counts: _Counts) -> None:
    if isinstance(schema, bool):
        return
    keywords = _object(schema, path)
    counts.subschemas += 1
    _at_most(counts.subschemas, MAX_SUBSCHEMAS, path, "schemas")
    for name, value in keywords.items():
        _check_keyword(name, value, f"{path}.{name[:64]}", counts)
    strange = set(_list(keywords.get("required", []), path, 0)) - set(
        _object(keywords.get("properties", {}), path)
    )
    if strange:
        raise SchemaRefused(f"{path}.required", f"{min(map(str, strange))[:64]!r} is none of the properties")


def _check_keyword(name: str, value: object, path: str, counts: _Counts) -> None:
    if name in _NOTES:
        return
    check = _KEYWORDS.get(name)
    if check is None:
        raise SchemaRefused(path, "this keyword is not offered")
    check(value, path, counts)


def _properties(value: object, path: str, counts: _Counts) -> None:
    named = _object(value, path)
    counts.properties += len(named)
    _at_most(counts.properties, MAX_PROPERTIES, path, "properties")
    _spellable(list(named), path)
    for key, one in named.items():
        _check(one, f"{path}.{key[:64]}", counts)


def _definitions(value: object, path: str, counts: _Counts) -> None:
    named = _object(value, path)
    if path != "schema.$defs":
        raise SchemaRefused(path, "definitions stand in the outermost schema")
    counts.definitions.update(f"#/$defs/{key}" for key in named)
    for key, one in named.items():
        _check(one, f"{path}.{key[:64]}", counts)


def _any_of(value: object, path: str, counts: _Counts) -> None:
    for place, one in enumerate(_list(value, path, 1)):
        _check(one, f"{path}[{place}]", counts)


def _enum(value: object, path: str, counts: _Counts) -> None:
    counts.enum_values += len(_list(value, path, 1))
    _at_most(counts.enum_values, MAX_ENUM_VALUES, path, "enum values")
    _spellable(value, path)


def _const(value: object, path: str, counts: _Counts) -> None:
    _enum([value], path, counts)


def _reference(value: object, path: str, counts: _Counts) -> None:
    counts.references.append((path, _text(value, path, 256)))


def _type(value: object, path: str, counts: _Counts) -> None:
    types = value if isinstance(value, list) else [value]
    if not types or not all(isinstance(one, str) and one in TYPES for one in types):
        raise SchemaRefused(path, f"must be one or more of {', '.join(TYPES)}, got {str(value)[:64]}")


def _repeats(value: object, path: str, counts: _Counts) -> None:
    if type(value) is not int or not 0 <= value <= MAX_REPEATS:
        raise SchemaRefused(path, f"must be a whole number of 0..{MAX_REPEATS}, got {str(value)[:64]}")


def _bound(value: object, path: str, counts: _Counts) -> None:
    if type(value) not in (int, float):
        raise SchemaRefused(path, f"must be a number, got {str(value)[:64]}")


def _pattern(value: object, path: str, counts: _Counts) -> None:
    _text(value, path, MAX_PATTERN_CHARS)


def _format(value: object, path: str, counts: _Counts) -> None:
    if value not in FORMATS:
        raise SchemaRefused(path, f"must be one of {', '.join(FORMATS)}, got {str(value)[:64]}")


def _required(value: object, path: str, counts: _Counts) -> None:
    if not all(isinstance(one, str) for one in _list(value, path, 0)):
        raise SchemaRefused(path, f"must be a list of property names, got {str(value)[:64]}")


_KEYWORDS: dict[str, Callable[[object, str, _Counts], None]] = {
    "type": _type,
    "properties": _properties,
    "required": _required,
    "additionalProperties": _check,
    "items": _check,
    "minItems": _repeats,
    "maxItems": _repeats,
    "minLength": _repeats,
    "maxLength": _repeats,
    "pattern": _pattern,
    "format": _format,
    "minimum": _bound,
    "maximum": _bound,
    "exclusiveMinimum": _bound,
    "exclusiveMaximum": _bound,
    "enum": _enum,
    "const": _const,
    "anyOf": _any_of,
    "$ref": _reference,
    "$defs": _definitions,
}


def _object(value: object, path: str) -> dict[str, object]:
    if not isinstance(value, dict):
        raise SchemaRefused(path, f"must be an object, not {type(value).__name__}")
    return value


def _spellable(value: object, path: str) -> None:
    """Refuse texts that JSON can spell only with a \\u escape: answers have none."""
    if isinstance(value, dict):
        value = [*value, *value.values()]
    if isinstance(value, list):
        for one in value:
            _spellable(one, path)
    elif isinstance(value, str) and _CONTROL.search(value) is not None:
        raise SchemaRefused(
            path, f"control characters are not offered in texts to produce, got {value[:64]!r}"
        )


def _text(value: object, path: str, longest: int) -> str:
    if not isinstance(value, str) or len(value) > longest:
        raise SchemaRefused(path, f"must be text of at most {longest} characters, got {str(value)[:64]!r}")
    return value


def _list(value: object, path: str, least: int) -> Sequence[object]:
    if not isinstance(value, list) or len(value) < least:
        raise SchemaRefused(path, f"must be a list of at least {least} items, got {str(value)[:64]}")
    return value


def _at_most(count: int, most: int, path: str, what: str) -> None:
    if count > most:
        raise SchemaRefused(path, f"{count} {what}, at most {most} accepted")
