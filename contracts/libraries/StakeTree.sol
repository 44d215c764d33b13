// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

/// @title Weights of up to 4096 seats, as they stood when the current period began.
/// @dev A tree of arity eight: a word holds the sums of its eight children in 28 bits each and, above them, the period
/// in which it was written. Each node keeps what it was before that period too. So what is read changes only between
/// periods: whoever knows a seed can no longer change what it draws. A change writes at most eight words, finding the
/// seat at a point reads at most eight.
library StakeTree {
    uint256 internal constant CAPACITY = 4096;
    uint256 private constant LEVELS = 4;
    uint256 private constant LANE = 28;
    uint256 private constant MASK = (1 << LANE) - 1;
    uint256 private constant LANES = (1 << 224) - 1;

    /// @dev The weights under one node do not fit their 28 bits.
    error StakeTreeOverflow(uint256 sum);

    /// @dev `settled` is in force during the period of `latest`, `latest` afterwards.
    struct Node {
        uint256 settled;
        uint256 latest;
    }

    /// @dev Level 0 is the top; a node's key is its level and its place in that level.
    struct Tree {
        mapping(uint256 key => Node) nodes;
    }

    /// @dev In force from the next period on. `seat` must be below CAPACITY.
    function set(Tree storage tree, uint256 seat, uint256 weight, uint256 period) internal {
        uint256 before = latestOf(tree, seat);
        if (before == weight) return;
        uint256 place = seat;
        for (uint256 level = LEVELS; level > 0; --level) {
            Node storage node = tree.nodes[_key(level - 1, place >> 3)];
            uint256 lane = (place & 7) * LANE;
            uint256 sums = node.latest;
            uint256 sum = ((sums >> lane) & MASK) + weight - before;
            require(sum <= MASK, StakeTreeOverflow(sum));
            if (sums >> 224 < period) node.settled = sums & LANES;
            node.latest = (sums & LANES & ~(MASK << lane)) | (sum << lane) | (period << 224);
            place >>= 3;
        }
    }

    /// @dev The weight last set, in force or not.
    function latestOf(Tree storage tree, uint256 seat) internal view returns (uint256) {
        return (tree.nodes[_key(LEVELS - 1, seat >> 3)].latest >> ((seat & 7) * LANE)) & MASK;
    }


    function total(Tree storage tree, uint256 period) internal view returns (uint256 sum) {
        for (uint256 sums = _sums(tree, 0, 0, period); sums != 0; sums >>= LANE) {
            sum += sums & MASK;
        }
    }

    /// @dev The seat whose range of weight in force holds `point`, which must be below the total, and its weight.
    function find(Tree storage tree, uint256 point, uint256 period) internal view returns (uint256 seat, uint256 weight) {
        for (uint256 level = 0; level < LEVELS; ++level) {
            uint256 sums = _sums(tree, level, seat, period);
            seat <<= 3;
            while (point >= sums & MASK) {
                point -= sums & MASK;
                sums >>= LANE;
                ++seat;
            }
            weight = sums & MASK;
        }
    }

    function _sums(Tree storage tree, uint256 level, uint256 place, uint256 period) private view returns (uint256) {
        Node storage node = tree.nodes[_key(level, place)];
        uint256 latest = node.latest;
        return latest >> 224 < period ? latest & LANES : node.settled;
    }

    function _key(uint256 level, uint256 place) private pure returns (uint256) {
        return (level << 16) | place;
    }
}
