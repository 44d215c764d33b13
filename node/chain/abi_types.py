"""The canonical type of an ABI parameter: structs spelt out as tuples, as signatures need it."""

from collections.abc import Mapping
from typing import Any


def canonical_type(parameter: Mapping[str, Any]) -> str:
    """For example `(address,uint256)[]` for an array of structs."""
    kind = str(parameter["type"])
    if not kind.startswith("tuple"):
        return kind
    return (
        f"({','.join(canonical_type(part) for part in parameter['components'])}){kind.removeprefix('tuple')}"
    )
