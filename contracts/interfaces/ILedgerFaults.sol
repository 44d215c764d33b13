// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

import {LedgerRows} from "../libraries/LedgerRows.sol";

/// @title Objective faults of the ledger: statements' lines, commitments' entries and cumulative amounts (F5, F6).
/// @notice Every tree is a list of rows, strictly ascending by two words: lines by (earner, requestId), entries by
/// (earner, node), cumulative amounts by (account, 0). A wrong amount is shown by a bound: what some rows make at least,
/// or at most; on an honest ledger both bounds enclose the truth. A fault among lines is the stating node's, any other
/// the committer's. One transaction, no bond; a wrong proof reverts. Python twin: protocol/ledger_faults.py.
interface ILedgerFaults {
    /// @notice No statement that stands, or no commitment, to be wrong; `node` is zero except for lines.
    error LedgerFaultsNothingRecorded(uint64 epoch, LedgerRows.Tree tree, address node);
    error LedgerFaultsRootNotOpened(bytes32 root);
    error LedgerFaultsTotalsAgree(uint256 count, uint256 total);
    error LedgerFaultsNotAdjacent(uint256 first, uint256 second);
    error LedgerFaultsAscending(uint256 first, uint256 second);
    error LedgerFaultsSoundRow(bytes32 major, bytes32 minor, uint256 amount);
    /// @notice `amount` does not pass the bound that was shown for it.
    error LedgerFaultsWithinBound(uint256 amount, uint256 bound);

    /// @notice The root binds another total, or another count of lines, than was recorded. Any leaf opens the root; an
    /// empty one needs none. `node` is zero except for lines.
    function proveTotal(uint64 epoch, address node, LedgerRows.Tree tree, LedgerRows.Leaf calldata leaf) external;

    /// @notice Two neighbours that do not ascend.
    function proveOrder(
        uint64 epoch,
        address node,
        LedgerRows.Tree tree,
        LedgerRows.Leaf calldata first,
        LedgerRows.Leaf calldata second
    ) external;

    /// @notice A row of nothing, or for what is no account.
    function proveRow(uint64 epoch, address node, LedgerRows.Tree tree, LedgerRows.Leaf calldata leaf) external;

    /// @notice An entry, or its absence, below what the node's lines from `first` to `last`, both of the earner, sum to;
    /// without `last`, what `first` says.
    function proveEntryLow(
        uint64 epoch,
        address earner,
        address node,
        LedgerRows.Pair calldata entry,
        LedgerRows.Leaf calldata first,
        LedgerRows.Leaf calldata last
    ) external;

    /// @notice An entry above all that its node's lines between `before` and `beyond`, of a smaller and a larger earner
    /// or left out at the edges, sum to. A node that stated nothing, or whose statement is void, has no lines.
    function proveEntryHigh(
        uint64 epoch,
        LedgerRows.Leaf calldata entry,
        LedgerRows.Leaf calldata before,
        LedgerRows.Leaf calldata beyond
    ) external;

    /// @notice The cumulative amounts of all accounts up to `account` are below their previous ones plus their entries:
    /// they end before `cumulative`, of a larger account, while `previous` and `entry`, of accounts up to this one, are
    /// among the others. Each may be left out: the first then means all, the others nothing.
    function proveCumulativeLow(
        uint64 epoch,
        bytes32 account,
        LedgerRows.Leaf calldata cumulative,
        LedgerRows.Leaf calldata previous,
        LedgerRows.Leaf calldata entry
    ) external;

    /// @notice The cumulative amounts of all accounts up to `account` are above their previous ones plus their entries:
    /// `cumulative`, of an account up to this one, is among them, while the others end before `previous` and `entry`, of
    /// larger accounts. Each of these may be left out, and then means all.
    function proveCumulativeHigh(
        uint64 epoch,
        bytes32 account,
        LedgerRows.Leaf calldata cumulative,
        LedgerRows.Leaf calldata previous,
        LedgerRows.Leaf calldata entry
    ) external;
}
