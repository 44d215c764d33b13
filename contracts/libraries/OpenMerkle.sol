// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

/// @title Binary tree whose root record binds its count, so that an index and the count fix a proof's path.
/// @dev Shape of RFC 6962: the left subtree holds the largest power of two below the count, and a last odd node is
/// lifted unchanged, never duplicated. Leaf, node and root carry different tags, so none can pass for another.
/// Python twin: protocol/merkle.py; both are held to tests/vectors.
library OpenMerkle {
    bytes32 internal constant TAG_LEAF = keccak256("openledger.leaf");
    bytes32 internal constant TAG_NODE = keccak256("openledger.node");
    bytes32 internal constant TAG_ROOT = keccak256("openledger.root");

    /// @dev Siblings from the leaf to the top; levels at which the node is lifted alone have none.
    struct Proof {
        uint256 index;
        uint256 count;
        bytes32[] path;
    }

    function leafHash(bytes32 payload) internal pure returns (bytes32) {
        return keccak256(abi.encode(TAG_LEAF, payload));
    }

    function nodeHash(bytes32 left, bytes32 right) internal pure returns (bytes32) {
        return keccak256(abi.encode(TAG_NODE, left, right));
    }

    function recordHash(bytes32 top, uint256 count) internal pure returns (bytes32) {
        return keccak256(abi.encode(TAG_ROOT, top, count));
    }

    /// @dev Whether `payload` stands at `proof.index` under the root record `root`.
    function verify(bytes32 payload, Proof calldata proof, bytes32 root) internal pure returns (bool) {
        if (proof.index >= proof.count) return false;
        bytes32 digest = leafHash(payload);
        uint256 used = 0;
        uint256 place = proof.index;
        for (uint256 width = proof.count; width > 1; width = width / 2 + (width & 1)) {
            bool isRight = place & 1 == 1;
            if (isRight || place + 1 < width) {
                if (used == proof.path.length) return false;
                bytes32 sibling = proof.path[used++];
                digest = isRight ? nodeHash(sibling, digest) : nodeHash(digest, sibling);
            }
            place >>= 1;
        }
        return used == proof.path.length && recordHash(digest, proof.count) == root;
    }
}
