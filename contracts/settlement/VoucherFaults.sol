// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {IEpochSettlement} from "../interfaces/IEpochSettlement.sol";
import {IInferenceGateway} from "../interfaces/IInferenceGateway.sol";
import {INodeStaking} from "../interfaces/INodeStaking.sol";
import {IPaymentChannels} from "../interfaces/IPaymentChannels.sol";
import {IProtocolParameters} from "../interfaces/IProtocolParameters.sol";
import {IVoucherFaults} from "../interfaces/IVoucherFaults.sol";
import {EarnerAccounts} from "../libraries/EarnerAccounts.sol";
import {LedgerRows} from "../libraries/LedgerRows.sol";
import {OpenSumTree} from "../libraries/OpenSumTree.sol";
import {Receipt, ReceiptHash} from "../libraries/ReceiptHash.sol";
import {Voucher, VoucherHash} from "../libraries/VoucherHash.sol";
import {FaultJudge} from "./FaultJudge.sol";

/// @title Judge of the receipts that statements hold. Every fault here is the stating node's.
contract VoucherFaults is IVoucherFaults, FaultJudge {
    using LedgerRows for LedgerRows.Recorded;

    bytes32 private constant RECEIPT = keccak256("openledger.fault_receipt");
    bytes32 private constant PAYMENT = keccak256("openledger.fault_payment");
    bytes32 private constant VOUCHER = keccak256("openledger.fault_voucher");
    bytes32 private constant TREASURY = keccak256("treasury");

    IPaymentChannels public immutable channels;
    IInferenceGateway public immutable gateway;

    constructor(
        INodeStaking staking_,
        IEpochSettlement settlement_,
        IProtocolParameters parameters_,
        IPaymentChannels channels_,
        IInferenceGateway gateway_
    ) FaultJudge(staking_, settlement_, parameters_) {
        channels = channels_;
        gateway = gateway_;
    }

    /// @inheritdoc IVoucherFaults
    function proveReceipt(uint64 epoch, address node, StatedReceipt calldata stated) external {
        bytes32 digest = _checkStated(epoch, node, stated);
        Receipt calldata receipt = stated.receipt;
        bool isSound = receipt.node == node && stated.amount == receipt.price && receipt.seq != 0
            && receipt.cumulative >= receipt.price && (receipt.seq != 1 || receipt.cumulative == receipt.price)
            && receipt.parametersVersion != 0 && receipt.parametersVersion <= parameters.version();
        require(!isSound, VoucherFaultsSoundReceipt(digest));
        _punishStatement(epoch, node, RECEIPT);
    }

    /// @inheritdoc IVoucherFaults
    function proveReceiptOrder(
        uint64 epoch,
        address node,
        StatedReceipt calldata first,
        StatedReceipt calldata second
    ) external {
        _checkStated(epoch, node, first);
        _checkStated(epoch, node, second);
        require(
            second.proof.index == first.proof.index + 1,
            VoucherFaultsNotAdjacent(first.proof.index, second.proof.index)
        );
        Receipt calldata a = first.receipt;
        Receipt calldata b = second.receipt;
        bool ascends = a.channelId < b.channelId || (a.channelId == b.channelId && a.seq < b.seq);
        require(!ascends, VoucherFaultsAscending(b.channelId, a.seq, b.seq));
        _punishStatement(epoch, node, RECEIPT);
    }

    /// @inheritdoc IVoucherFaults
    function proveReceiptConflict(
        uint64 epoch,
        address node,
        StatedReceipt calldata first,
        StatedReceipt calldata second
    ) external {
        _checkStated(epoch, node, first);
        _checkStated(epoch, node, second);
        Receipt calldata a = first.receipt;
        Receipt calldata b = second.receipt;
        // One leaf shown twice is one receipt.
        bool conflict = first.proof.index < second.proof.index && (a.requestId == b.requestId || _breaksSum(a, b));
        require(conflict, VoucherFaultsNoConflict(a.requestId, b.requestId));
        _punishStatement(epoch, node, RECEIPT);
    }

    /// @inheritdoc IVoucherFaults
    function proveOverpaid(
        uint64 epoch,
        address node,
        StatedReceipt calldata stated,
        LedgerRows.Leaf[] calldata lines
    ) external {
        uint256 paid = _sumOf(_checkPayment(epoch, node, stated), stated.receipt.requestId, lines);
        uint256 price = stated.receipt.price;
        require(paid > price, VoucherFaultsPaidWithinPrice(paid, price));
        _punishStatement(epoch, node, PAYMENT);
    }

    /// @inheritdoc IVoucherFaults
    function proveUnderpaid(
        uint64 epoch,
        address node,
        StatedReceipt calldata stated,
        Role role,
        LedgerRows.Pair calldata line,
        LedgerRows.Leaf[] calldata lines
    ) external {
        LedgerRows.Recorded memory recorded = _checkPayment(epoch, node, stated);
        (bytes32 account, uint256 ppm) = _part(role, stated.receipt);
        for (uint256 i = 0; i < lines.length; ++i) {
            require(lines[i].major != account, VoucherFaultsBadLine(i));
        }
        bytes32 request = stated.receipt.requestId;
        uint256 amount = recorded.amountOf(account, request, line);
        uint256 paid = amount + _sumOf(recorded, request, lines);
        // What was paid is at least this much, and a part is at least the floor of its share of what was paid.
        uint256 least = Math.mulDiv(paid, ppm, TOTAL_PPM);
        require(amount < least, VoucherFaultsPartPaid(amount, least));
        _punishStatement(epoch, node, PAYMENT);
    }

    /// @inheritdoc IVoucherFaults
    function proveVoucher(
        uint64 epoch,
        address node,
        StatedReceipt calldata stated,
        Voucher calldata voucher,
        Acknowledged calldata leaf
    ) external {
        bytes32 digest = _checkStated(epoch, node, stated);
        bytes32 id = stated.receipt.channelId;
        bytes32 voucherHash = VoucherHash.hashVoucher(voucher);
        require(
            voucher.channelId == id && channels.lastVoucher(id) == voucherHash,
            VoucherFaultsNotLastVoucher(id, voucherHash)
        );
        // A voucher that was claimed moved money, which an empty tree acknowledges none of.
        bool isFault = stated.receipt.seq > voucher.receiptCount || voucher.receiptsRoot == 0
            || _contradicts(voucher, leaf, stated.receipt, digest);
        require(isFault, VoucherFaultsAcknowledged(id, stated.receipt.seq));
        _punishStatement(epoch, node, VOUCHER);
    }

    /// @inheritdoc IVoucherFaults
    function proveUnpaid(uint64 epoch, address node, StatedReceipt calldata stated) external {
        bytes32 digest = _checkStated(epoch, node, stated);
        bytes32 id = stated.receipt.channelId;
        (, address payee,,,,) = channels.getChannel(id);
        bool isPaid = payee == node && channels.lastVoucher(id) != 0;
        if (!isPaid) {
            (, bytes32 answer,) = gateway.resultOf(id);
            isPaid = answer == digest;
        }
        require(!isPaid, VoucherFaultsPaidFor(id));
        _punishStatement(epoch, node, VOUCHER);
    }

    /// @dev Reverts unless the statement holds the receipt; returns the receipt's hash.
    function _checkStated(uint64 epoch, address node, StatedReceipt calldata stated) private view returns (bytes32) {
        return _checkUnder(settlement.getStatement(epoch, node).receiptsRoot, epoch, node, stated);
    }

    /// @dev The same; returns the statement's lines.
    function _checkPayment(uint64 epoch, address node, StatedReceipt calldata stated)
        private
        view
        returns (LedgerRows.Recorded memory)
    {
        IEpochSettlement.Statement memory statement = settlement.getStatement(epoch, node);
        _checkUnder(statement.receiptsRoot, epoch, node, stated);
        return LedgerRows.Recorded(LedgerRows.Tree.Lines, statement.root, statement.total);
    }

    function _checkUnder(bytes32 receiptsRoot, uint64 epoch, address node, StatedReceipt calldata stated)
        private
        pure
        returns (bytes32 digest)
    {
        digest = ReceiptHash.hashStruct(stated.receipt);
        (bool fits, bytes32 root,) = OpenSumTree.climb(digest, stated.amount, stated.proof);
        require(fits && root == receiptsRoot, VoucherFaultsNotStated(epoch, node, digest));
    }

    function _part(Role role, Receipt calldata receipt) private view returns (bytes32 account, uint256 ppm) {
        uint64 version = receipt.parametersVersion;
        IProtocolParameters.Split memory split = parameters.splitAt(version);
        if (role == Role.Burn) return (EarnerAccounts.leafKey(EarnerAccounts.BURN), split.burn);
        if (role == Role.Treasury) return (bytes32(parameters.valueAt(TREASURY, version)), split.treasury);
        return (EarnerAccounts.leafKey(EarnerAccounts.stakersOf(receipt.node)), split.stakers);
    }

    /// @dev The sum of different lines of one request.
    function _sumOf(LedgerRows.Recorded memory recorded, bytes32 request, LedgerRows.Leaf[] calldata lines)
        private
        pure
        returns (uint256 sum)
    {
        uint256 next = 0;
        for (uint256 i = 0; i < lines.length; ++i) {
            uint256 place = lines[i].proof.index;
            require(lines[i].minor == request && place >= next, VoucherFaultsBadLine(i));
            recorded.check(lines[i]);
            sum += lines[i].amount;
            next = place + 1;
        }
    }

    function _breaksSum(Receipt calldata a, Receipt calldata b) private pure returns (bool) {
        if (a.channelId != b.channelId || a.seq >= b.seq) return false;
        uint256 upTo = uint256(a.cumulative) + b.price;
        // Between places that are not neighbours others may have been paid, so only a lower bound is known.
        return b.cumulative < upTo || (b.seq - a.seq == 1 && b.cumulative != upTo);
    }

    function _contradicts(
        Voucher calldata voucher,
        Acknowledged calldata leaf,
        Receipt calldata receipt,
        bytes32 digest
    ) private pure returns (bool) {
        (bool fits, bytes32 root, uint256 total, uint256 before) =
            OpenSumTree.walk(leaf.key, leaf.amount, leaf.proof);
        if (!fits || root != voucher.receiptsRoot) return false;
        if (total != voucher.cumulative || leaf.proof.count != voucher.receiptCount) return true;
        if (leaf.proof.index + 1 != receipt.seq) return false;
        return leaf.key != digest || leaf.amount != receipt.price || before + receipt.price != receipt.cumulative;
    }
}
