// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

/// @dev What is wrong with a list; numbered as in protocol/lane_lists.py.
enum Flaw {
    None,
    Length,
    Header,
    Word,
    Order,
    Output,
    TooShort,
    Row,
    AddsNothing,
    TooManyRows
}

/// @dev Output tokens [start, start + length) equal the row's tokens [rowStart, rowStart + length).
struct Match {
    uint32 start;
    uint32 length;
    uint32 row;
    uint32 rowStart;
}

/// @title The lists that a report binds: what each lane counted, one word for each row or match.
/// @dev Word layouts: docs/SPEC.md 5.61. Python twin: protocol/lane_lists.py; both are held to tests/vectors.
library LaneLists {
    bytes32 internal constant TAG_LANE = keccak256("openledger.lane");
    bytes32 internal constant TAG_REPORT = keccak256("openledger.report");
    uint256 internal constant MAX_ROWS = 20;
    uint256 internal constant MAX_SPANS = 64;
    uint256 internal constant MAX_UNITS = 2 ** 53 - 1;
    uint256 internal constant MAX_OUTPUT_TOKENS = 2 ** 17;
    uint256 internal constant LEAST_SPAN = 2;
    uint256 private constant RAN = 2 ** 64;
    /// @dev Without the credit bit and the cluster: what makes a match this match.
    uint256 private constant PLACE = 2 ** 128 - 1;

    function laneHash(uint256[] calldata words) internal pure returns (bytes32) {
        return keccak256(abi.encode(TAG_LANE, words));
    }

    function reportRoot(
        bytes32 entriesRoot,
        bytes32 gradientHash,
        bytes32 spanHash,
        bytes32 retrievalHash,
        bytes32 influenceHash
    ) internal pure returns (bytes32) {
        return keccak256(abi.encode(TAG_REPORT, entriesRoot, gradientHash, spanHash, retrievalHash, influenceHash));
    }

    /// @dev What is wrong with a gradient or retrieval list.
    function unitsFlaw(uint256[] calldata words) internal pure returns (Flaw) {
        if (words.length == 0) return Flaw.None;
        if (words.length > 1 + MAX_ROWS) return Flaw.Length;
        uint256 header = words[0];
        if (header >> 65 != 0 || (header < RAN && (header != 0 || words.length != 1))) return Flaw.Header;
        for (uint256 i = 1; i < words.length; ++i) {
            uint256 units = uint64(words[i]);
            if (words[i] >> 96 != 0 || units == 0 || units > MAX_UNITS) return Flaw.Word;
            if (i > 1 && words[i] >> 64 <= words[i - 1] >> 64) return Flaw.Order;
        }
        return Flaw.None;
    }

    /// @dev What keeps a span list from being counted at all; the places of its matches are `spanFlaw`'s.
    function spansFlaw(uint256[] calldata words, uint256 outputTokens) internal pure returns (Flaw) {
        if (words.length == 0) return Flaw.None;
        if (words.length > 1 + MAX_SPANS) return Flaw.Length;
        if (words[0] > 1 || (words[0] == 0 && words.length != 1)) return Flaw.Header;
        if (outputTokens > MAX_OUTPUT_TOKENS) return Flaw.Output;
        for (uint256 i = 1; i < words.length; ++i) {
            if (endOf(words[i]) > outputTokens) return Flaw.Output;
        }
        return Flaw.None;
    }

    /// @dev What is wrong with the match at `place` (from 1), given those before it. `least` and `rowCount` are the
    /// shortest match and the number of rows of the version.
    function spanFlaw(
        uint256[] calldata words,
        uint256 place,
        uint256 outputTokens,
        uint256 least,
        uint256 rowCount
    ) internal pure returns (Flaw) {
        uint256 word = words[place];
        if (word >> 161 != 0) return Flaw.Word;
        uint256 length = uint32(word >> 64);
        if (length == 0 || length < least) return Flaw.TooShort;
        if (endOf(word) > outputTokens) return Flaw.Output;
        if (rowOf(word) >= rowCount) return Flaw.Row;
        if (place > 1 && !_before(words[place - 1], word)) return Flaw.Order;
        if (!addsTokens(words, place, word)) return Flaw.AddsNothing;
        (bool isFull, bool isListed) = _rowsBefore(words, place, rowOf(word));
        return isFull && !isListed ? Flaw.TooManyRows : Flaw.None;
    }

    /// @dev Whether a true match, long enough, should have been among `words` and is not.
    function isOmission(uint256[] calldata words, Match calldata found) internal pure returns (bool) {
        if (words.length == 0 || words[0] != 1) return false;
        uint256 word = wordOf(found);
        for (uint256 i = 1; i < words.length; ++i) {
            if (words[i] & PLACE == word) return false;
        }
        if (!addsTokens(words, words.length, word)) return false;
        // A full cover ended somewhere after its last match; what ranks below that one may rightly be left out.
        (bool isFull,) = _rowsBefore(words, words.length, found.row);
        isFull = isFull || words.length > MAX_SPANS;
        return !isFull || !_before(words[words.length - 1], word);
    }

    /// @dev Whether the match `word` has a token that no match listed before `upTo` and ranked before it has. Those are
    /// at least as long, so each that overlaps it covers one of its ends: what is left is one piece.
    function addsTokens(uint256[] calldata words, uint256 upTo, uint256 word) internal pure returns (bool) {
        uint256 start = startOf(word);
        uint256 end = endOf(word);
        (uint256 low, uint256 high) = (start, end);
        for (uint256 i = 1; i < upTo; ++i) {
            uint256 other = words[i];
            (uint256 otherStart, uint256 otherEnd) = (startOf(other), endOf(other));
            // Most matches lie elsewhere.
            if (otherEnd <= start || otherStart >= end || !_before(other, word)) continue;
            if (otherStart <= start && otherEnd > low) low = otherEnd;
            if (otherEnd >= end && otherStart < high) high = otherStart;
        }
        return low < high;
    }

    function wordOf(Match calldata found) internal pure returns (uint256) {
        return uint256(found.start) << 96 | uint256(found.length) << 64 | uint256(found.row) << 32 | found.rowStart;
    }

    function startOf(uint256 word) internal pure returns (uint256) {
        return uint32(word >> 96);
    }

    function endOf(uint256 word) internal pure returns (uint256) {
        return uint256(uint32(word >> 96)) + uint32(word >> 64);
    }

    function rowOf(uint256 word) internal pure returns (uint256) {
        return uint32(word >> 32);
    }

    function clusterOf(uint256 word) internal pure returns (uint256) {
        return uint32(word >> 128);
    }

    function isCredited(uint256 word) internal pure returns (bool) {
        return word >> 160 & 1 == 1;
    }

    /// @dev Whether match `a` ranks before match `b`: longer, then lower start, row and place in the row.
    function _before(uint256 a, uint256 b) private pure returns (bool) {
        (uint256 lengthA, uint256 lengthB) = (uint32(a >> 64), uint32(b >> 64));
        if (lengthA != lengthB) return lengthA > lengthB;
        // Of equal length, the words compare as (start, length, row, rowStart) do.
        return a & PLACE < b & PLACE;
    }

    /// @dev Whether the matches before `upTo` are of MAX_ROWS rows, and whether `row` is one of those looked at.
    function _rowsBefore(uint256[] calldata words, uint256 upTo, uint256 row)
        private
        pure
        returns (bool isFull, bool isListed)
    {
        // Fewer matches than that cannot be of that many rows.
        if (upTo <= MAX_ROWS) return (false, false);
        uint256[MAX_ROWS] memory rows;
        uint256 count = 0;
        for (uint256 i = 1; i < upTo; ++i) {
            uint256 other = rowOf(words[i]);
            isListed = isListed || other == row;
            bool isSeen = false;
            // In assembly for the unchecked reads: this is the one quadratic loop of the judges.
            assembly ("memory-safe") {
                let end := add(rows, shl(5, count))
                for { let at := rows } lt(at, end) { at := add(at, 32) } {
                    if eq(mload(at), other) {
                        isSeen := 1
                        break
                    }
                }
            }
            if (!isSeen && count < MAX_ROWS) rows[count++] = other;
        }
        isFull = count == MAX_ROWS;
    }
}
