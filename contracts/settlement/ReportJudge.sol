// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

import {IContributionLedger} from "../interfaces/IContributionLedger.sol";
import {IDatanetRegistry} from "../interfaces/IDatanetRegistry.sol";
import {IEpochSettlement} from "../interfaces/IEpochSettlement.sol";
import {IModelRegistry} from "../interfaces/IModelRegistry.sol";
import {INodeStaking} from "../interfaces/INodeStaking.sol";
import {IProtocolParameters} from "../interfaces/IProtocolParameters.sol";
import {IReportJudge} from "../interfaces/IReportJudge.sol";
import {LaneLists} from "../libraries/LaneLists.sol";
import {OpenMerkle} from "../libraries/OpenMerkle.sol";
import {OpenSumTree} from "../libraries/OpenSumTree.sol";
import {ReceiptHash} from "../libraries/ReceiptHash.sol";
import {Row, RowHash} from "../libraries/RowHash.sol";
import {FaultJudge} from "./FaultJudge.sol";

/// @title Base of the judges of attribution reports.
abstract contract ReportJudge is IReportJudge, FaultJudge {
    struct Links {
        INodeStaking staking;
        IEpochSettlement settlement;
        IProtocolParameters parameters;
        IModelRegistry models;
        IDatanetRegistry datanets;
        IContributionLedger contributions;
    }

    IModelRegistry public immutable models;
    IDatanetRegistry public immutable datanets;
    IContributionLedger public immutable contributions;
    /// @dev A revocation binds requests made this long after it: a node cannot know at once what the chain will say.
    uint64 private immutable _notice;

    constructor(Links memory links) FaultJudge(links.staking, links.settlement, links.parameters) {
        (models, datanets, contributions) = (links.models, links.datanets, links.contributions);
        _notice = links.settlement.epochLength();
    }

    /// @dev The statement itself is checked when it is voided.
    function _checkStated(Stated calldata stated) internal view {
        address node = stated.receipt.node;
        bytes32 receiptsRoot = settlement.getStatement(stated.epoch, node).receiptsRoot;
        (bool fits, bytes32 root,) =
            OpenSumTree.climb(ReceiptHash.hashStruct(stated.receipt), stated.receipt.price, stated.place);
        require(fits && root == receiptsRoot, ReportJudgeNotStated(stated.epoch, node));
        bytes32 opened = LaneLists.reportRoot(
            stated.entriesRoot, stated.gradientHash, stated.spanHash, stated.retrievalHash, stated.influenceHash
        );
        require(
            opened == stated.receipt.attributionRoot, ReportJudgeNotTheReport(opened, stated.receipt.attributionRoot)
        );
    }

    function _checkList(uint256[] calldata words, bytes32 expected) internal pure {
        bytes32 opened = LaneLists.laneHash(words);
        require(opened == expected, ReportJudgeNotTheList(opened, expected));
    }

    function _checkRow(Row calldata row, OpenMerkle.Proof calldata proof, uint256 index, bytes32 rowsRoot)
        internal
        pure
    {
        bool isThere = proof.index == index && OpenMerkle.verify(RowHash.version(row), proof, rowsRoot);
        require(isThere, ReportJudgeNotProven());
    }

    /// @dev Whether a row has been under revocation, without a break, since long enough before the request.
    function _wasRevoked(Stated calldata stated, bytes32 digest) internal view returns (bool) {
        uint64 since = contributions.revokedAt(stated.receipt.datanetVersionKey >> 64, digest);
        return since != 0 && since + _notice <= stated.receipt.requestedAt;
    }

    function _punish(Stated calldata stated, bytes32 kind) internal {
        _punishStatement(stated.epoch, stated.receipt.node, kind);
    }
}
