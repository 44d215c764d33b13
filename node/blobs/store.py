"""Whole blobs by CID, over whatever keeps the blocks. Nothing comes out that does not hash to its address."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from node.blobs.car import BadCar, decode_car, encode_car, walk
from node.errors import LimitExceeded, NotFound
from protocol.cid import Cid, parse_cid
from protocol.unixfs import build, pieces, read

# An adapter of rank 64 on a 7B base is about 650 MB in fp32; whole models do not belong here.
MAX_BLOB_BYTES = 1 << 30


class Blocks(Protocol):
    """What keeps the blocks: `node.store.blocks.BlockTable`."""

    def put_many(
        self, blocks: Iterable[tuple[bytes, bytes]], pins: Iterable[tuple[str, str]] = ()
    ) -> None: ...
    def get(self, digest: bytes) -> bytes: ...
    def has(self, digest: bytes) -> bool: ...
    def delete_all_but(self, digests: Iterable[bytes]) -> int: ...
    def pin(self, cid: str, name: str) -> None: ...
    def unpin(self, cid: str) -> bool: ...
    def pins(self) -> dict[str, str]: ...


class BlobStore:
    """Files under profile ol-1. What is put is pinned under a name, until `unpin` and `collect`."""

    def __init__(self, blocks: Blocks) -> None:
        self._blocks = blocks

    def put(self, data: bytes, name: str = "") -> Cid:
        """Store and pin `data`; the same bytes always get the same CID."""
        return self.put_all([data], name)[0]

    def put_all(self, contents: Iterable[bytes], name: str = "") -> tuple[Cid, ...]:
        """`put` for many, as one durable commit: all of them or none."""
        dags = []
        for data in contents:
            if len(data) > MAX_BLOB_BYTES:
                raise LimitExceeded("blob is too large", size=len(data), limit=MAX_BLOB_BYTES)
            dags.append(build(data))
        self._blocks.put_many(
            [(block.cid.digest, block.data) for dag in dags for block in dag.blocks],
            [(dag.root.text, name) for dag in dags],
        )
        return tuple(dag.root for dag in dags)

    def get(self, cid: Cid, max_bytes: int = MAX_BLOB_BYTES) -> bytes:
        """The file's bytes, every block hashed again. Raises NotFound, IntegrityError or DagError."""
        return read(cid, self.block, max_bytes)

    def pieces(self, cid: Cid, max_bytes: int = MAX_BLOB_BYTES) -> Iterator[bytes]:
        """`get` a chunk at a time."""
        return pieces(cid, self.block, max_bytes)

    def block(self, cid: Cid) -> bytes:
        """One block's bytes."""
        return self._blocks.get(cid.digest)

    def has(self, cid: Cid) -> bool:
        """Whether the whole graph is here."""
        try:
            return all(True for _ in walk(cid, self.block))
        except NotFound:
            return False

    def pin(self, cid: Cid, name: str = "") -> None:
        """Keep the whole graph under `cid`; NotFound if it is not all here."""
        for _ in walk(cid, self.block):
            pass
        self._blocks.pin(cid.text, name)

    def unpin(self, cid: Cid) -> bool:
        """Let `collect` drop the graph, unless another pin holds it. False if it was not pinned."""
        return self._blocks.unpin(cid.text)

    def pins(self) -> dict[Cid, str]:
        """Name of every pinned root."""
        return {parse_cid(text): name for text, name in self._blocks.pins().items()}

    def collect(self) -> int:
        """Drop every block that no pin reaches; return how many."""

        def reached() -> Iterator[bytes]:
            # Runs inside the deletion's transaction, so that a pin set a moment ago counts.
            for root in self.pins():
                yield from (block.cid.digest for block in walk(root, self.block))

        return self._blocks.delete_all_but(reached())

    def export_car(self, root: Cid) -> bytes:
        """The whole graph under `root` as a CAR file."""
        return encode_car(root, walk(root, self.block))

    def import_car(self, data: bytes, name: str = "", root: Cid | None = None) -> Cid:
        """Store and pin the graph of a CAR file, all of it or nothing; return its root.

        Raises BadCar, also where `root` is given and the file has another one.
        """
        car = decode_car(data)
        if root is not None and car.root != root:
            raise BadCar("CAR has another root", expected=root.text, actual=car.root.text)
        pairs = [(block.cid.digest, block.data) for block in car.blocks]
        self._blocks.put_many(pairs, [(car.root.text, name)])
        return car.root
