// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

import {LedgerRows} from "../libraries/LedgerRows.sol";
import {OpenSumTree} from "../libraries/OpenSumTree.sol";
import {Receipt} from "../libraries/ReceiptHash.sol";
import {Voucher} from "../libraries/VoucherHash.sol";

/// @title Objective faults of a statement's receipts: by themselves, against its lines, against vouchers (F5, F6, F8).
/// @notice A statement's receipts ascend by (channelId, seq); each was paid for by a voucher that its node claimed, or by
/// a request at the gateway. A node claims only vouchers that acknowledge its own receipts, so what a payer signed
/// wrongly never convicts it. Python twin: protocol/receipt_faults.py.
interface IVoucherFaults {
    /// @dev Whose account follows from a receipt.
    enum Role {
        Burn,
        Treasury,
        Stakers
    }

    /// @dev A receipt, the amount of its leaf (an honest one's price) and its place among the statement's receipts.
    struct StatedReceipt {
        Receipt receipt;
        uint256 amount;
        OpenSumTree.SumProof proof;
    }

    /// @dev A leaf of the tree that a voucher acknowledges; where the receipt's own place differs, the leaf there.
    struct Acknowledged {
        bytes32 key;
        uint256 amount;
        OpenSumTree.SumProof proof;
    }

    error VoucherFaultsNotStated(uint64 epoch, address node, bytes32 receiptHash);
    error VoucherFaultsSoundReceipt(bytes32 receiptHash);
    error VoucherFaultsNotAdjacent(uint256 first, uint256 second);
    error VoucherFaultsAscending(bytes32 channelId, uint64 first, uint64 second);
    error VoucherFaultsNoConflict(bytes32 requestIdA, bytes32 requestIdB);
    /// @notice A line of another request, of the role's own account, or out of order.
    error VoucherFaultsBadLine(uint256 place);
    error VoucherFaultsPaidWithinPrice(uint256 paid, uint256 price);
    error VoucherFaultsPartPaid(uint256 amount, uint256 least);
    error VoucherFaultsNotLastVoucher(bytes32 channelId, bytes32 voucherHash);
    error VoucherFaultsAcknowledged(bytes32 channelId, uint64 seq);
    error VoucherFaultsPaidFor(bytes32 channelId);

    /// @notice A receipt that is wrong by itself: another node's, at an amount other than its price, without a place, with
    /// a cumulative price that its own contradicts, or by rules that there are not.
    function proveReceipt(uint64 epoch, address node, StatedReceipt calldata stated) external;

    /// @notice Two neighbouring receipts that do not ascend by (channelId, seq).
    function proveReceiptOrder(
        uint64 epoch,
        address node,
        StatedReceipt calldata first,
        StatedReceipt calldata second
    ) external;

    /// @notice Two receipts for one request; or two of a channel whose cumulative prices do not add up.
    function proveReceiptConflict(
        uint64 epoch,
        address node,
        StatedReceipt calldata first,
        StatedReceipt calldata second
    ) external;

    /// @notice Lines of a receipt's request, in order, that together pay more than its price.
    function proveOverpaid(
        uint64 epoch,
        address node,
        StatedReceipt calldata stated,
        LedgerRows.Leaf[] calldata lines
    ) external;

    /// @notice A role's line of a request, or its absence, below the role's part of what this and other `lines` of the
    /// request show was paid, by the split at the receipt's version of the parameters.
    function proveUnderpaid(
        uint64 epoch,
        address node,
        StatedReceipt calldata stated,
        Role role,
        LedgerRows.Pair calldata line,
        LedgerRows.Leaf[] calldata lines
    ) external;

    /// @notice A receipt that its channel's last claimed voucher does not acknowledge as it stands: it lies beyond it,
    /// differs from what is at its place, has another sum before it; or the voucher's tree is not what the voucher says.
    function proveVoucher(
        uint64 epoch,
        address node,
        StatedReceipt calldata stated,
        Voucher calldata voucher,
        Acknowledged calldata leaf
    ) external;

    /// @notice A receipt of a channel of another node's, or from which no voucher was ever claimed, and which is not the
    /// answer to a request at the gateway either.
    function proveUnpaid(uint64 epoch, address node, StatedReceipt calldata stated) external;
}
