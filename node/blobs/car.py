"""CAR v1: one graph of blocks as one file, for moving content between nodes and IPFS daemons.

Reading is strict: one root, canonical header, only CIDv1 of raw or dag-pb blocks under sha2-256, every block
hashed, exactly the blocks that the root reaches, each once. A file that breaks any of it is refused whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from node.errors import IntegrityError
from protocol.cid import DAG_PB, Cid, cid_from_binary
from protocol.dagpb import decode_node, read_uvarint, uvarint
from protocol.errors import ProtocolError
from protocol.hashing import sha256
from protocol.unixfs import MAX_BLOCK_BYTES, Block

MAX_CAR_BYTES = 2 << 30
MAX_BLOCKS = 1 << 16
CID_BYTES = 36

# DAG-CBOR of {"roots": [link], "version": 1}, around the link's 36 bytes: map(2), "roots", array(1), tag 42
# with a byte string of 37 whose first byte is the identity multibase, "version", 1. Its only canonical form.
HEADER_HEAD = b"\xa2\x65roots\x81\xd8\x2a\x58\x25\x00"
HEADER_TAIL = b"\x67version\x01"
HEADER_BYTES = len(HEADER_HEAD) + CID_BYTES + len(HEADER_TAIL)

GetBlock = Callable[[Cid], bytes]


class BadCar(IntegrityError):
    """A CAR file that must not be believed."""


@dataclass(frozen=True)
class Car:
    """A root and the blocks it reaches, in file order."""

    root: Cid
    blocks: tuple[Block, ...]


def encode_car(root: Cid, blocks: Iterable[Block]) -> bytes:
    """The CAR of `blocks` under `root`."""
    parts = [uvarint(HEADER_BYTES), HEADER_HEAD, root.binary, HEADER_TAIL]
    for block in blocks:
        parts += [uvarint(CID_BYTES + len(block.data)), block.cid.binary, block.data]
    return b"".join(parts)


def decode_car(data: bytes) -> Car:
    """The inverse of `encode_car`. Raises BadCar."""
    if len(data) > MAX_CAR_BYTES:
        raise BadCar("CAR is too large", size=len(data), limit=MAX_CAR_BYTES)
    try:
        root, at = _header(data)
        found = dict(_sections(data, at))
        graph = tuple(walk(root, found.__getitem__))
    except KeyError as error:
        raise BadCar("CAR lacks a block that its root reaches", cid=str(error.args[0])) from error
    except ProtocolError as error:
        raise BadCar("CAR holds what this network does not speak", reason=str(error)) from error
    if len(graph) != len(found):
        raise BadCar("CAR carries blocks that its root does not reach", blocks=len(found), reached=len(graph))
    return Car(root, tuple(Block(cid, block) for cid, block in found.items()))


def _header(data: bytes) -> tuple[Cid, int]:
    size, at = read_uvarint(data, 0)
    header = data[at : at + HEADER_BYTES]
    if size != HEADER_BYTES or not (header.startswith(HEADER_HEAD) and header.endswith(HEADER_TAIL)):
        raise BadCar("not a CAR v1 header with one root", size=size, start=header[:16].hex())
    return cid_from_binary(header[len(HEADER_HEAD) : len(HEADER_HEAD) + CID_BYTES]), at + HEADER_BYTES


def _sections(data: bytes, at: int) -> Iterator[tuple[Cid, bytes]]:
    seen: set[Cid] = set()
    while at < len(data):
        size, start = read_uvarint(data, at)
        # Sizes are compared with what is there before anything is sliced or allocated.
        if not CID_BYTES <= size <= CID_BYTES + MAX_BLOCK_BYTES or start + size > len(data):
            raise BadCar("CAR section does not fit", size=size, left=len(data) - start)
        cid = cid_from_binary(data[start : start + CID_BYTES])
        block = data[start + CID_BYTES : start + size]
        if sha256(block) != cid.digest:
            raise BadCar("CAR block hashes to something else", cid=cid.text, actual=sha256(block).hex())
        if cid in seen or len(seen) == MAX_BLOCKS:
            raise BadCar("CAR repeats a block or has too many", cid=cid.text, blocks=len(seen))
        seen.add(cid)
        yield cid, block
        at = start + size


def walk(root: Cid, get_block: GetBlock) -> Iterator[Block]:
    """Every block that `root` reaches, each once, parents before children in link order.

    Raises BadCar beyond MAX_BLOCKS; what `get_block` raises for an absent block passes through. Content
    addresses admit no cycles and each block is visited once, so the walk ends.
    """
    seen: set[Cid] = set()
    waiting = [root]
    while waiting:
        cid = waiting.pop()
        if cid in seen:
            continue
        if len(seen) == MAX_BLOCKS:
            raise BadCar("graph has too many blocks", root=root.text, limit=MAX_BLOCKS)
        seen.add(cid)
        block = get_block(cid)
        yield Block(cid, block)
        if cid.codec == DAG_PB:
            waiting += [link.cid for link in reversed(decode_node(block).links)]
