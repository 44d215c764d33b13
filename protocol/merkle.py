"""A binary tree whose root record binds its count, so that an index and the count fix a proof's path.

Shape of RFC 6962: the left subtree holds the largest power of two below n leaves, so appending never
rewrites a full subtree. No last node is ever duplicated. Leaves, nodes and the root record carry different
tags, so none can be passed off as another. Solidity twin: contracts/libraries/OpenMerkle.sol; same vectors.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from protocol.errors import EncodingError
from protocol.hashing import ZERO_WORD, Keccak, tag, words

EMPTY_ROOT = ZERO_WORD
MAX_COUNT = 2**64 - 1


@dataclass(frozen=True, slots=True)
class Proof:
    """Siblings from leaf to top of the payload at `index` among `count`."""

    index: int
    count: int
    path: tuple[bytes, ...]


def root(payloads: Sequence[bytes], keccak: Keccak) -> bytes:
    """Digest of the root record over 32-byte payloads in order; EMPTY_ROOT for none."""
    if not payloads:
        return EMPTY_ROOT
    top = _levels(payloads, keccak)[-1][0]
    return _record(top, len(payloads), keccak)


def prove(payloads: Sequence[bytes], index: int, keccak: Keccak) -> Proof:
    """The proof of `payloads[index]`."""
    if not 0 <= index < len(payloads):
        raise EncodingError(f"no leaf {index} among {len(payloads)}")
    path = []
    place = index
    for level in _levels(payloads, keccak)[:-1]:
        sibling = place ^ 1
        if sibling < len(level):
            path.append(level[sibling])
        place >>= 1
    return Proof(index, len(payloads), tuple(path))


def root_and_proofs(
    payloads: Iterable[bytes], places: Sequence[int], keccak: Keccak
) -> tuple[bytes, tuple[Proof, ...]]:
    """`root` and the proofs of `places`, for payloads too many to hold: one pass, a path of memory."""
    climb = _Climb(places, keccak)
    for payload in payloads:
        climb.add(payload)
    return climb.finish()


def verify(payload: bytes, proof: Proof, expected: bytes, keccak: Keccak) -> bool:
    """Whether `payload` stands at `proof.index` under the root record `expected`."""
    if not 0 <= proof.index < proof.count <= MAX_COUNT or len(payload) != 32:
        return False
    node_tag = tag("node", keccak)
    digest = keccak(words(tag("leaf", keccak), payload))
    rest = iter(proof.path)
    for place, has_sibling in steps(proof.index, proof.count):
        if not has_sibling:
            continue
        sibling = next(rest, None)
        if sibling is None or len(sibling) != 32:
            return False
        pair = (sibling, digest) if place & 1 else (digest, sibling)
        digest = keccak(words(node_tag, *pair))
    return next(rest, None) is None and _record(digest, proof.count, keccak) == expected


def steps(index: int, count: int) -> list[tuple[int, bool]]:
    """The levels a proof climbs: (place within the level, whether that place has a sibling there)."""
    climbed = []
    place, width = index, count
    while width > 1:
        climbed.append((place, (place ^ 1) < width))
        place, width = place >> 1, (width + 1) >> 1
    return climbed


def verify_absence(
    payload: bytes,
    left: tuple[bytes, Proof] | None,
    right: tuple[bytes, Proof] | None,
    expected: bytes,
    keccak: Keccak,
) -> bool:
    """Whether a strictly ascending tree lacks `payload`: its neighbours are adjacent, or one is at an end."""
    if left is None and right is None:
        return expected == EMPTY_ROOT
    for neighbour in (left, right):
        if neighbour is not None and not verify(neighbour[0], neighbour[1], expected, keccak):
            return False
    if left is not None and not left[0] < payload:
        return False
    if right is not None and not payload < right[0]:
        return False
    after_left = 0 if left is None else left[1].index + 1
    if right is not None:
        return right[1].index == after_left
    return left is not None and after_left == left[1].count


def _levels(payloads: Sequence[bytes], keccak: Keccak) -> list[list[bytes]]:
    # Pairing neighbours and lifting a last odd node unchanged gives the RFC 6962 shape.
    leaf_tag, node_tag = tag("leaf", keccak), tag("node", keccak)
    levels = [[keccak(words(leaf_tag, payload)) for payload in payloads]]
    while len(levels[-1]) > 1:
        below = levels[-1]
        above = [keccak(words(node_tag, below[i], below[i + 1])) for i in range(0, len(below) - 1, 2)]
        levels.append(above + below[len(above) * 2 :])
    return levels


def _record(top: bytes, count: int, keccak: Keccak) -> bytes:
    return keccak(words(tag("root", keccak), top, count))


class _Climb:
    """The full subtrees so far, largest first, as (digest, first leaf, end), and the paths grown in them."""

    def __init__(self, places: Sequence[int], keccak: Keccak) -> None:
        self._keccak = keccak
        self._leaf, self._node = tag("leaf", keccak), tag("node", keccak)
        self._paths: dict[int, list[bytes]] = {place: [] for place in places}
        self._peaks: list[tuple[bytes, int, int]] = []
        self._count = 0

    def add(self, payload: bytes) -> None:
        digest = self._keccak(words(self._leaf, payload))
        peak, merges = (digest, self._count, self._count + 1), self._count
        while merges & 1:
            peak, merges = self._join(self._peaks.pop(), peak), merges >> 1
        self._peaks.append(peak)
        self._count += 1

    def finish(self) -> tuple[bytes, tuple[Proof, ...]]:
        missing = [place for place in self._paths if not 0 <= place < self._count]
        if missing:
            raise EncodingError(f"no leaves {missing} among {self._count}")
        if not self._peaks:
            return EMPTY_ROOT, ()
        top = self._peaks.pop()
        while self._peaks:
            top = self._join(self._peaks.pop(), top)
        proofs = tuple(Proof(place, self._count, tuple(path)) for place, path in self._paths.items())
        return _record(top[0], self._count, self._keccak), proofs

    def _join(self, left: tuple[bytes, int, int], right: tuple[bytes, int, int]) -> tuple[bytes, int, int]:
        for place, path in self._paths.items():
            if left[1] <= place < right[2]:
                path.append(right[0] if place < left[2] else left[0])
        return self._keccak(self._node + left[0] + right[0]), left[1], right[2]
