// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {Flaw, LaneLists} from "./LaneLists.sol";

/// @dev What one index's scores of an answer stand under; the words of its rows are [first, end).
struct Section {
    bytes32 indexRoot;
    bytes32 queryCodeHash;
    int256 threshold;
    uint256 chance;
    uint256 gain;
    uint256 floor;
    uint256 kappa;
    uint256 first;
    uint256 end;
}

/// @title The list of scores behind a report's gradient units.
/// @dev Word layouts: docs/SPEC.md 5.182. Python twin: protocol/influence_list.py; both are held to tests/vectors.
library InfluenceLists {
    uint256 internal constant HEAD_WORDS = 4;
    uint256 internal constant MAX_SECTIONS = 8;
    uint256 private constant TOTAL_PPM = 1_000_000;
    /// @dev Above the sum of all that scores of 64 bits can be over their threshold.
    uint256 private constant MAX_FOUND = 2 ** 128;

    function flawOf(uint256[] calldata words) internal pure returns (Flaw) {
        uint256 start = 0;
        for (uint256 sections = 1; start < words.length; ++sections) {
            if (sections > MAX_SECTIONS || start + HEAD_WORDS > words.length) return Flaw.Length;
            uint256 head = words[start + 2];
            uint256 end = start + HEAD_WORDS + uint32(head);
            if (uint32(head) > LaneLists.MAX_ROWS || end > words.length) return Flaw.Length;
            if (uint32(head >> 32) > TOTAL_PPM || words[start + 3] > type(uint128).max) return Flaw.Header;
            Flaw flaw = _rowsFlaw(words[start + HEAD_WORDS:end], _signed(head >> 192));
            if (flaw != Flaw.None) return flaw;
            start = end;
        }
        return Flaw.None;
    }

    /// @dev Section `number` of a list without flaw, and whether there is one.
    function sectionAt(uint256[] calldata words, uint256 number)
        internal
        pure
        returns (bool isThere, Section memory one)
    {
        uint256 start = 0;
        for (; start < words.length && number != 0; --number) {
            start += HEAD_WORDS + uint32(words[start + 2]);
        }
        if (start >= words.length) return (false, one);
        uint256 head = words[start + 2];
        one = Section({
            indexRoot: bytes32(words[start]),
            queryCodeHash: bytes32(words[start + 1]),
            threshold: _signed(head >> 192),
            chance: words[start + 3],
            gain: uint64(head >> 128),
            floor: uint64(head >> 64),
            kappa: uint32(head >> 32),
            first: start + HEAD_WORDS,
            end: start + HEAD_WORDS + uint32(head)
        });
        return (true, one);
    }

    /// @dev What a model registers of these indexes: the root, or sha256 over the roots of an ensemble's members.
    function indexDigest(uint256[] calldata words) internal pure returns (bytes32) {
        bytes memory roots;
        uint256 start = 0;
        while (start < words.length) {
            roots = bytes.concat(roots, bytes32(words[start]));
            start += HEAD_WORDS + uint32(words[start + 2]);
        }
        return roots.length == 32 ? bytes32(words[0]) : sha256(roots);
    }

    /// @dev Whether the gradient list can follow from the scores. What rows that may not earn would have got is
    /// unattributed; the weights of an ensemble are not known here.
    function unitsFollow(uint256[] calldata words, uint256[] calldata gradient) internal pure returns (bool) {
        if (flawOf(words) != Flaw.None || LaneLists.unitsFlaw(gradient) != Flaw.None) return false;
        if (words.length == 0) return gradient.length == 0 || gradient[0] == 0;
        if (gradient.length == 0 || gradient[0] >> 64 != 1) return false;
        (, Section memory one) = sectionAt(words, 0);
        if (one.end != words.length) return true;
        (uint256 whole, uint256 divisor) = _wholeOf(words, one);
        uint256 sum = uint64(gradient[0]);
        uint256 place = one.first;
        for (uint256 i = 1; i < gradient.length; ++i) {
            while (place < one.end && canonicalOf(words[place]) < gradient[i] >> 64) ++place;
            if (place == one.end || canonicalOf(words[place]) != gradient[i] >> 64) return false;
            if (_excess(words[place], one) / divisor != uint64(gradient[i])) return false;
            sum += uint64(gradient[i]);
        }
        return sum == whole;
    }

    /// @dev The units of the row whose word stands at `place`.
    function unitsAt(uint256[] calldata words, Section memory one, uint256 place) internal pure returns (uint256) {
        (, uint256 divisor) = _wholeOf(words, one);
        return _excess(words[place], one) / divisor;
    }

    /// @dev Whether a cluster with this score is missing, or listed with a lower one.
    function isOmission(uint256[] calldata words, Section memory one, uint256 canonical, int256 score)
        internal
        pure
        returns (bool)
    {
        if (score <= one.threshold) return false;
        bool outranks = one.end - one.first < LaneLists.MAX_ROWS;
        for (uint256 i = one.first; i < one.end; ++i) {
            (uint256 other, int256 listed) = (canonicalOf(words[i]), scoreOf(words[i]));
            if (other == canonical) return score > listed;
            if (score > listed || (score == listed && canonical < other)) outranks = true;
        }
        return outranks;
    }

    function canonicalOf(uint256 word) internal pure returns (uint256) {
        return uint32(word >> 128);
    }

    function memberOf(uint256 word) internal pure returns (uint256) {
        return uint32(word >> 96);
    }

    /// @dev The place of the member's record among the index's leaves; 0 is that of its listing.
    function leafOf(uint256 word) internal pure returns (uint256) {
        return uint32(word >> 64);
    }

    function scoreOf(uint256 word) internal pure returns (int256) {
        return _signed(word);
    }

    /// @dev Units of the whole lane, and the divisor that brings all of them under MAX_UNITS.
    function _wholeOf(uint256[] calldata words, Section memory one) private pure returns (uint256, uint256) {
        uint256 found = 0;
        for (uint256 i = one.first; i < one.end; ++i) {
            found += _excess(words[i], one);
        }
        // Sums of at most 20 scores, a chance of 128 bits, a likelihood of 65 and a shrinkage of 20: nothing overflows.
        uint256 part = one.gain * one.kappa;
        if (found == 0 || part == 0) return (1, MAX_FOUND);
        uint256 whole = Math.ceilDiv((found + one.chance) * (one.gain + one.floor) * TOTAL_PPM, part);
        uint256 divisor = Math.ceilDiv(whole, LaneLists.MAX_UNITS);
        return (whole / divisor, divisor);
    }

    function _rowsFlaw(uint256[] calldata rows, int256 threshold) private pure returns (Flaw) {
        for (uint256 i = 0; i < rows.length; ++i) {
            if (rows[i] >> 160 != 0 || leafOf(rows[i]) == 0 || scoreOf(rows[i]) <= threshold) return Flaw.Word;
            if (i != 0 && canonicalOf(rows[i]) <= canonicalOf(rows[i - 1])) return Flaw.Order;
        }
        return Flaw.None;
    }

    function _excess(uint256 word, Section memory one) private pure returns (uint256) {
        return uint256(scoreOf(word) - one.threshold);
    }

    /// @dev The low 64 bits in two's complement.
    function _signed(uint256 value) private pure returns (int256) {
        return int64(uint64(value));
    }
}
