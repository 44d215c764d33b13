// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

/// @title Accounts of the reward ledger that are no wallet: a node's stakers as one, and the burn.
/// @dev Python twin: protocol/rewards.py.
library EarnerAccounts {
    bytes32 internal constant TAG_STAKERS = keccak256("openledger.stakers");
    address internal constant BURN = 0x000000000000000000000000000000000000dEaD;

    /// @dev The one account under which the stakers of `node` earn; nobody holds its key.
    function stakersOf(address node) internal pure returns (address) {
        return address(uint160(uint256(keccak256(abi.encode(TAG_STAKERS, node)))));
    }

    /// @dev The key of an account's leaf in the cumulative tree.
    function leafKey(address account) internal pure returns (bytes32) {
        return bytes32(uint256(uint160(account)));
    }
}
