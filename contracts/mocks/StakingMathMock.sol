// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

import {ShareMath} from "../libraries/ShareMath.sol";

/// @title Exposes the share rule, many places at once. Never deployed with the suite.
contract StakingMathMock {
    function toShares(uint256 amount, uint256 tokens, uint256 shares) external pure returns (uint256) {
        return ShareMath.toSharesDown(amount, tokens, shares);
    }

    function toTokens(uint256 part, uint256 tokens, uint256 shares) external pure returns (uint256) {
        return ShareMath.toTokensDown(part, tokens, shares);
    }

    /// @dev toShares and toTokens of every (asked, tokens, shares) with `tokens` given and the others below `size`, tokens
    /// of a part only where a pool could be asked for it: part <= shares, and tokens == 0 exactly when shares == 0.
    function grid(uint256 tokens, uint256 size) external pure returns (uint256[] memory values) {
        values = new uint256[](2 * size * size);
        uint256 next = 0;
        for (uint256 shares = 0; shares < size; ++shares) {
            for (uint256 asked = 0; asked < size; ++asked) {
                values[next++] = ShareMath.toSharesDown(asked, tokens, shares);
                bool reachable = asked <= shares && (tokens == 0) == (shares == 0);
                values[next++] = reachable ? ShareMath.toTokensDown(asked, tokens, shares) : 0;
            }
        }
    }
}
