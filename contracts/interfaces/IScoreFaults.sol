// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

import {IReportJudge} from "./IReportJudge.sol";
import {OpenMerkle} from "../libraries/OpenMerkle.sol";
import {Row} from "../libraries/RowHash.sol";

/// @title F9, a score is not what the registered index gives, and F10, the gradient's units do not follow from scores.
/// @notice `influence` is always the report's whole influence list. The code of an answer is taken as stated: whether it
/// is the answer's, as threshold, chance, gain, floor and shrinkage are, is a matter of the committee.
interface IScoreFaults is IReportJudge {
    /// @dev A row of the index of section `section`, with its place under that section's index root, and the code that
    /// the section's hash binds.
    struct Scored {
        uint256[] influence;
        uint256 section;
        bytes record;
        OpenMerkle.Proof proof;
        bytes code;
    }

    error ScoreFaultsNotTheCode(bytes32 opened, bytes32 expected);

    /// @notice F9: the record is at the leaf that the row listed at `place` (from 0, in its section) names; it is another
    /// row's, its score is another, it may not earn at all, or the code is malformed or of another shape than the index.
    /// Or the index has no such leaf, which any record of it shows.
    function proveWrongScore(Stated calldata stated, Scored calldata scored, uint256 place) external;

    /// @notice F9: a row that may earn and scores above the threshold is left out: its cluster is listed with a lower
    /// score, or not at all though the section has room or ranks it before its last. `row` is its record in the version.
    function proveOmittedRow(
        Stated calldata stated,
        Scored calldata scored,
        Row calldata row,
        OpenMerkle.Proof calldata proof
    ) external;

    /// @notice F9: the member listed at `place` of a section is not in the version, or not of the listed cluster. `row` is
    /// not looked at where it is outside.
    function proveWrongCluster(
        Stated calldata stated,
        uint256[] calldata influence,
        uint256 section,
        uint256 place,
        Row calldata row,
        OpenMerkle.Proof calldata proof
    ) external;

    /// @notice F9: the scores are of another index than the receipt's model registered.
    function proveWrongIndex(Stated calldata stated, uint256[] calldata influence) external;

    /// @notice F10: the influence list is malformed, or the gradient list cannot follow from it.
    function proveWrongUnits(Stated calldata stated, uint256[] calldata influence, uint256[] calldata gradient) external;

    /// @notice F10: the row listed at `place` of the only section should have units and has none, though its consent was
    /// never withdrawn.
    function proveWithheldRow(
        Stated calldata stated,
        uint256[] calldata influence,
        uint256[] calldata gradient,
        uint256 place,
        Row calldata row,
        OpenMerkle.Proof calldata proof
    ) external;
}
