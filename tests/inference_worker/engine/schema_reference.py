"""A naive reading of the JSON schema subset: whether a value fits, keyword by keyword."""

import re

KINDS = {
    "object": lambda v: isinstance(v, dict),
    "array": lambda v: isinstance(v, list),
    "string": lambda v: isinstance(v, str),
    "number": lambda v: isinstance(v, int | float) and not isinstance(v, bool),
    "integer": lambda v: isinstance(v, int) and not isinstance(v, bool),
    "boolean": lambda v: isinstance(v, bool),
    "null": lambda v: v is None,
}


def fits(value, schema, root=None):
    root = schema if root is None else root
    if isinstance(schema, bool):
        return schema
    if "$ref" in schema:
        name = schema["$ref"].removeprefix("#/$defs/")
        return fits(value, root["$defs"][name], root)
    types = schema.get("type", list(KINDS))
    types = types if isinstance(types, list) else [types]
    return (
        any(KINDS[one](value) for one in types)
        and _among(value, schema)
        and ("anyOf" not in schema or any(fits(value, one, root) for one in schema["anyOf"]))
        and (not isinstance(value, dict) or _object_fits(value, schema, root))
        and (not isinstance(value, list) or _array_fits(value, schema, root))
        and (not isinstance(value, str) or _string_fits(value, schema))
        and (not KINDS["number"](value) or _number_fits(value, schema))
    )


def _among(value, schema):
    allowed = schema.get("enum", [schema["const"]] if "const" in schema else None)
    return allowed is None or any(type(one) is type(value) and one == value for one in allowed)


def _object_fits(value, schema, root):
    properties, rest = schema.get("properties", {}), schema.get("additionalProperties", True)
    return set(schema.get("required", [])) <= set(value) and all(
        fits(item, properties.get(name, rest), root) for name, item in value.items()
    )


def _array_fits(value, schema, root):
    return schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)) and all(
        fits(item, schema.get("items", True), root) for item in value
    )


def _string_fits(value, schema):
    return (
        schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value))
        and re.search(schema.get("pattern", ""), value) is not None
    )


def _number_fits(value, schema):
    return (
        value >= schema.get("minimum", value)
        and value <= schema.get("maximum", value)
        and ("exclusiveMinimum" not in schema or value > schema["exclusiveMinimum"])
        and ("exclusiveMaximum" not in schema or value < schema["exclusiveMaximum"])
    )
