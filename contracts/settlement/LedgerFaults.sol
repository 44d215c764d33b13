// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

import {IEpochSettlement} from "../interfaces/IEpochSettlement.sol";
import {ILedgerFaults} from "../interfaces/ILedgerFaults.sol";
import {INodeStaking} from "../interfaces/INodeStaking.sol";
import {IProtocolParameters} from "../interfaces/IProtocolParameters.sol";
import {LedgerRows} from "../libraries/LedgerRows.sol";
import {OpenSumTree} from "../libraries/OpenSumTree.sol";
import {FaultJudge} from "./FaultJudge.sol";

/// @title Judge of the ledger's trees. Each proof reads roots from the settlement and leaves from its caller.
contract LedgerFaults is ILedgerFaults, FaultJudge {
    using LedgerRows for LedgerRows.Recorded;

    bytes32 private constant TOTAL = keccak256("openledger.fault_ledger_total");
    bytes32 private constant ORDER = keccak256("openledger.fault_ledger_order");
    bytes32 private constant ROW = keccak256("openledger.fault_ledger_row");
    bytes32 private constant ENTRY = keccak256("openledger.fault_ledger_entry");
    bytes32 private constant CUMULATIVE = keccak256("openledger.fault_ledger_cumulative");

    /// @dev A commitment's two trees, and the cumulative one that it builds on.
    struct Committed {
        LedgerRows.Recorded entries;
        LedgerRows.Recorded cumulative;
        LedgerRows.Recorded previous;
    }

    constructor(INodeStaking staking_, IEpochSettlement settlement_, IProtocolParameters parameters_)
        FaultJudge(staking_, settlement_, parameters_)
    {}

    /// @inheritdoc ILedgerFaults
    function proveTotal(uint64 epoch, address node, LedgerRows.Tree tree, LedgerRows.Leaf calldata leaf)
        external
    {
        LedgerRows.Recorded memory recorded = _recorded(epoch, node, tree);
        (uint256 count, uint256 total) = (0, 0);
        if (recorded.root != 0) {
            (bool fits, bytes32 root, uint256 sum) =
                OpenSumTree.climb(LedgerRows.keyOf(tree, leaf), leaf.amount, leaf.proof);
            require(fits && root == recorded.root, LedgerFaultsRootNotOpened(recorded.root));
            (count, total) = (leaf.proof.count, sum);
        }
        bool agrees = total == recorded.total;
        if (tree == LedgerRows.Tree.Lines) agrees = agrees && count == settlement.getStatement(epoch, node).count;
        require(!agrees, LedgerFaultsTotalsAgree(count, total));
        _punishFor(epoch, node, tree, TOTAL);
    }

    /// @inheritdoc ILedgerFaults
    function proveOrder(
        uint64 epoch,
        address node,
        LedgerRows.Tree tree,
        LedgerRows.Leaf calldata first,
        LedgerRows.Leaf calldata second
    ) external {
        LedgerRows.Recorded memory recorded = _recorded(epoch, node, tree);
        recorded.check(first);
        recorded.check(second);
        (uint256 a, uint256 b) = (first.proof.index, second.proof.index);
        require(b == a + 1, LedgerFaultsNotAdjacent(a, b));
        require(!LedgerRows.isBefore(first, second.major, second.minor), LedgerFaultsAscending(a, b));
        _punishFor(epoch, node, tree, ORDER);
    }

    /// @inheritdoc ILedgerFaults
    function proveRow(uint64 epoch, address node, LedgerRows.Tree tree, LedgerRows.Leaf calldata leaf)
        external
    {
        _recorded(epoch, node, tree).check(leaf);
        bool isSound = leaf.amount != 0 && _isAccount(leaf.major)
            && (tree != LedgerRows.Tree.Entries || _isAccount(leaf.minor));
        require(!isSound, LedgerFaultsSoundRow(leaf.major, leaf.minor, leaf.amount));
        _punishFor(epoch, node, tree, ROW);
    }

    /// @inheritdoc ILedgerFaults
    function proveEntryLow(
        uint64 epoch,
        address earner,
        address node,
        LedgerRows.Pair calldata entry,
        LedgerRows.Leaf calldata first,
        LedgerRows.Leaf calldata last
    ) external {
        uint256 amount = _entriesOf(epoch).amountOf(_word(earner), _word(node), entry);
        uint256 bound = _linesOf(epoch, node).least(_word(earner), first, last);
        require(amount < bound, LedgerFaultsWithinBound(amount, bound));
        _punishCommitment(epoch, ENTRY);
    }

    /// @inheritdoc ILedgerFaults
    function proveEntryHigh(
        uint64 epoch,
        LedgerRows.Leaf calldata entry,
        LedgerRows.Leaf calldata before,
        LedgerRows.Leaf calldata beyond
    ) external {
        _entriesOf(epoch).check(entry);
        // An entry of what is no node is `proveRow`'s; cut to an address it could pass for a node's.
        require(_isAccount(entry.minor), LedgerRows.LedgerRowsBadRange(LedgerRows.Tree.Lines, entry.major));
        address node = address(uint160(uint256(entry.minor)));
        uint256 bound = _linesOf(epoch, node).most(entry.major, before, beyond);
        require(entry.amount > bound, LedgerFaultsWithinBound(entry.amount, bound));
        _punishCommitment(epoch, ENTRY);
    }

    /// @inheritdoc ILedgerFaults
    function proveCumulativeLow(
        uint64 epoch,
        bytes32 account,
        LedgerRows.Leaf calldata cumulative,
        LedgerRows.Leaf calldata previous,
        LedgerRows.Leaf calldata entry
    ) external {
        Committed memory committed = _committed(epoch);
        uint256 amount = committed.cumulative.mostUpTo(account, cumulative);
        uint256 bound =
            committed.previous.leastUpTo(account, previous) + committed.entries.leastUpTo(account, entry);
        require(amount < bound, LedgerFaultsWithinBound(amount, bound));
        _punishCommitment(epoch, CUMULATIVE);
    }

    /// @inheritdoc ILedgerFaults
    function proveCumulativeHigh(
        uint64 epoch,
        bytes32 account,
        LedgerRows.Leaf calldata cumulative,
        LedgerRows.Leaf calldata previous,
        LedgerRows.Leaf calldata entry
    ) external {
        Committed memory committed = _committed(epoch);
        uint256 amount = committed.cumulative.leastUpTo(account, cumulative);
        uint256 bound = committed.previous.mostUpTo(account, previous) + committed.entries.mostUpTo(account, entry);
        require(amount > bound, LedgerFaultsWithinBound(amount, bound));
        _punishCommitment(epoch, CUMULATIVE);
    }

    function _punishFor(uint64 epoch, address node, LedgerRows.Tree tree, bytes32 kind) private {
        if (tree == LedgerRows.Tree.Lines) _punishStatement(epoch, node, kind);
        else _punishCommitment(epoch, kind);
    }

    function _recorded(uint64 epoch, address node, LedgerRows.Tree tree)
        private
        view
        returns (LedgerRows.Recorded memory)
    {
        if (tree == LedgerRows.Tree.Lines) {
            LedgerRows.Recorded memory lines = _linesOf(epoch, node);
            // What was stated is never nothing, so a total of zero is no statement, or a void one.
            require(lines.total != 0, LedgerFaultsNothingRecorded(epoch, tree, node));
            return lines;
        }
        require(node == address(0), LedgerFaultsNothingRecorded(epoch, tree, node));
        Committed memory committed = _committed(epoch);
        return tree == LedgerRows.Tree.Entries ? committed.entries : committed.cumulative;
    }

    /// @dev All zero, thus without lines, where the node stated nothing or its statement is void.
    function _linesOf(uint64 epoch, address node) private view returns (LedgerRows.Recorded memory lines) {
        IEpochSettlement.Statement memory statement = settlement.getStatement(epoch, node);
        if (!statement.voided) (lines.root, lines.total) = (statement.root, statement.total);
    }

    /// @dev Without the total, which would cost reading the previous commitment as well.
    function _entriesOf(uint64 epoch) private view returns (LedgerRows.Recorded memory) {
        IEpochSettlement.CommitmentRecord memory record = settlement.getCommitment(epoch);
        require(record.committedAt != 0, LedgerFaultsNothingRecorded(epoch, LedgerRows.Tree.Entries, address(0)));
        return LedgerRows.Recorded(LedgerRows.Tree.Entries, record.entryRoot, 0);
    }

    function _committed(uint64 epoch) private view returns (Committed memory) {
        IEpochSettlement.CommitmentRecord memory now_ = settlement.getCommitment(epoch);
        require(
            now_.committedAt != 0, LedgerFaultsNothingRecorded(epoch, LedgerRows.Tree.Cumulative, address(0))
        );
        IEpochSettlement.CommitmentRecord memory old = settlement.previousCommitment(epoch);
        return Committed(
            LedgerRows.Recorded(LedgerRows.Tree.Entries, now_.entryRoot, now_.total - old.total),
            LedgerRows.Recorded(LedgerRows.Tree.Cumulative, now_.cumRoot, now_.total),
            LedgerRows.Recorded(LedgerRows.Tree.Cumulative, old.cumRoot, old.total)
        );
    }

    function _word(address account) private pure returns (bytes32) {
        return bytes32(uint256(uint160(account)));
    }

    function _isAccount(bytes32 word) private pure returns (bool) {
        return uint256(word) <= type(uint160).max;
    }
}
