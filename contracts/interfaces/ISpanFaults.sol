// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

import {IReportJudge} from "./IReportJudge.sol";
import {Match} from "../libraries/LaneLists.sol";
import {OpenMerkle} from "../libraries/OpenMerkle.sol";
import {Row} from "../libraries/RowHash.sol";
import {OutputChunk, RowChunk} from "../libraries/TokenChunks.sol";

/// @title F1, a stated span is false, and F2, a span is omitted: rule `span-1` as a contract checks it.
/// @notice `spans` is always the report's whole span list, and `place` (from 1) the match in question. Tokens of rows
/// are those registered for the version and the tokenizer of the receipt's model; where none are, or a row is gated and
/// has none, no proof about tokens is possible.
interface ISpanFaults is IReportJudge {
    /// @dev The output's chunks behind the receipt's outputRoot.
    struct Output {
        bytes32 chunksRoot;
        uint256 count;
    }

    /// @dev A row of the version with its place in the version's rowsRoot.
    struct PlacedRow {
        Row row;
        OpenMerkle.Proof proof;
    }

    /// @notice F1: token `offset` of the match differs between output and row.
    function proveFalseToken(
        Stated calldata stated,
        uint256[] calldata spans,
        uint256 place,
        uint256 offset,
        Output calldata output,
        OutputChunk calldata outputChunk,
        RowChunk calldata rowChunk
    ) external;

    /// @notice F1: the match runs past the row's tokens; any chunk of the row shows how many there are.
    function provePastRow(
        Stated calldata stated,
        uint256[] calldata spans,
        uint256 place,
        RowChunk calldata rowChunk
    ) external;

    /// @notice F1: the list cannot be a cover: with `place` 0 as a whole, else because of the match at `place` (too
    /// short, past the output, a row outside the version, out of rank order, adding nothing, of a twenty-first row).
    function proveMalformed(Stated calldata stated, uint256[] calldata spans, uint256 place) external;

    /// @notice F1: the cluster stated is not that of the row, or the credit bit is not what the canonical row allows: set
    /// for a row without consent, or not set for one whose consent was never withdrawn. `canonical` is not looked at
    /// where the cluster is already wrong.
    function proveFalseCredit(
        Stated calldata stated,
        uint256[] calldata spans,
        uint256 place,
        PlacedRow calldata row,
        PlacedRow calldata canonical
    ) external;

    /// @notice F1: the receipt's outputTokens is not the count that its outputRoot binds.
    function proveFalseCount(Stated calldata stated, Output calldata output) external;

    /// @notice F2: `found` is a match of output and row, long enough, of a row whose consent was never withdrawn; it is
    /// not listed, has a token that no listed match ranked before it has, and outranks the last one listed or the list
    /// is not full. Chunks are consecutive, from the one of the match's first token to that of its last.
    function proveOmission(
        Stated calldata stated,
        uint256[] calldata spans,
        Match calldata found,
        PlacedRow calldata row,
        Output calldata output,
        OutputChunk[] calldata outputChunks,
        RowChunk[] calldata rowChunks
    ) external;
}
