"""The subset of JSON schemas: what is in it, its bounds, and that nothing else gets through or breaks it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import json_schema
from protocol.errors import SchemaRefused
from protocol.json_schema import ANY_OBJECT, check_schema, schema_text
from tests.protocol.records import json_values

NODE = {"type": "object", "properties": {"next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}}}


def with_property(schema):
    return {"type": "object", "properties": {"x": schema}}


@pytest.mark.parametrize(
    "schema",
    [
        json.loads(ANY_OBJECT),
        {"title": "T", "description": "d", "$schema": "s", **with_property({"type": ["string", "null"]})},
        {**with_property({"$ref": "#/$defs/node"}), "$defs": {"node": NODE}},
        with_property({"type": "array", "items": {"enum": [1, "a", None]}, "minItems": 1, "maxItems": 256}),
        with_property({"type": "number", "minimum": 0.5, "exclusiveMaximum": 7}),
        with_property({"type": "string", "pattern": "^a+$", "format": "date", "minLength": 0}),
        {**with_property(True), "required": ["x"], "additionalProperties": {"const": 5}},
        {"type": "object", "properties": {"type": {"type": "string"}, "$ref": {"type": "null"}}},
    ],
    ids=repr,
)
def test_the_subset_is_taken(schema):
    """SPEC 4.142"""
    check_schema(schema_text(schema))


def nested(depth):
    schema = {"type": "string"}
    for _ in range(depth):
        schema = {"type": "array", "items": schema}
    return with_property(schema)


@pytest.mark.parametrize(
    ("schema", "field"),
    [
        ({"type": "array"}, "schema.type"),
        ({}, "schema.type"),
        (True, "schema.type"),
        ({"type": "object", "x-guidance": {"lenient": True}}, "schema.x-guidance"),
        (with_property({"not": {}}), "schema.properties.x.not"),
        (with_property({"oneOf": [{}]}), "schema.properties.x.oneOf"),
        (with_property({"type": "text"}), "schema.properties.x.type"),
        (with_property({"type": []}), "schema.properties.x.type"),
        (with_property({"type": [["string"]]}), "schema.properties.x.type"),
        (with_property({"maxLength": 257}), "schema.properties.x.maxLength"),
        (with_property({"minItems": True}), "schema.properties.x.minItems"),
        (with_property({"minimum": "0"}), "schema.properties.x.minimum"),
        (with_property({"pattern": "a" * 129}), "schema.properties.x.pattern"),
        (with_property({"format": "uri-template"}), "schema.properties.x.format"),
        (with_property({"$ref": "https://example.org/schema.json"}), "schema.properties.x.$ref"),
        (with_property({"$ref": "#/$defs/absent"}), "schema.properties.x.$ref"),
        (with_property({"$defs": {}}), "schema.properties.x.$defs"),
        (with_property({"const": "a\0"}), "schema.properties.x.const"),
        (with_property({"enum": [{"k": ["\x1f"]}]}), "schema.properties.x.enum"),
        ({"type": "object", "properties": {"\x0b": {}}}, "schema.properties"),
        (with_property({"enum": []}), "schema.properties.x.enum"),
        (with_property({"enum": list(range(513))}), "schema.properties.x.enum"),
        (with_property({"anyOf": [{}] * 512}), "schema.properties.x.anyOf[510]"),
        ({"type": "object", "required": ["y"]}, "schema.required"),
        ({"type": "object", "required": [["y"]]}, "schema.required"),
        ({"type": "object", "properties": {f"p{i}": {} for i in range(257)}}, "schema.properties"),
        ({"type": "object", "properties": []}, "schema.properties"),
        (nested(24), "schema"),
        (with_property({"description": "x" * json_schema.MAX_SCHEMA_BYTES}), "schema"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_what_is_outside_the_subset_is_refused_by_its_path(schema, field):
    """SPEC 4.142"""
    with pytest.raises(SchemaRefused) as refused:
        check_schema(schema_text(schema))
    assert refused.value.field == field


def test_the_deepest_schema_is_taken():
    """SPEC 4.142"""
    check_schema(schema_text(nested(21)))


KEYWORDS = st.sampled_from([*json_schema._KEYWORDS, "title", "not", "x-guidance"])
SCHEMAS = st.recursive(
    json_values(), lambda inner: st.dictionaries(KEYWORDS, inner | st.lists(inner, max_size=3), max_size=4)
)


@given(st.text(max_size=60) | SCHEMAS.map(schema_text))
def test_no_text_raises_anything_but_a_refusal(text):
    """SPEC 4.142"""
    try:
        check_schema(text)
    except SchemaRefused:
        return
    assert json.loads(text)["type"] == "object"
