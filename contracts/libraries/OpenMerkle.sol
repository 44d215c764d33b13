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

    function recordHash(bytes32 top, uint256 count) internal pure returns (bytes32) {
        return keccak256(abi.encode(TAG_ROOT, top, count));
    }

    /// @dev Whether `payload` stands at `proof.index` under the root record `root`.
    function verify(bytes32 payload, Proof calldata proof, bytes32 root) internal pure returns (bool) {
        uint256 place = proof.index;
        uint256 width = proof.count;
        if (place >= width) return false;
        bytes32[] calldata path = proof.path;
        bytes32 digest = leafHash(payload);
        bytes32 nodeTag = TAG_NODE;
        bool fits;
        // As OpenSumTree climbs, and for the same reason. `buffer` is (tag, left, right), above the free memory
        // pointer and never kept.
        assembly ("memory-safe") {
            let cursor := path.offset
            let end := add(cursor, shl(5, path.length))
            let buffer := mload(0x40)
            mstore(buffer, nodeTag)
            fits := 1
            for {} gt(width, 1) {} {
                let isRight := and(place, 1)
                if or(isRight, lt(add(place, 1), width)) {
                    if eq(cursor, end) {
                        fits := 0
                        break
                    }
                    // 32 bytes a child: ours at 32 + 32 * isRight, its sibling in the other place.
                    mstore(add(add(buffer, 32), shl(5, isRight)), digest)
                    mstore(sub(add(buffer, 64), shl(5, isRight)), calldataload(cursor))
                    digest := keccak256(buffer, 96)
                    cursor := add(cursor, 32)
                }
                place := shr(1, place)
                // Half, rounded up, without the overflow of width + 1.
                width := add(shr(1, width), and(width, 1))
            }
            fits := and(fits, eq(cursor, end))
        }
        return fits && recordHash(digest, proof.count) == root;
    }
}
