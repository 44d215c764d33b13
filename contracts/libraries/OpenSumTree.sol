// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

/// @title Tree of amounts: each node binds both children's hashes and sums, so that a root commits to its total.
/// @dev Shape as in OpenMerkle. A path leads to a top, a count and a total; only together do they make the root, so
/// distinct leaves of one root can never prove more than its total. Python twin: protocol/sumtree.py.
library OpenSumTree {
    bytes32 internal constant TAG_SUM_LEAF = keccak256("openledger.sum_leaf");
    bytes32 internal constant TAG_SUM_NODE = keccak256("openledger.sum_node");
    bytes32 internal constant TAG_SUM_ROOT = keccak256("openledger.sum_root");

    struct Node {
        bytes32 digest;
        uint256 sum;
    }

    struct SumProof {
        uint256 index;
        uint256 count;
        Node[] path;
    }

    function leafHash(bytes32 key, uint256 amount) internal pure returns (bytes32) {
        return keccak256(abi.encode(TAG_SUM_LEAF, key, amount));
    }

    function recordHash(bytes32 top, uint256 count, uint256 total) internal pure returns (bytes32) {
        return keccak256(abi.encode(TAG_SUM_ROOT, top, count, total));
    }

    /// @dev Whether the leaf (key, amount) stands at `proof.index` under `root`, which binds count and `total`.
    function verify(bytes32 key, uint256 amount, SumProof calldata proof, bytes32 root, uint256 total)
        internal
        pure
        returns (bool)
    {
        (bool fits, bytes32 digest, uint256 sum) = climb(key, amount, proof);
        return fits && sum == total && digest == root;
    }

    /// @dev The root digest and total this leaf and path lead to; `fits` is false when the path does not match index
    /// and count, or when a sum leaves 256 bits. A wrong proof is an answer here, not a revert.
    function climb(bytes32 key, uint256 amount, SumProof calldata proof)
        internal
        pure
        returns (bool fits, bytes32 root, uint256 total)
    {
        if (proof.index >= proof.count) return (false, 0, 0);
        Node memory node = Node(leafHash(key, amount), amount);
        uint256 used = 0;
        uint256 place = proof.index;
        for (uint256 width = proof.count; width > 1; width = width / 2 + (width & 1)) {
            bool isRight = place & 1 == 1;
            if (isRight || place + 1 < width) {
                if (used == proof.path.length) return (false, 0, 0);
                Node calldata sibling = proof.path[used++];
                if (sibling.sum > type(uint256).max - node.sum) return (false, 0, 0);
                node = isRight ? _join(sibling, node) : _join(node, sibling);
            }
            place >>= 1;
        }
        if (used != proof.path.length) return (false, 0, 0);
        return (true, recordHash(node.digest, proof.count, node.sum), node.sum);
    }

    function _join(Node memory left, Node memory right) private pure returns (Node memory) {
        bytes32 digest = keccak256(abi.encode(TAG_SUM_NODE, left.digest, left.sum, right.digest, right.sum));
        return Node(digest, left.sum + right.sum);
    }
}
