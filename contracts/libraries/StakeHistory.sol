// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

import {Checkpoints} from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {ShareMath} from "./ShareMath.sol";

/// @title What was staked at any past second, for votes.
/// @dev A slash changes what every delegator has at once, so a position keeps its shares and the pool keeps its tokens
/// and shares; the worth at a time is computed from the three.
library StakeHistory {
    using Checkpoints for Checkpoints.Trace208;

    struct History {
        mapping(address node => Checkpoints.Trace208) own;
        mapping(address node => Checkpoints.Trace208) tokens;
        mapping(address node => Checkpoints.Trace208) shares;
        mapping(address node => mapping(address staker => Checkpoints.Trace208)) positions;
    }

    function recordOwn(History storage self, address node, uint128 tokens) internal {
        self.own[node].push(uint48(block.timestamp), tokens);
    }

    function recordTokens(History storage self, address node, uint128 tokens) internal {
        self.tokens[node].push(uint48(block.timestamp), tokens);
    }

    function recordShares(History storage self, address node, address staker, uint256 all, uint256 held) internal {
        self.shares[node].push(uint48(block.timestamp), SafeCast.toUint208(all));
        self.positions[node][staker].push(uint48(block.timestamp), SafeCast.toUint208(held));
    }

    function totalAt(History storage self, address node, uint48 time) internal view returns (uint256) {
        return uint256(self.own[node].upperLookupRecent(time)) + self.tokens[node].upperLookupRecent(time);
    }

    function stakeAt(History storage self, address node, address staker, uint48 time) internal view returns (uint256) {
        if (staker == node) return self.own[node].upperLookupRecent(time);
        return ShareMath.toTokensDown(
            self.positions[node][staker].upperLookupRecent(time),
            self.tokens[node].upperLookupRecent(time),
            self.shares[node].upperLookupRecent(time)
        );
    }
}
