// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

import {Flaw, LaneLists} from "./LaneLists.sol";

/// @dev The three lists of one report.
struct Lists {
    uint256[] gradient;
    uint256[] span;
    uint256[] retrieval;
}

/// @dev One part of an answer: `ppm` of it by `lane` to canonical row `row`; lane 0 is the unattributed part.
struct Share {
    uint256 lane;
    uint256 row;
    uint256 ppm;
}

/// @title From a report's lists to its shares, to the ppm. Python twin: list_shares in protocol/lane_lists.py.
library ReportShares {
    /// @dev `weights` by lane: gradient (retrieval not yet taken out), span, retrieval.
    struct Weights {
        uint256 gradient;
        uint256 span;
        uint256 retrieval;
    }

    /// @dev Counts shares as they are made and keeps the wanted one.
    struct Counter {
        uint256 wanted;
        uint256 count;
        uint256 unattributed;
        Share found;
    }

    function flawOf(Lists calldata lists, uint256 outputTokens) internal pure returns (Flaw flaw) {
        flaw = LaneLists.unitsFlaw(lists.gradient);
        if (flaw == Flaw.None) flaw = LaneLists.spansFlaw(lists.span, outputTokens);
        if (flaw == Flaw.None) flaw = LaneLists.unitsFlaw(lists.retrieval);
    }

    /// @dev How many shares lists without flaw make, the unattributed part included, and the one at `wanted` (zero
    /// beyond the last).
    function shareAt(Lists calldata lists, Weights memory weights, uint256 outputTokens, uint256 wanted)
        internal
        pure
        returns (uint256 count, Share memory)
    {
        Counter memory counter;
        counter.wanted = wanted;
        // An unused lane has no list; retrieval's weight comes out of the gradient's where it is used.
        uint256 retrieval = lists.retrieval.length == 0 ? 0 : weights.retrieval;
        _add(counter, 1, lists.gradient, weights.gradient - retrieval);
        _add(counter, 2, _countSpans(lists.span, outputTokens), weights.span);
        _add(counter, 3, lists.retrieval, retrieval);
        _push(counter, 0, 0, counter.unattributed);
        return (counter.count, counter.found);
    }

    /// @dev `counted` as in a units list. Cumulative rounding, the unattributed units last.
    function _add(Counter memory counter, uint256 lane, uint256[] memory counted, uint256 weight) private pure {
        // No more than 65 words of 64 bits and a weight of 20 bits: nothing here can overflow.
        unchecked {
            uint256 whole = 0;
            for (uint256 i = 0; i < counted.length; ++i) {
                whole += uint64(counted[i]);
            }
            uint256 running = 0;
            uint256 given = 0;
            for (uint256 i = 1; i < counted.length; ++i) {
                running += uint64(counted[i]);
                uint256 upTo = running * weight / whole;
                if (upTo != given) _push(counter, lane, counted[i] >> 64, upTo - given);
                given = upTo;
            }
            counter.unattributed += weight - given;
        }
    }

    function _push(Counter memory counter, uint256 lane, uint256 row, uint256 ppm) private pure {
        if (counter.count++ == counter.wanted) counter.found = Share(lane, row, ppm);
    }

    /// @dev A span list as a units list: tokens by ascending cluster, each token for the first match that has it.
    function _countSpans(uint256[] calldata words, uint256 outputTokens)
        private
        pure
        returns (uint256[] memory counted)
    {
        if (words.length == 0 || words[0] == 0) return counted;
        counted = new uint256[](words.length);
        uint256[] memory covered = new uint256[]((outputTokens + 255) / 256);
        uint256 used = 1;
        uint256 credited = 0;
        for (uint256 i = 1; i < words.length; ++i) {
            uint256 fresh = _cover(covered, LaneLists.startOf(words[i]), LaneLists.endOf(words[i]));
            if (fresh == 0 || !LaneLists.isCredited(words[i])) continue;
            credited += fresh;
            used = _insert(counted, used, LaneLists.clusterOf(words[i]), fresh);
        }
        counted[0] = outputTokens - credited;
        assembly ("memory-safe") {
            mstore(counted, used) // clusters that appeared twice left room at the end
        }
    }

    /// @dev Adds units to a cluster of the ascending list counted[1..used).
    function _insert(uint256[] memory counted, uint256 used, uint256 cluster, uint256 units)
        private
        pure
        returns (uint256)
    {
        uint256 place = used;
        while (place > 1 && counted[place - 1] >> 64 > cluster) --place;
        if (place > 1 && counted[place - 1] >> 64 == cluster) {
            counted[place - 1] += units;
            return used;
        }
        for (uint256 i = used; i > place; --i) {
            counted[i] = counted[i - 1];
        }
        counted[place] = cluster << 64 | units;
        return used + 1;
    }

    /// @dev Marks the tokens [start, end) and returns how many were not marked before.
    function _cover(uint256[] memory covered, uint256 start, uint256 end) private pure returns (uint256 fresh) {
        // `spansFlaw` has held `end` to the output's tokens, and those to MAX_OUTPUT_TOKENS.
        unchecked {
            while (start < end) {
                uint256 upTo = (start | 255) + 1;
                if (upTo > end) upTo = end;
                uint256 mask = type(uint256).max >> (256 - (upTo - start)) << start % 256;
                uint256 before = covered[start / 256];
                covered[start / 256] = before | mask;
                fresh += _bits(mask & ~before);
                start = upTo;
            }
        }
    }

    /// @dev How many bits are set, by halves: pairs, fours, bytes, then the sum of all bytes.
    function _bits(uint256 x) private pure returns (uint256) {
        if (x == type(uint256).max) return 256; // the sum of the bytes would not fit one
        unchecked {
            x -= x >> 1 & (type(uint256).max / 3);
            x = (x & (type(uint256).max / 5)) + (x >> 2 & (type(uint256).max / 5));
            x = (x + (x >> 4)) & (type(uint256).max / 17);
            return x * (type(uint256).max / 255) >> 248;
        }
    }
}
