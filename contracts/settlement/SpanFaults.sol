// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

import {ISpanFaults} from "../interfaces/ISpanFaults.sol";
import {Flaw, LaneLists, Match} from "../libraries/LaneLists.sol";
import {OutputChunk, RowChunk, TokenChunks} from "../libraries/TokenChunks.sol";
import {ReportJudge} from "./ReportJudge.sol";

/// @title Judge of the span lane (F1, F2). Python twin: protocol/span_faults.py.
contract SpanFaults is ISpanFaults, ReportJudge {
    bytes32 private constant FALSE_SPAN = keccak256("openledger.fault_false_span");
    bytes32 private constant OMITTED_SPAN = keccak256("openledger.fault_omitted_span");

    constructor(Links memory links) ReportJudge(links) {}

    /// @inheritdoc ISpanFaults
    function proveFalseToken(
        Stated calldata stated,
        uint256[] calldata spans,
        uint256 place,
        uint256 offset,
        Output calldata output,
        OutputChunk calldata outputChunk,
        RowChunk calldata rowChunk
    ) external {
        uint256 word = _open(stated, spans, place);
        _checkOutput(stated, output);
        uint256 at = LaneLists.startOf(word) + offset;
        uint256 rowAt = uint32(word) + offset;
        require(at < LaneLists.endOf(word) && at < output.count && rowAt < rowChunk.length, ReportJudgeNoFault());
        (bytes32 chunksRoot,) = _ruleOf(stated);
        require(
            outputChunk.proof.index == at / 32 && TokenChunks.isIn(outputChunk, output.chunksRoot)
                && rowChunk.place == rowAt / 32 && rowChunk.row == LaneLists.rowOf(word)
                && TokenChunks.isIn(rowChunk, chunksRoot),
            ReportJudgeNotProven()
        );
        require(
            TokenChunks.idAt(outputChunk.ids, at) != TokenChunks.idAt(rowChunk.ids, rowAt), ReportJudgeNoFault()
        );
        _punish(stated, FALSE_SPAN);
    }

    /// @inheritdoc ISpanFaults
    function provePastRow(
        Stated calldata stated,
        uint256[] calldata spans,
        uint256 place,
        RowChunk calldata rowChunk
    ) external {
        uint256 word = _open(stated, spans, place);
        (bytes32 chunksRoot,) = _ruleOf(stated);
        require(
            rowChunk.row == LaneLists.rowOf(word) && TokenChunks.isIn(rowChunk, chunksRoot), ReportJudgeNotProven()
        );
        uint256 end = uint32(word) + LaneLists.endOf(word) - LaneLists.startOf(word);
        require(end > rowChunk.length, ReportJudgeNoFault());
        _punish(stated, FALSE_SPAN);
    }

    /// @inheritdoc ISpanFaults
    function proveMalformed(Stated calldata stated, uint256[] calldata spans, uint256 place) external {
        _checkStated(stated);
        _checkList(spans, stated.spanHash);
        uint256 outputTokens = stated.receipt.outputTokens;
        Flaw flaw;
        if (place == 0) {
            flaw = LaneLists.spansFlaw(spans, outputTokens);
        } else {
            require(place < spans.length, ReportJudgeNoFault());
            (, uint256 least) = _ruleOf(stated);
            (, uint32 rowCount) = datanets.rowsOf(stated.receipt.datanetVersionKey);
            flaw = LaneLists.spanFlaw(spans, place, outputTokens, least, rowCount);
        }
        require(flaw != Flaw.None, ReportJudgeNoFault());
        _punish(stated, FALSE_SPAN);
    }

    /// @inheritdoc ISpanFaults
    function proveFalseCredit(
        Stated calldata stated,
        uint256[] calldata spans,
        uint256 place,
        PlacedRow calldata row,
        PlacedRow calldata canonical
    ) external {
        uint256 word = _open(stated, spans, place);
        (bytes32 rowsRoot,) = datanets.rowsOf(stated.receipt.datanetVersionKey);
        _checkRow(row.row, row.proof, LaneLists.rowOf(word), rowsRoot);
        if (row.row.cluster == LaneLists.clusterOf(word)) {
            _checkRow(canonical.row, canonical.proof, row.row.cluster, rowsRoot);
            require(_isFalseCredit(stated, LaneLists.isCredited(word), canonical), ReportJudgeNoFault());
        }
        _punish(stated, FALSE_SPAN);
    }

    /// @inheritdoc ISpanFaults
    function proveFalseCount(Stated calldata stated, Output calldata output) external {
        _checkStated(stated);
        _checkOutput(stated, output);
        require(output.count != stated.receipt.outputTokens, ReportJudgeNoFault());
        _punish(stated, FALSE_SPAN);
    }

    /// @inheritdoc ISpanFaults
    function proveOmission(
        Stated calldata stated,
        uint256[] calldata spans,
        Match calldata found,
        PlacedRow calldata row,
        Output calldata output,
        OutputChunk[] calldata outputChunks,
        RowChunk[] calldata rowChunks
    ) external {
        _checkStated(stated);
        _checkList(spans, stated.spanHash);
        _checkOutput(stated, output);
        (bytes32 rowsRoot,) = datanets.rowsOf(stated.receipt.datanetVersionKey);
        _checkRow(row.row, row.proof, found.row, rowsRoot);
        (bytes32 chunksRoot, uint256 least) = _ruleOf(stated);
        // A node may have erased a row that was ever withdrawn, so nobody is blamed for not finding it.
        require(
            found.length >= least && row.row.granted && !_wasEverRevoked(stated, row.row.digest)
                && LaneLists.isOmission(spans, found),
            ReportJudgeNoFault()
        );
        _checkOutputChunks(found, output, outputChunks);
        _checkRowChunks(found, chunksRoot, rowChunks);
        require(_isMatch(found, outputChunks, rowChunks), ReportJudgeNoFault());
        _punish(stated, OMITTED_SPAN);
    }

    function _open(Stated calldata stated, uint256[] calldata spans, uint256 place) private view returns (uint256) {
        _checkStated(stated);
        _checkList(spans, stated.spanHash);
        require(place != 0 && place < spans.length, ReportJudgeNoFault());
        return spans[place];
    }

    function _checkOutput(Stated calldata stated, Output calldata output) private pure {
        bytes32 root = TokenChunks.outputRoot(output.chunksRoot, output.count);
        require(root == stated.receipt.outputRoot, ReportJudgeNotProven());
    }

    function _isFalseCredit(Stated calldata stated, bool isCredited, PlacedRow calldata canonical)
        private
        view
        returns (bool)
    {
        bytes32 digest = canonical.row.digest;
        if (isCredited) return !canonical.row.granted || _wasRevoked(stated, digest);
        return canonical.row.granted && !_wasEverRevoked(stated, digest);
    }

    function _wasEverRevoked(Stated calldata stated, bytes32 digest) private view returns (bool) {
        return contributions.consentChanges(stated.receipt.datanetVersionKey >> 64, digest) != 0;
    }

    /// @dev The root over the version's token chunks, and the shortest match that counts.
    function _ruleOf(Stated calldata stated) private view returns (bytes32 chunksRoot, uint256 least) {
        uint256 key = stated.receipt.datanetVersionKey;
        (, bytes32 tokenizer, uint32 registered) = models.spanRule(stated.receipt.modelId);
        (chunksRoot,) = datanets.tokenChunks(key >> 64, uint64(key), tokenizer);
        least = registered < LaneLists.LEAST_SPAN ? LaneLists.LEAST_SPAN : registered;
    }

    function _checkOutputChunks(Match calldata found, Output calldata output, OutputChunk[] calldata chunks)
        private
        pure
    {
        uint256 end = uint256(found.start) + found.length;
        uint256 first = found.start / 32;
        require(end <= output.count && chunks.length == (end - 1) / 32 + 1 - first, ReportJudgeNotProven());
        for (uint256 i = 0; i < chunks.length; ++i) {
            require(
                chunks[i].proof.index == first + i && TokenChunks.isIn(chunks[i], output.chunksRoot),
                ReportJudgeNotProven()
            );
        }
    }

    function _checkRowChunks(Match calldata found, bytes32 chunksRoot, RowChunk[] calldata chunks) private pure {
        uint256 end = uint256(found.rowStart) + found.length;
        uint256 first = found.rowStart / 32;
        require(chunks.length == (end - 1) / 32 + 1 - first, ReportJudgeNotProven());
        for (uint256 i = 0; i < chunks.length; ++i) {
            RowChunk calldata chunk = chunks[i];
            require(
                chunk.row == found.row && chunk.place == first + i && end <= chunk.length
                    && TokenChunks.isIn(chunk, chunksRoot),
                ReportJudgeNotProven()
            );
        }
    }

    function _isMatch(Match calldata found, OutputChunk[] calldata outputChunks, RowChunk[] calldata rowChunks)
        private
        pure
        returns (bool)
    {
        for (uint256 i = 0; i < found.length; ++i) {
            uint256 at = found.start + i;
            uint256 rowAt = found.rowStart + i;
            uint256 id = TokenChunks.idAt(outputChunks[at / 32 - found.start / 32].ids, at);
            if (id != TokenChunks.idAt(rowChunks[rowAt / 32 - found.rowStart / 32].ids, rowAt)) return false;
        }
        return true;
    }
}
