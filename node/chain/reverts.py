"""Names and values for revert data, from the errors that our contracts declare."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError

from node.chain.abi_types import canonical_type
from node.chain.deployment import Abi, artifact_names, load_artifact
from node.chain.keccak import keccak
from node.errors import ChainReverted

PANICS = {
    0x01: "assertion failed",
    0x11: "arithmetic overflow",
    0x12: "division by zero",
    0x21: "enum out of range",
    0x32: "array index out of bounds",
    0x41: "out of memory",
    0x51: "call to an uninitialised function",
}


@dataclass(frozen=True)
class ErrorShape:
    """A declared error: its name and the ABI types of its values."""

    name: str
    types: tuple[str, ...]

    @property
    def selector(self) -> bytes:
        """The first four bytes of the data it reverts with."""
        return keccak(f"{self.name}({','.join(self.types)})".encode("ascii"))[:4]


BUILT_IN = (ErrorShape("Error", ("string",)), ErrorShape("Panic", ("uint256",)))


def shapes_of(abis: Iterable[Abi]) -> dict[bytes, ErrorShape]:
    """Every declared error by selector."""
    declared = (_shape(entry) for abi in abis for entry in abi if entry.get("type") == "error")
    return {shape.selector: shape for shape in (*BUILT_IN, *declared)}


def _shape(entry: Mapping[str, Any]) -> ErrorShape:
    return ErrorShape(entry["name"], tuple(canonical_type(parameter) for parameter in entry["inputs"]))


@cache
def packaged_shapes() -> Mapping[bytes, ErrorShape]:
    """The errors of all packaged contracts."""
    return shapes_of(load_artifact(name).abi for name in artifact_names())


def decode_revert(data: bytes, shapes: Mapping[bytes, ErrorShape]) -> ChainReverted:
    """The error that a call reverted with; `Unknown` keeps the data when no declaration matches."""
    if not data:
        return ChainReverted("Unknown", reason="reverted without a reason")
    shape = shapes.get(data[:4])
    if shape is None:
        return ChainReverted("Unknown", data="0x" + data.hex())
    try:
        values = tuple(decode(shape.types, data[4:]))
    except (DecodingError, UnicodeDecodeError, OverflowError):
        return ChainReverted("Unknown", data="0x" + data.hex())
    if shape.name == "Panic" and len(values) == 1:
        return ChainReverted("Panic", values, reason=PANICS.get(values[0], "unknown code"))
    return ChainReverted(shape.name, values)
