// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

import {IERC3009} from "@openzeppelin/contracts/interfaces/draft-IERC3009.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";

/// @title What the suite asks of OPEN.
interface IOpenToken is IERC20, IERC20Permit, IERC3009 {
    /// @notice Destroys `amount` wei of the caller's OPEN; the supply falls by as much.
    function burn(uint256 amount) external;

    /// @notice Moves what `from` has signed over to the calling `to`, once, while validAfter < now < validBefore. The
    /// signature is the account's key's own (65 bytes) or what its ERC-1271 code accepts.
    function receiveWithAuthorization(
        address from,
        address to,
        uint256 value,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        bytes calldata signature
    ) external;
}
