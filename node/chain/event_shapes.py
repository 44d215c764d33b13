"""Events as an ABI declares them, and the values in a log of theirs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eth_abi.abi import decode

from node.chain.abi_types import canonical_type
from node.chain.keccak import keccak


@dataclass(frozen=True)
class EventShape:
    """An event: its name, and (name, ABI type) of its indexed and its plain values."""

    name: str
    topic: bytes
    indexed: tuple[tuple[str, str], ...]
    plain: tuple[tuple[str, str], ...]

    def decode(self, topics: Sequence[bytes], data: bytes) -> Mapping[str, Any]:
        """The values by name. Of an indexed string, bytes or array the chain has only the hash."""
        values: dict[str, Any] = {}
        for (name, kind), topic in zip(self.indexed, topics, strict=True):
            values[name] = topic if _is_hashed(kind) else decode([kind], topic)[0]
        plain = decode([kind for _, kind in self.plain], data)
        return values | {name: value for (name, _), value in zip(self.plain, plain, strict=True)}


def _is_hashed(kind: str) -> bool:
    return kind in ("string", "bytes") or kind.endswith("]") or kind.startswith("(")


def shapes_by_topic(abi: Sequence[Mapping[str, Any]]) -> dict[bytes, EventShape]:
    """The events of an ABI by their first topic."""
    shapes = [_shape(entry) for entry in abi if entry.get("type") == "event" and not entry.get("anonymous")]
    return {shape.topic: shape for shape in shapes}


def _shape(entry: Mapping[str, Any]) -> EventShape:
    inputs = [(str(part["name"]), canonical_type(part), bool(part["indexed"])) for part in entry["inputs"]]
    signature = f"{entry['name']}({','.join(kind for _, kind, _ in inputs)})"
    return EventShape(
        name=str(entry["name"]),
        topic=keccak(signature.encode("ascii")),
        indexed=tuple((name, kind) for name, kind, is_indexed in inputs if is_indexed),
        plain=tuple((name, kind) for name, kind, is_indexed in inputs if not is_indexed),
    )
