"""A tree of amounts: each node binds both children's hashes and sums, so a root commits to its total.

Because sums are bound on both sides, a proof also fixes the sum of everything left of its leaf, and two
proofs fix the sum of a range. Shape as in `protocol.merkle`. Solidity twin:
contracts/libraries/OpenSumTree.sol; same vectors.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from protocol.errors import EncodingError
from protocol.hashing import MAX_WORD, ZERO_WORD, Keccak, tag, words
from protocol.merkle import MAX_COUNT, steps

_Node = tuple[bytes, int]


@dataclass(frozen=True, slots=True)
class SumLeaf:
    """A 32-byte key and its amount (uint256)."""

    key: bytes
    amount: int


@dataclass(frozen=True, slots=True)
class SumRoot:
    """Digest of the root record, which binds count and total."""

    digest: bytes
    count: int
    total: int


@dataclass(frozen=True, slots=True)
class SumProof:
    """Siblings (hash, sum) from leaf to top."""

    index: int
    count: int
    path: tuple[tuple[bytes, int], ...]


EMPTY_SUM_ROOT = SumRoot(ZERO_WORD, 0, 0)


class SumTree:
    """A tree kept whole, so that each of many proofs costs O(log n)."""

    def __init__(self, leaves: Sequence[SumLeaf], keccak: Keccak) -> None:
        """EncodingError if the total passes 2^256-1."""
        self._levels = _levels(leaves, keccak) if leaves else [[]]
        self.root = EMPTY_SUM_ROOT
        if leaves:
            top, total = self._levels[-1][0]
            self.root = SumRoot(record_digest(top, len(leaves), total, keccak), len(leaves), total)

    def prove(self, index: int) -> SumProof:
        """The proof of the leaf at `index`."""
        if not 0 <= index < self.root.count:
            raise EncodingError(f"no leaf {index} among {self.root.count}")
        path = []
        place = index
        for level in self._levels[:-1]:
            if place ^ 1 < len(level):
                path.append(level[place ^ 1])
            place >>= 1
        return SumProof(index, self.root.count, tuple(path))


def sum_root(leaves: Sequence[SumLeaf], keccak: Keccak) -> SumRoot:
    """Root record over the leaves in order; all zero for none. EncodingError if the total passes 2^256-1."""
    return SumTree(leaves, keccak).root


def prove_sum(leaves: Sequence[SumLeaf], index: int, keccak: Keccak) -> SumProof:
    """The proof of `leaves[index]`."""
    return SumTree(leaves, keccak).prove(index)


def verify_sum(leaf: SumLeaf, proof: SumProof, expected: SumRoot, keccak: Keccak) -> bool:
    """Whether `leaf` stands at `proof.index` under `expected`, sums included."""
    if expected.count != proof.count:
        return False
    climbed = climb(leaf, proof, keccak)
    if climbed is None or climbed[1] != expected.total:
        return False
    return record_digest(climbed[0], proof.count, expected.total, keccak) == expected.digest


def climb(leaf: SumLeaf, proof: SumProof, keccak: Keccak) -> tuple[bytes, int] | None:
    """The (top, total) this leaf and path lead to; None when they do not fit index, count or 256 bits."""
    if not 0 <= proof.index < proof.count <= MAX_COUNT or not _fits((leaf.key, leaf.amount)):
        return None
    node_tag = tag("sum_node", keccak)
    node: _Node = (_leaf_digest(leaf, keccak), leaf.amount)
    rest = iter(proof.path)
    for place, has_sibling in steps(proof.index, proof.count):
        if not has_sibling:
            continue
        sibling = next(rest, None)
        if sibling is None or not _fits(sibling) or node[1] + sibling[1] > MAX_WORD:
            return None
        node = _join(sibling, node, node_tag, keccak) if place & 1 else _join(node, sibling, node_tag, keccak)
    return node if next(rest, None) is None else None


def sum_before(proof: SumProof) -> int:
    """The sum of all leaves left of the proved one; meaningful only after `verify_sum` said yes."""
    siblings = iter(proof.path)
    before = 0
    for place, has_sibling in steps(proof.index, proof.count):
        if has_sibling:
            _, amount = next(siblings)
            before += amount if place & 1 else 0
    return before


def verify_range(
    first: tuple[SumLeaf, SumProof],
    last: tuple[SumLeaf, SumProof],
    total: int,
    expected: SumRoot,
    keccak: Keccak,
) -> bool:
    """Whether the leaves from `first` to `last`, both included, sum to `total` under `expected`."""
    if not all(verify_sum(leaf, proof, expected, keccak) for leaf, proof in (first, last)):
        return False
    if first[1].index > last[1].index:
        return False
    return sum_before(last[1]) + last[0].amount - sum_before(first[1]) == total


def record_digest(top: bytes, count: int, total: int, keccak: Keccak) -> bytes:
    """Digest of the root record (top, count, total)."""
    return keccak(words(tag("sum_root", keccak), top, count, total))


def _fits(sibling: _Node) -> bool:
    return len(sibling[0]) == 32 and 0 <= sibling[1] <= MAX_WORD


def _leaf_digest(leaf: SumLeaf, keccak: Keccak) -> bytes:
    return keccak(words(tag("sum_leaf", keccak), leaf.key, leaf.amount))


def _join(left: _Node, right: _Node, node_tag: bytes, keccak: Keccak) -> _Node:
    return keccak(words(node_tag, left[0], left[1], right[0], right[1])), left[1] + right[1]


def _levels(leaves: Sequence[SumLeaf], keccak: Keccak) -> list[list[_Node]]:
    leaf_tag, node_tag = tag("sum_leaf", keccak), tag("sum_node", keccak)
    levels = [[(keccak(words(leaf_tag, leaf.key, leaf.amount)), leaf.amount) for leaf in leaves]]
    while len(levels[-1]) > 1:
        below = levels[-1]
        above = [_join(below[i], below[i + 1], node_tag, keccak) for i in range(0, len(below) - 1, 2)]
        levels.append(above + below[len(above) * 2 :])
    total = levels[-1][0][1]
    if total > MAX_WORD:
        raise EncodingError(f"total {total} passes 2^256-1")
    return levels
