"""Files and flat directories as UnixFS, under one pinned profile, so that a CID never depends on a daemon.

Profile `ol-1`: CIDv1, sha2-256, raw leaves, chunks of 1 MiB, balanced, at most 174 links a node. `read`
believes nothing: each block is hashed again, sizes must agree on every level, and bytes, blocks and depth
are capped.
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from protocol.cid import DAG_PB, RAW, Cid, cid_of_raw
from protocol.dagpb import DIRECTORY, FILE, Link, Node, decode_node, encode_node
from protocol.errors import DagError
from protocol.hashing import sha256

CHUNK_BYTES = 1 << 20
MAX_LINKS = 174
MAX_BLOCK_BYTES = 2 << 20
MAX_DEPTH = 5
MAX_DIRECTORY_BYTES = 256 << 10
DEFAULT_MAX_BYTES = 1 << 32

GetBlock = Callable[[Cid], bytes]


@dataclass(frozen=True, slots=True)
class Block:
    """Bytes and their CID."""

    cid: Cid
    data: bytes


@dataclass(frozen=True, slots=True)
class Dag:
    """A whole graph: leaves first, the root's block last. `tsize` is its bytes, framing included."""

    root: Cid
    blocks: tuple[Block, ...]
    tsize: int


@dataclass(frozen=True, slots=True)
class _Child:
    cid: Cid
    tsize: int
    size: int


def build(data: bytes, chunk_bytes: int = CHUNK_BYTES) -> Dag:
    """The file's graph under profile ol-1; another `chunk_bytes` leaves the profile (tests of shape only)."""
    chunks = [data[at : at + chunk_bytes] for at in range(0, len(data), chunk_bytes)] or [b""]
    blocks = {(cid := cid_of_raw(chunk)): Block(cid, chunk) for chunk in chunks}
    above: list[Block] = []
    top = _top([_leaf(chunk) for chunk in chunks], above)
    blocks |= {block.cid: block for block in above}
    return Dag(top.cid, tuple(blocks.values()), top.tsize)


def root_of_chunks(chunks: Iterable[bytes]) -> Cid:
    """The root that `build` gives a file, from its chunks of CHUNK_BYTES (the last may be shorter), none of
    them kept.
    """
    return _top([_leaf(chunk) for chunk in chunks] or [_leaf(b"")], []).cid


def _leaf(chunk: bytes) -> _Child:
    return _Child(cid_of_raw(chunk), len(chunk), len(chunk))


def _top(level: list[_Child], blocks: list[Block]) -> _Child:
    """The root over leaves; the nodes made on the way are added to `blocks`."""
    while len(level) > 1:
        above = []
        for at in range(0, len(level), MAX_LINKS):
            child, block = _file_node(level[at : at + MAX_LINKS])
            blocks.append(block)
            above.append(child)
        level = above
    return level[0]


def _file_node(children: Sequence[_Child]) -> tuple[_Child, Block]:
    links = tuple(Link(child.cid, "", child.tsize) for child in children)
    block = _block(Node(FILE, links, tuple(child.size for child in children)))
    tsize = len(block.data) + sum(child.tsize for child in children)
    return _Child(block.cid, tsize, sum(child.size for child in children)), block


def build_directory(entries: Mapping[str, tuple[Cid, int]]) -> Dag:
    """One directory block over built entries: name to (root CID, tsize), sorted by the name's bytes."""
    for name in entries:
        _check_name(name)
    names = sorted(entries, key=lambda name: name.encode("utf-8"))
    block = _block(
        Node(DIRECTORY, tuple(Link(entries[name][0], name, entries[name][1]) for name in names), ())
    )
    if len(block.data) > MAX_DIRECTORY_BYTES:
        raise DagError(f"directory of {len(block.data)} bytes, at most {MAX_DIRECTORY_BYTES}: nest it")
    return Dag(block.cid, (block,), len(block.data) + sum(tsize for _, tsize in entries.values()))


def read(root: Cid, get_block: GetBlock, max_bytes: int = DEFAULT_MAX_BYTES) -> bytes:
    """The file's bytes; DagError when any block, size or cap disagrees. `get_block` need not be trusted."""
    return b"".join(pieces(root, get_block, max_bytes))


def pieces(root: Cid, get_block: GetBlock, max_bytes: int = DEFAULT_MAX_BYTES) -> Iterator[bytes]:
    """`read` a chunk at a time, for files too large to hold; only an exhausted iterator was a whole file."""
    budget = _Budget(max_bytes, 2 * (max_bytes // CHUNK_BYTES) + 1024)
    yield from _walk(root, get_block, budget, MAX_DEPTH)


def read_directory(root: Cid, get_block: GetBlock) -> dict[str, tuple[Cid, int]]:
    """The entries of one directory block, as `build_directory` takes them."""
    block = checked_block(root, get_block)
    node = decode_node(block) if root.codec == DAG_PB and len(block) <= MAX_DIRECTORY_BYTES else None
    if node is None or node.kind != DIRECTORY:
        raise DagError(f"{root} is not a directory of at most {MAX_DIRECTORY_BYTES} bytes")
    entries = {link.name: (link.cid, link.tsize) for link in node.links}
    if build_directory(entries).root != root:
        raise DagError(f"directory {root} repeats or misorders its names")
    return entries


def checked_block(cid: Cid, get_block: GetBlock) -> bytes:
    """The block's bytes, hashed again."""
    block = get_block(cid)
    if len(block) > MAX_BLOCK_BYTES or sha256(block) != cid.digest:
        raise DagError(f"{len(block)} bytes offered for {cid} hash to something else or are too many")
    return block


class _Budget:
    """What a read may still spend."""

    def __init__(self, max_bytes: int, max_blocks: int) -> None:
        self.bytes_left = max_bytes
        self.blocks_left = max_blocks

    def spend(self, size: int) -> None:
        self.blocks_left -= 1
        self.bytes_left -= size
        if self.bytes_left < 0 or self.blocks_left < 0:
            raise DagError("graph exceeds the bytes or blocks this read may take")


def _walk(cid: Cid, get_block: GetBlock, budget: _Budget, depth: int) -> Generator[bytes, None, int]:
    if depth == 0:
        raise DagError(f"graph deeper than {MAX_DEPTH} at {cid}")
    block = checked_block(cid, get_block)
    if cid.codec == RAW:
        budget.spend(len(block))
        yield block
        return len(block)
    budget.spend(0)
    node = decode_node(block)
    if node.kind != FILE or not 0 < len(node.links) <= MAX_LINKS or any(link.name for link in node.links):
        raise DagError(f"{cid} is not a file node with 1 to {MAX_LINKS} unnamed links")
    for link, size in zip(node.links, node.sizes, strict=True):
        found = yield from _walk(link.cid, get_block, budget, depth - 1)
        if found != size:
            raise DagError(f"{link.cid} holds {found} bytes, its parent says {size}")
    return sum(node.sizes)


def _check_name(name: str) -> None:
    if name in ("", ".", "..") or "/" in name or "\x00" in name or len(name.encode("utf-8")) > 255:
        raise DagError(f"not a file name: {name[:80]!r}")


def _block(node: Node) -> Block:
    data = encode_node(node)
    return Block(Cid(DAG_PB, sha256(data)), data)
