"""The two protobuf messages inside a dag-pb block: links (PBNode) and UnixFS data, in canonical form only.

A block is read by parsing it and encoding the result again: any other byte sequence with the same meaning
is refused, so nothing can hide in a node.
"""

from dataclasses import dataclass

from protocol.cid import Cid, cid_from_binary
from protocol.errors import CidError, DagError

DIRECTORY = 1
FILE = 2

_VARINT = 0
_BYTES = 2
_Field = tuple[int, int | bytes]


@dataclass(frozen=True, slots=True)
class Link:
    """A child: its CID, its name (empty within files) and the bytes of its whole subgraph."""

    cid: Cid
    name: str
    tsize: int


@dataclass(frozen=True, slots=True)
class Node:
    """A UnixFS file or directory node. `sizes[i]` is the file bytes below `links[i]`; none in directories."""

    kind: int
    links: tuple[Link, ...]
    sizes: tuple[int, ...]


def encode_node(node: Node) -> bytes:
    """Canonical dag-pb: links before data, as every IPFS implementation writes it."""
    return b"".join(_bytes_field(2, _encode_link(link)) for link in node.links) + _bytes_field(
        1, _encode_unixfs(node)
    )


def decode_node(block: bytes) -> Node:
    """The inverse of `encode_node`; DagError for anything it would not have written."""
    fields = _fields(block)
    links = tuple(_decode_link(_as_bytes(value)) for number, value in fields if number == 2)
    data = [_as_bytes(value) for number, value in fields if number == 1]
    if len(data) != 1:
        raise DagError(f"a UnixFS node has one data field, not {len(data)}")
    unixfs = _fields(data[0])
    kinds = [value for number, value in unixfs if number == 1]
    sizes = tuple(value for number, value in unixfs if number == 4 and isinstance(value, int))
    if len(kinds) != 1 or kinds[0] not in (DIRECTORY, FILE):
        raise DagError(f"UnixFS type {kinds} is neither file nor directory")
    node = Node(DIRECTORY if kinds[0] == DIRECTORY else FILE, links, sizes)
    if len(sizes) != (len(links) if node.kind == FILE else 0) or encode_node(node) != block:
        raise DagError("dag-pb block is not in canonical form")
    return node


def uvarint(value: int) -> bytes:
    """Unsigned LEB128."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def read_uvarint(data: bytes, at: int) -> tuple[int, int]:
    """(value, position after it); DagError past 63 bits or the end."""
    value = shift = 0
    while True:
        if at >= len(data) or shift > 56:
            raise DagError(f"bad varint at byte {at}")
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at += 1
        shift += 7
        if byte < 0x80:
            return value, at


def _encode_link(link: Link) -> bytes:
    return (
        _bytes_field(1, link.cid.binary)
        + _bytes_field(2, link.name.encode("utf-8"))
        + _int_field(3, link.tsize)
    )


def _encode_unixfs(node: Node) -> bytes:
    out = _int_field(1, node.kind)
    if node.kind == FILE:
        out += _int_field(3, sum(node.sizes)) + b"".join(_int_field(4, size) for size in node.sizes)
    return out


def _decode_link(data: bytes) -> Link:
    values = dict(_fields(data))
    tsize = values.get(3)
    if set(values) != {1, 2, 3} or not isinstance(tsize, int):
        raise DagError(f"a link has a CID, a name and a size, not fields {sorted(values)}")
    try:
        return Link(cid_from_binary(_as_bytes(values[1])), _as_bytes(values[2]).decode("utf-8"), tsize)
    except (CidError, UnicodeDecodeError) as error:
        raise DagError(f"bad link: {error}") from error


def _bytes_field(number: int, value: bytes) -> bytes:
    return uvarint(number << 3 | _BYTES) + uvarint(len(value)) + value


def _int_field(number: int, value: int) -> bytes:
    return uvarint(number << 3 | _VARINT) + uvarint(value)


def _fields(data: bytes) -> list[_Field]:
    fields: list[_Field] = []
    at = 0
    while at < len(data):
        key, at = read_uvarint(data, at)
        value, at = read_uvarint(data, at)
        if key & 7 == _BYTES:
            if at + value > len(data):
                raise DagError(f"field of {value} bytes runs past the block's end")
            fields.append((key >> 3, data[at : at + value]))
            at += value
        elif key & 7 == _VARINT:
            fields.append((key >> 3, value))
        else:
            raise DagError(f"wire type {key & 7} has no place in dag-pb")
    return fields


def _as_bytes(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise DagError(f"expected bytes, found the number {value}")
    return value
