// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/// @title Shares of a pool of tokens. Every conversion rounds against whoever asks for it.
/// @dev Price of a share: (tokens + 1) / (shares + VIRTUAL_SHARES), so that the first staker of a pool cannot make one
/// share worth much. In and out both round down, so the price falls in nothing but a slash, and whoever stakes and
/// leaves at once gets at most what it brought. The last shares take what is left and all others leave a wei, hence
/// tokens == 0 exactly when shares == 0. Python twin: protocol/staking.py.
library ShareMath {
    uint256 internal constant VIRTUAL_SHARES = 1_000;

    /// @dev The shares that `amount` more tokens buy.
    function toSharesDown(uint256 amount, uint256 tokens, uint256 shares) internal pure returns (uint256) {
        return Math.mulDiv(amount, shares + VIRTUAL_SHARES, tokens + 1);
    }

    /// @dev The tokens that `part` of all `shares` takes out.
    function toTokensDown(uint256 part, uint256 tokens, uint256 shares) internal pure returns (uint256) {
        if (part == shares) return tokens;
        return Math.min(Math.mulDiv(part, tokens + 1, shares + VIRTUAL_SHARES), tokens - 1);
    }
}
