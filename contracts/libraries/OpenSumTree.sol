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
        (bool fits, bytes32 digest, uint256 sum,) = walk(key, amount, proof);
        return fits && sum == total && digest == root;
    }

    /// @dev The root digest and total this leaf and path lead to; `fits` is false when the path does not match index
    /// and count, or when a sum leaves 256 bits. A wrong proof is an answer here, not a revert.
    function climb(bytes32 key, uint256 amount, SumProof calldata proof)
        internal
        pure
        returns (bool fits, bytes32 root, uint256 total)
    {
        (fits, root, total,) = walk(key, amount, proof);
    }

    /// @dev As `climb`, and the sum of all leaves left of this one: the siblings on the left of the path make it up,
    /// so it is proven as soon as `root` is. With two proofs that is the sum of any range of leaves.
    function walk(bytes32 key, uint256 amount, SumProof calldata proof)
        internal
        pure
        returns (bool fits, bytes32 root, uint256 total, uint256 before)
    {
        uint256 place = proof.index;
        uint256 last = proof.count;
        if (place >= last) return (false, 0, 0, 0);
        Node[] calldata path = proof.path;
        bytes32 digest = leafHash(key, amount);
        bytes32 nodeTag = TAG_SUM_NODE;
        total = amount;
        // In assembly because proofs are what a claim and a fault pay for: at depth 17 this saves four fifths of the
        // climb. `buffer` is (tag, left digest, left sum, right digest, right sum), above the free memory pointer
        // and never kept, so the pointer need not move.
        assembly ("memory-safe") {
            let cursor := path.offset
            let buffer := mload(0x40)
            mstore(buffer, nodeTag)
            let left := add(buffer, 32)
            let bothPlaces := add(left, add(left, 64))
            let overflow := 0
            // `last` is the last place of the level; at the top it is the only one.
            for { last := sub(last, 1) } last {} {
                let isRight := and(place, 1)
                if or(isRight, lt(place, last)) {
                    let amountBeside := calldataload(add(cursor, 32))
                    let ours := add(left, shl(6, isRight))
                    mstore(ours, digest)
                    mstore(add(ours, 32), total)
                    calldatacopy(sub(bothPlaces, ours), cursor, 64)
                    digest := keccak256(buffer, 160)
                    before := add(before, mul(isRight, amountBeside))
                    total := add(total, amountBeside)
                    overflow := or(overflow, lt(total, amountBeside))
                    cursor := add(cursor, 64)
                }
                place := shr(1, place)
                last := shr(1, last)
            }
            // A path too short was read beyond its end, one too long not to its end: the cursor tells both.
            fits := and(iszero(overflow), eq(cursor, add(path.offset, shl(6, path.length))))
        }
        if (!fits) return (false, 0, 0, 0);
        root = recordHash(digest, proof.count, total);
    }
}
