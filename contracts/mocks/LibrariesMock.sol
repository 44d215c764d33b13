// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

import {EarnerAccounts} from "../libraries/EarnerAccounts.sol";
import {InfluenceLists, Section} from "../libraries/InfluenceLists.sol";
import {Labour, LabourHash} from "../libraries/LabourHash.sol";
import {Flaw, LaneLists, Match} from "../libraries/LaneLists.sol";
import {OpenMerkle} from "../libraries/OpenMerkle.sol";
import {OpenSumTree} from "../libraries/OpenSumTree.sol";
import {Receipt, ReceiptHash} from "../libraries/ReceiptHash.sol";
import {Lists, ReportShares, Share} from "../libraries/ReportShares.sol";
import {Row, RowHash} from "../libraries/RowHash.sol";
import {ScoreMath} from "../libraries/ScoreMath.sol";
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

    function reportRoot(
        bytes32 entriesRoot,
        bytes32 gradientHash,
        bytes32 spanHash,
        bytes32 retrievalHash,
        bytes32 influenceHash
    ) external pure returns (bytes32) {
        return LaneLists.reportRoot(entriesRoot, gradientHash, spanHash, retrievalHash, influenceHash);
    }

    function influenceFlaw(uint256[] calldata words) external pure returns (Flaw) {
        return InfluenceLists.flawOf(words);
    }

    function influenceSection(uint256[] calldata words, uint256 number)
        external
        pure
        returns (bool isThere, Section memory one)
    {
        return InfluenceLists.sectionAt(words, number);
    }

    function indexDigest(uint256[] calldata words) external pure returns (bytes32) {
        return InfluenceLists.indexDigest(words);
    }

    function unitsFollow(uint256[] calldata words, uint256[] calldata gradient) external pure returns (bool) {
        return InfluenceLists.unitsFollow(words, gradient);
    }

    function unitsAt(uint256[] calldata words, uint256 place) external pure returns (uint256) {
        (, Section memory one) = InfluenceLists.sectionAt(words, 0);
        return InfluenceLists.unitsAt(words, one, one.first + place);
    }

    function isOmittedRow(uint256[] calldata words, uint256 canonical, int256 score) external pure returns (bool) {
        (, Section memory one) = InfluenceLists.sectionAt(words, 0);
        return InfluenceLists.isOmission(words, one, canonical, score);
    }

    function rowScore(bytes calldata code, bytes calldata record) external pure returns (bool fits, int256 score) {
        return ScoreMath.scoreOf(code, record);
    }

    function rowRecord(bytes calldata record) external pure returns (bytes32 payload, uint256 row, bool isEarning) {
        return (ScoreMath.payload(record), ScoreMath.rowOf(record), ScoreMath.isEarning(record));
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
