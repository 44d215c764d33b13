// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

import {EarnerAccounts} from "../libraries/EarnerAccounts.sol";
import {Labour, LabourHash} from "../libraries/LabourHash.sol";
import {Flaw, LaneLists, Match} from "../libraries/LaneLists.sol";
import {OpenMerkle} from "../libraries/OpenMerkle.sol";
import {OpenSumTree} from "../libraries/OpenSumTree.sol";
import {Receipt, ReceiptHash} from "../libraries/ReceiptHash.sol";
import {Lists, ReportShares, Share} from "../libraries/ReportShares.sol";
import {Row, RowHash} from "../libraries/RowHash.sol";
import {Channel, Voucher, VoucherHash} from "../libraries/VoucherHash.sol";

/// @title Exposes the internal libraries, so that tests hold them to the vectors. Never deployed with the suite.
contract LibrariesMock {
    function rowPayload(Row calldata row) external pure returns (bytes32) {
        return RowHash.version(row);
    }

    function batchRow(address contributor, bytes32 digest) external pure returns (bytes32) {
        return RowHash.batch(contributor, digest);
    }

    function hashLabour(Labour calldata labour) external pure returns (bytes32) {
        return LabourHash.hashStruct(labour);
    }

    function merkleVerify(bytes32 payload, OpenMerkle.Proof calldata proof, bytes32 root) external pure returns (bool) {
        return OpenMerkle.verify(payload, proof, root);
    }

    function sumVerify(
        bytes32 key,
        uint256 amount,
        OpenSumTree.SumProof calldata proof,
        bytes32 root,
        uint256 total
    ) external pure returns (bool) {
        return OpenSumTree.verify(key, amount, proof, root, total);
    }

    function sumClimb(bytes32 key, uint256 amount, OpenSumTree.SumProof calldata proof)
        external
        pure
        returns (bool fits, bytes32 root, uint256 total, uint256 before)
    {
        return OpenSumTree.walk(key, amount, proof);
    }

    function hashReceipt(Receipt calldata receipt) external pure returns (bytes32) {
        return ReceiptHash.hashStruct(receipt);
    }

    function hashVoucher(Voucher calldata voucher) external pure returns (bytes32) {
        return VoucherHash.hashVoucher(voucher);
    }

    function hashChannel(Channel calldata channel) external pure returns (bytes32) {
        return VoucherHash.hashChannel(channel);
    }

    function stakersOf(address node) external pure returns (address) {
        return EarnerAccounts.stakersOf(node);
    }

    function leafKey(address account) external pure returns (bytes32) {
        return EarnerAccounts.leafKey(account);
    }

    function laneHash(uint256[] calldata words) external pure returns (bytes32) {
        return LaneLists.laneHash(words);
    }

    function reportRoot(bytes32 entriesRoot, bytes32 gradientHash, bytes32 spanHash, bytes32 retrievalHash)
        external
        pure
        returns (bytes32)
    {
        return LaneLists.reportRoot(entriesRoot, gradientHash, spanHash, retrievalHash);
    }

    function listsFlaw(Lists calldata lists, uint256 outputTokens) external pure returns (Flaw) {
        return ReportShares.flawOf(lists, outputTokens);
    }

    function spanFlaw(
        uint256[] calldata words,
        uint256 place,
        uint256 outputTokens,
        uint256 least,
        uint256 rowCount
    ) external pure returns (Flaw) {
        return LaneLists.spanFlaw(words, place, outputTokens, least, rowCount);
    }

    function isOmission(uint256[] calldata words, Match calldata found) external pure returns (bool) {
        return LaneLists.isOmission(words, found);
    }

    function shareAt(
        Lists calldata lists,
        ReportShares.Weights calldata weights,
        uint256 outputTokens,
        uint256 wanted
    ) external pure returns (uint256 count, Share memory share) {
        return ReportShares.shareAt(lists, weights, outputTokens, wanted);
    }
}
