// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

import {IScoreFaults} from "../interfaces/IScoreFaults.sol";
import {InfluenceLists, Section} from "../libraries/InfluenceLists.sol";
import {Flaw} from "../libraries/LaneLists.sol";
import {OpenMerkle} from "../libraries/OpenMerkle.sol";
import {Row} from "../libraries/RowHash.sol";
import {ScoreMath} from "../libraries/ScoreMath.sol";
import {ReportJudge} from "./ReportJudge.sol";

/// @title Judge of the gradient lane (F9, F10). Python twin: protocol/score_faults.py.
contract ScoreFaults is IScoreFaults, ReportJudge {
    bytes32 private constant WRONG_SCORES = keccak256("openledger.fault_wrong_scores");
    bytes32 private constant WRONG_UNITS = keccak256("openledger.fault_wrong_units");

    constructor(Links memory links) ReportJudge(links) {}

    /// @inheritdoc IScoreFaults
    function proveWrongScore(Stated calldata stated, Scored calldata scored, uint256 place) external {
        Section memory one = _open(stated, scored);
        require(place < one.end - one.first, ReportJudgeNoFault());
        uint256 word = scored.influence[one.first + place];
        uint256 leaf = InfluenceLists.leafOf(word);
        // Any record shows how many leaves there are.
        if (leaf < scored.proof.count) {
            require(scored.proof.index == leaf, ReportJudgeNotProven());
            require(!_isAsListed(scored, word), ReportJudgeNoFault());
        }
        _punish(stated, WRONG_SCORES);
    }

    /// @inheritdoc IScoreFaults
    function proveOmittedRow(
        Stated calldata stated,
        Scored calldata scored,
        Row calldata row,
        OpenMerkle.Proof calldata proof
    ) external {
        Section memory one = _open(stated, scored);
        (bytes32 rowsRoot,) = datanets.rowsOf(stated.receipt.datanetVersionKey);
        _checkRow(row, proof, ScoreMath.rowOf(scored.record), rowsRoot);
        (bool fits, int256 score) = ScoreMath.scoreOf(scored.code, scored.record);
        require(
            fits && ScoreMath.isEarning(scored.record)
                && InfluenceLists.isOmission(scored.influence, one, row.cluster, score),
            ReportJudgeNoFault()
        );
        _punish(stated, WRONG_SCORES);
    }

    /// @inheritdoc IScoreFaults
    function proveWrongCluster(
        Stated calldata stated,
        uint256[] calldata influence,
        uint256 section,
        uint256 place,
        Row calldata row,
        OpenMerkle.Proof calldata proof
    ) external {
        Section memory one = _section(stated, influence, section);
        require(place < one.end - one.first, ReportJudgeNoFault());
        uint256 word = influence[one.first + place];
        (bytes32 rowsRoot, uint32 rowCount) = datanets.rowsOf(stated.receipt.datanetVersionKey);
        if (InfluenceLists.memberOf(word) < rowCount) {
            _checkRow(row, proof, InfluenceLists.memberOf(word), rowsRoot);
            require(row.cluster != InfluenceLists.canonicalOf(word), ReportJudgeNoFault());
        }
        _punish(stated, WRONG_SCORES);
    }

    /// @inheritdoc IScoreFaults
    function proveWrongIndex(Stated calldata stated, uint256[] calldata influence) external {
        _section(stated, influence, 0);
        bytes32 registered = models.indexDigest(stated.receipt.modelId);
        require(InfluenceLists.indexDigest(influence) != registered, ReportJudgeNoFault());
        _punish(stated, WRONG_SCORES);
    }

    /// @inheritdoc IScoreFaults
    function proveWrongUnits(Stated calldata stated, uint256[] calldata influence, uint256[] calldata gradient)
        external
    {
        _checkStated(stated);
        _checkList(influence, stated.influenceHash);
        _checkList(gradient, stated.gradientHash);
        require(!InfluenceLists.unitsFollow(influence, gradient), ReportJudgeNoFault());
        _punish(stated, WRONG_UNITS);
    }

    /// @inheritdoc IScoreFaults
    function proveWithheldRow(
        Stated calldata stated,
        uint256[] calldata influence,
        uint256[] calldata gradient,
        uint256 place,
        Row calldata row,
        OpenMerkle.Proof calldata proof
    ) external {
        Section memory one = _section(stated, influence, 0);
        _checkList(gradient, stated.gradientHash);
        // An ensemble's units are weighted and cut to twenty rows.
        require(one.end == influence.length && place < one.end - one.first, ReportJudgeNoFault());
        uint256 canonical = InfluenceLists.canonicalOf(influence[one.first + place]);
        require(InfluenceLists.unitsAt(influence, one, one.first + place) != 0, ReportJudgeNoFault());
        for (uint256 i = 1; i < gradient.length; ++i) {
            require(gradient[i] >> 64 != canonical, ReportJudgeNoFault());
        }
        (bytes32 rowsRoot,) = datanets.rowsOf(stated.receipt.datanetVersionKey);
        _checkRow(row, proof, canonical, rowsRoot);
        uint256 datanet = stated.receipt.datanetVersionKey >> 64;
        require(row.granted && contributions.consentChanges(datanet, row.digest) == 0, ReportJudgeNoFault());
        _punish(stated, WRONG_UNITS);
    }

    function _isAsListed(Scored calldata scored, uint256 word) private pure returns (bool) {
        (bool fits, int256 score) = ScoreMath.scoreOf(scored.code, scored.record);
        if (!fits || score != InfluenceLists.scoreOf(word)) return false;
        return ScoreMath.isEarning(scored.record) && ScoreMath.rowOf(scored.record) == InfluenceLists.memberOf(word);
    }

    /// @dev The section of a record and a code that are what they are said to be.
    function _open(Stated calldata stated, Scored calldata scored) private view returns (Section memory one) {
        one = _section(stated, scored.influence, scored.section);
        bytes32 opened = sha256(scored.code);
        require(opened == one.queryCodeHash, ScoreFaultsNotTheCode(opened, one.queryCodeHash));
        // A record names its row and flags before anything else.
        bool isThere = scored.record.length > 4
            && OpenMerkle.verify(ScoreMath.payload(scored.record), scored.proof, one.indexRoot);
        require(isThere, ReportJudgeNotProven());
    }

    /// @dev A malformed list is proven by itself.
    function _section(Stated calldata stated, uint256[] calldata influence, uint256 number)
        private
        view
        returns (Section memory one)
    {
        _checkStated(stated);
        _checkList(influence, stated.influenceHash);
        require(InfluenceLists.flawOf(influence) == Flaw.None, ReportJudgeNoFault());
        bool isThere;
        (isThere, one) = InfluenceLists.sectionAt(influence, number);
        require(isThere, ReportJudgeNoFault());
    }
}
