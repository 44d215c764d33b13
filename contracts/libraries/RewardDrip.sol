// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

/// @title Rewards that flow to a node's stakers evenly over time, and stand still while there is none.
/// @dev Were a reward paid at once, whoever stakes one block before it would take as much as those who stood behind the
/// node while it was earned. `left` flows linearly from `last` to `until`; each release takes its part of what is left,
/// so nothing is lost to rounding and all of it is out at `until`. Python twin: protocol/staking.py.
library RewardDrip {
    struct Drip {
        uint128 left;
        uint64 last;
        uint64 until;
    }

    /// @dev What has flowed since `last`.
    function due(Drip memory drip) internal view returns (uint256) {
        if (block.timestamp >= drip.until) return drip.left;
        return (uint256(drip.left) * (block.timestamp - drip.last)) / (drip.until - drip.last);
    }

    /// @dev Takes what is due.
    function take(Drip storage self, uint256 amount) internal {
        self.left -= uint128(amount);
        self.last = uint64(block.timestamp);
    }

    /// @dev Moves the rest of the time on to now: nobody was there to earn since `last`.
    function pause(Drip storage self) internal {
        if (self.left == 0) return;
        self.until += uint64(block.timestamp) - self.last;
        self.last = uint64(block.timestamp);
    }

    /// @dev Adds a reward after what was due is taken. The time left is the mean by amount, rounded towards what it was:
    /// dust, however often it comes, neither holds up a large reward nor hurries it.
    function add(Drip storage self, uint128 amount, uint256 period) internal {
        uint256 left = uint256(self.left) + amount;
        uint256 rest = self.left == 0 ? period : self.until - self.last;
        rest = period >= rest
            ? rest + (amount * (period - rest)) / left
            : rest - (amount * (rest - period)) / left;
        self.left = uint128(left);
        self.last = uint64(block.timestamp);
        self.until = uint64(block.timestamp + rest);
    }
}
