// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

import {IShareFaults} from "../interfaces/IShareFaults.sol";
import {Flaw} from "../libraries/LaneLists.sol";
import {OpenMerkle} from "../libraries/OpenMerkle.sol";
import {OpenSumTree} from "../libraries/OpenSumTree.sol";
import {Lists, ReportShares, Share} from "../libraries/ReportShares.sol";
import {Row} from "../libraries/RowHash.sol";
import {ReportJudge} from "./ReportJudge.sol";

/// @title Judge of a report's entries (F3, F4). Python twin: protocol/share_faults.py.
contract ShareFaults is IShareFaults, ReportJudge {
    bytes32 private constant TAG_ENTRY = keccak256("openledger.entry");
    bytes32 private constant WRONG_ROW = keccak256("openledger.fault_wrong_row");
    bytes32 private constant WRONG_SHARES = keccak256("openledger.fault_wrong_shares");
    bytes32 private constant GRADIENT = keccak256("gradientWeight");
    bytes32 private constant SPAN = keccak256("spanWeight");
    bytes32 private constant RETRIEVAL = keccak256("retrievalWeight");

    constructor(Links memory links) ReportJudge(links) {}

    /// @inheritdoc IShareFaults
    function proveForeignRow(Stated calldata stated, Entry calldata entry) external {
        _checkStated(stated);
        _checkEntry(stated, entry);
        (, uint32 rowCount) = datanets.rowsOf(stated.receipt.datanetVersionKey);
        require(entry.lane != 0 && entry.row >= rowCount, ReportJudgeNoFault());
        _punish(stated, WRONG_ROW);
    }

    /// @inheritdoc IShareFaults
    function proveWrongRow(
        Stated calldata stated,
        Entry calldata entry,
        Row calldata row,
        OpenMerkle.Proof calldata proof
    ) external {
        _checkStated(stated);
        _checkEntry(stated, entry);
        require(entry.lane != 0, ReportJudgeNoFault());
        (bytes32 rowsRoot,) = datanets.rowsOf(stated.receipt.datanetVersionKey);
        _checkRow(row, proof, entry.row, rowsRoot);
        require(
            row.cluster != entry.row || !row.granted || row.owner != entry.owner || _wasRevoked(stated, row.digest),
            ReportJudgeNoFault()
        );
        _punish(stated, WRONG_ROW);
    }

    /// @inheritdoc IShareFaults
    function proveWrongVersion(Stated calldata stated) external {
        _checkStated(stated);
        uint256 modelId = stated.receipt.modelId;
        bool isKnown = modelId != 0 && modelId <= models.modelCount();
        (uint256 key,,) = models.spanRule(modelId);
        require(!isKnown || key != stated.receipt.datanetVersionKey, ReportJudgeNoFault());
        _punish(stated, WRONG_ROW);
    }

    /// @inheritdoc IShareFaults
    function proveWrongShares(Stated calldata stated, Lists calldata lists, Entry calldata entry) external {
        _checkStated(stated);
        _checkList(lists.gradient, stated.gradientHash);
        _checkList(lists.span, stated.spanHash);
        _checkList(lists.retrieval, stated.retrievalHash);
        if (_makesShares(stated, lists)) {
            _checkEntry(stated, entry);
            require(_isWrong(stated, lists, entry), ReportJudgeNoFault());
        }
        _punish(stated, WRONG_SHARES);
    }

    function _makesShares(Stated calldata stated, Lists calldata lists) private view returns (bool) {
        uint64 version = stated.receipt.parametersVersion;
        if (version == 0 || version > parameters.version()) return false;
        return ReportShares.flawOf(lists, stated.receipt.outputTokens) == Flaw.None;
    }

    function _isWrong(Stated calldata stated, Lists calldata lists, Entry calldata entry) private view returns (bool) {
        uint64 version = stated.receipt.parametersVersion;
        ReportShares.Weights memory weights = ReportShares.Weights(
            parameters.valueAt(GRADIENT, version),
            parameters.valueAt(SPAN, version),
            parameters.valueAt(RETRIEVAL, version)
        );
        (uint256 count, Share memory share) =
            ReportShares.shareAt(lists, weights, stated.receipt.outputTokens, entry.place.index);
        if (entry.place.count != count || entry.lane != share.lane || entry.row != share.row) return true;
        // Whose an entry is says the version; the unattributed part is nobody's.
        return entry.ppm != share.ppm || (entry.lane == 0 && entry.owner != address(0));
    }

    function _checkEntry(Stated calldata stated, Entry calldata entry) private pure {
        bytes32 key = keccak256(abi.encode(TAG_ENTRY, entry.lane, entry.row, entry.owner));
        (bool fits, bytes32 root,) = OpenSumTree.climb(key, entry.ppm, entry.place);
        require(fits && root == stated.entriesRoot, ReportJudgeNotProven());
    }
}
