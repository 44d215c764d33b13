// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

import {Test} from "forge-std/Test.sol";
import {ShareMath} from "../../contracts/libraries/ShareMath.sol";

/// @title Share arithmetic, for amounts of any size.
contract ShareMathTest is Test {
    function test_roundTripGivesAtMostWhatItTook(uint96 amount, uint128 tokens, uint128 shares) external pure {
        _roundTrip(amount, tokens, shares);
    }

    function test_buyingNeverLowersThePrice(uint96 amount, uint96 tokens, uint112 shares) external pure {
        _price(amount, tokens, shares);
    }

    function _roundTrip(uint256 amount, uint256 tokens, uint256 shares) private pure {
        if ((tokens == 0) != (shares == 0) || amount == 0) return;
        uint256 bought = ShareMath.toSharesDown(amount, tokens, shares);
        if (bought == 0) return;
        assert(ShareMath.toTokensDown(bought, tokens + amount, shares + bought) <= amount);
    }

    function _price(uint256 amount, uint256 tokens, uint256 shares) private pure {
        if ((tokens == 0) != (shares == 0)) return;
        uint256 bought = ShareMath.toSharesDown(amount, tokens, shares);
        assert((tokens + amount + 1) * (shares + 1_000) >= (tokens + 1) * (shares + bought + 1_000));
    }
}
