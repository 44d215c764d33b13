// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

import {Test} from "forge-std/Test.sol";
import {OpenSumTree} from "../../contracts/libraries/OpenSumTree.sol";

/// @dev The library behind an external call, so that proofs arrive as calldata.
contract SumTreeCaller {
    function verify(bytes32 key, uint256 amount, OpenSumTree.SumProof calldata proof, bytes32 root, uint256 total)
        external
        pure
        returns (bool)
    {
        return OpenSumTree.verify(key, amount, proof, root, total);
    }
}

/// @title A sum tree built the slow way, level by level, beside the library's proofs.
contract OpenSumTreeTest is Test {
    uint256 private constant MAX_LEAVES = 40;

    SumTreeCaller private tree = new SumTreeCaller();

    function test_everyLeafIsProvenAndNothingElse(uint256 seed, uint256 countSeed, uint256 bit) external view {
        uint256 count = 1 + countSeed % MAX_LEAVES;
        uint256 index = seed % count;
        (bytes32[] memory keys, uint256[] memory amounts) = _leaves(seed, count);
        (OpenSumTree.SumProof memory proof, bytes32 root, uint256 total) = _prove(keys, amounts, index);
        assertTrue(tree.verify(keys[index], amounts[index], proof, root, total));
        // One bit off anywhere is another tree.
        assertFalse(tree.verify(keys[index] ^ bytes32(1 << (bit % 256)), amounts[index], proof, root, total));
        assertFalse(tree.verify(keys[index], amounts[index] ^ (1 << (bit % 96)), proof, root, total));
        assertFalse(tree.verify(keys[index], amounts[index], proof, root ^ bytes32(1 << (bit % 256)), total));
        assertFalse(tree.verify(keys[index], amounts[index], proof, root, total + 1));
        proof.count += 1;
        assertFalse(tree.verify(keys[index], amounts[index], proof, root, total));
    }

    function _leaves(uint256 seed, uint256 count) private pure returns (bytes32[] memory keys, uint256[] memory amounts) {
        (keys, amounts) = (new bytes32[](count), new uint256[](count));
        for (uint256 i = 0; i < count; ++i) {
            keys[i] = keccak256(abi.encode(seed, i));
            amounts[i] = uint256(keccak256(abi.encode(i, seed))) >> 160;
        }
    }

    function _prove(bytes32[] memory keys, uint256[] memory amounts, uint256 index)
        private
        pure
        returns (OpenSumTree.SumProof memory proof, bytes32 root, uint256 total)
    {
        OpenSumTree.Node[] memory level = new OpenSumTree.Node[](keys.length);
        for (uint256 i = 0; i < keys.length; ++i) {
            level[i] = OpenSumTree.Node(OpenSumTree.leafHash(keys[i], amounts[i]), amounts[i]);
        }
        OpenSumTree.Node[] memory path = new OpenSumTree.Node[](64);
        uint256 used = 0;
        uint256 place = index;
        while (level.length > 1) {
            if (place ^ 1 < level.length) path[used++] = level[place ^ 1];
            level = _above(level);
            place >>= 1;
        }
        proof.index = index;
        proof.count = keys.length;
        proof.path = new OpenSumTree.Node[](used);
        for (uint256 i = 0; i < used; ++i) {
            proof.path[i] = path[i];
        }
        total = level[0].sum;
        root = OpenSumTree.recordHash(level[0].digest, keys.length, total);
    }

    function _above(OpenSumTree.Node[] memory below) private pure returns (OpenSumTree.Node[] memory level) {
        level = new OpenSumTree.Node[]((below.length + 1) / 2);
        for (uint256 i = 0; i < level.length; ++i) {
            if (2 * i + 1 == below.length) {
                level[i] = below[2 * i];
                continue;
            }
            OpenSumTree.Node memory left = below[2 * i];
            OpenSumTree.Node memory right = below[2 * i + 1];
            bytes32 digest = keccak256(
                abi.encode(keccak256("openledger.sum_node"), left.digest, left.sum, right.digest, right.sum)
            );
            level[i] = OpenSumTree.Node(digest, left.sum + right.sum);
        }
    }
}
