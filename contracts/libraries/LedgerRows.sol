// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

import {OpenSumTree} from "./OpenSumTree.sol";

/// @title What proven rows of a recorded tree say: an amount, or bounds of what an account's rows sum to.
/// @dev Every tree of the ledger is a list of rows, strictly ascending by two words: lines by (earner, requestId),
/// entries by (earner, node), cumulative amounts by (account, 0). Wherever rows ascend, all rows between two of an
/// account are its own (`least`), all rows of an account lie between a smaller and a larger one (`most`), and what stands
/// left of a row belongs to accounts not larger than its own (`leastUpTo`, `mostUpTo`).
/// Python twin: protocol/ledger_faults.py.
library LedgerRows {
    bytes32 internal constant TAG_LINE = keccak256("openledger.line");
    bytes32 internal constant TAG_ENTRY_LEAF = keccak256("openledger.entry_leaf");

    enum Tree {
        Lines,
        Entries,
        Cumulative
    }

    /// @dev A row and its proof; a proof of count 0 says that there is no leaf.
    struct Leaf {
        bytes32 major;
        bytes32 minor;
        uint256 amount;
        OpenSumTree.SumProof proof;
    }

    /// @dev One leaf that is there, in `left`; or the two neighbours of one that is not, of which an edge lacks one.
    struct Pair {
        Leaf left;
        Leaf right;
    }

    /// @dev A tree as recorded: which one, its root, and the total that the record gives it; 0 where nobody asks, since
    /// no recorded total is 0.
    struct Recorded {
        Tree tree;
        bytes32 root;
        uint256 total;
    }

    /// @notice The leaf does not stand in that tree, or the tree has not the recorded total.
    error LedgerRowsNotInTree(Tree tree, bytes32 major, bytes32 minor, uint256 index);
    /// @notice The leaves are not the row of these words, nor the neighbours of its gap.
    error LedgerRowsNotShown(Tree tree, bytes32 major, bytes32 minor);
    /// @notice The leaves do not bound the rows of `major`.
    error LedgerRowsBadRange(Tree tree, bytes32 major);

    function isGiven(Leaf calldata leaf) internal pure returns (bool) {
        return leaf.proof.count != 0;
    }

    /// @dev Accounts are keyed by themselves; a minor word would not be bound, so it must be zero.
    function keyOf(Tree tree, Leaf calldata leaf) internal pure returns (bytes32) {
        if (tree == Tree.Cumulative) {
            require(leaf.minor == 0, LedgerRowsNotInTree(tree, leaf.major, leaf.minor, leaf.proof.index));
            return leaf.major;
        }
        return keccak256(abi.encode(tree == Tree.Lines ? TAG_LINE : TAG_ENTRY_LEAF, leaf.major, leaf.minor));
    }

    /// @dev Reverts unless the leaf stands in the tree; returns the sum of all leaves left of it.
    function check(Recorded memory recorded, Leaf calldata leaf) internal pure returns (uint256) {
        (bool fits, bytes32 root, uint256 total, uint256 before) =
            OpenSumTree.walk(keyOf(recorded.tree, leaf), leaf.amount, leaf.proof);
        require(
            fits && root == recorded.root && (recorded.total == 0 || total == recorded.total),
            LedgerRowsNotInTree(recorded.tree, leaf.major, leaf.minor, leaf.proof.index)
        );
        return before;
    }

    /// @dev Whether (major, minor) of `a` comes before that of `b`.
    function isBefore(Leaf calldata a, bytes32 major, bytes32 minor) internal pure returns (bool) {
        return a.major < major || (a.major == major && a.minor < minor);
    }

    /// @dev The amount of the row (major, minor); zero where `pair` shows that there is none.
    function amountOf(Recorded memory recorded, bytes32 major, bytes32 minor, Pair calldata pair)
        internal
        pure
        returns (uint256)
    {
        bool hasLeft = isGiven(pair.left);
        bool hasRight = isGiven(pair.right);
        if (hasLeft) check(recorded, pair.left);
        if (hasRight) check(recorded, pair.right);
        if (hasLeft && pair.left.major == major && pair.left.minor == minor) return pair.left.amount;
        bool isGap;
        if (!hasLeft && !hasRight) {
            isGap = recorded.root == 0;
        } else {
            uint256 place = hasLeft ? pair.left.proof.index + 1 : 0;
            isGap = (!hasLeft || isBefore(pair.left, major, minor))
                && (hasRight
                    ? _isAfter(pair.right, major, minor) && pair.right.proof.index == place
                    : place == pair.left.proof.count);
        }
        require(isGap, LedgerRowsNotShown(recorded.tree, major, minor));
        return 0;
    }

    /// @dev What the rows from `first` to `last`, both of `major`, sum to; without `last`, `first` alone.
    function least(Recorded memory recorded, bytes32 major, Leaf calldata first, Leaf calldata last)
        internal
        pure
        returns (uint256)
    {
        uint256 start = check(recorded, first);
        require(first.major == major, LedgerRowsBadRange(recorded.tree, major));
        if (!isGiven(last)) return first.amount;
        uint256 end = check(recorded, last) + last.amount;
        require(
            last.major == major && first.proof.index <= last.proof.index, LedgerRowsBadRange(recorded.tree, major)
        );
        return end - start;
    }

    /// @dev What the rows between `before` and `beyond` sum to; each may be left out, which means the edge.
    function most(Recorded memory recorded, bytes32 major, Leaf calldata before, Leaf calldata beyond)
        internal
        pure
        returns (uint256)
    {
        require(!isGiven(before) || before.major != major, LedgerRowsBadRange(recorded.tree, major));
        uint256 start = leastUpTo(recorded, major, before);
        uint256 end = mostUpTo(recorded, major, beyond);
        // Where rows do not ascend, the larger account may stand left of the smaller one.
        require(start <= end, LedgerRowsBadRange(recorded.tree, major));
        return end - start;
    }

    /// @dev A sum that the rows of all accounts up to `major` reach: everything up to one of them, or nothing.
    function leastUpTo(Recorded memory recorded, bytes32 major, Leaf calldata leaf) internal pure returns (uint256) {
        if (!isGiven(leaf)) return 0;
        require(leaf.major <= major, LedgerRowsBadRange(recorded.tree, major));
        return check(recorded, leaf) + leaf.amount;
    }

    /// @dev A sum that they do not pass: everything before a larger account, or all.
    function mostUpTo(Recorded memory recorded, bytes32 major, Leaf calldata leaf) internal pure returns (uint256) {
        if (!isGiven(leaf)) return recorded.total;
        require(leaf.major > major, LedgerRowsBadRange(recorded.tree, major));
        return check(recorded, leaf);
    }

    function _isAfter(Leaf calldata a, bytes32 major, bytes32 minor) private pure returns (bool) {
        return a.major > major || (a.major == major && a.minor > minor);
    }
}
