"""A sum tree that only grows, kept as its peaks: appending a leaf and asking for the root cost O(log n).

The root is that of `protocol.sumtree.sum_root` over the same leaves. A channel's receipts are such a tree,
and a voucher names its root again after each of them.
"""

from protocol.errors import EncodingError
from protocol.hashing import MAX_WORD, Keccak, tag
from protocol.sumtree import EMPTY_SUM_ROOT, SumLeaf, SumRoot, _join, _leaf_digest, _Node, record_digest


class SumFrontier:
    """The perfect subtrees that the leaves so far make, left to right, each higher than the next."""

    def __init__(self, keccak: Keccak) -> None:
        self._keccak = keccak
        self._node_tag = tag("sum_node", keccak)
        self._peaks: list[tuple[int, _Node]] = []
        self.count = 0

    def append(self, leaf: SumLeaf) -> None:
        """Add a leaf on the right."""
        height, node = 0, (_leaf_digest(leaf, self._keccak), leaf.amount)
        while self._peaks and self._peaks[-1][0] == height:
            node = _join(self._peaks.pop()[1], node, self._node_tag, self._keccak)
            height += 1
        self._peaks.append((height, node))
        self.count += 1

    def root(self) -> SumRoot:
        """Root record over the leaves so far. EncodingError if the total passes 2^256-1."""
        if not self._peaks:
            return EMPTY_SUM_ROOT
        # An odd last node climbs alone, so the lower peaks join from the right.
        node = self._peaks[-1][1]
        for _, left in reversed(self._peaks[:-1]):
            node = _join(left, node, self._node_tag, self._keccak)
        top, total = node
        if total > MAX_WORD:
            raise EncodingError(f"total {total} passes 2^256-1")
        return SumRoot(record_digest(top, self.count, total, self._keccak), self.count, total)
