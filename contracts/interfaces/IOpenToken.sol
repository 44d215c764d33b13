// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";

/// @title What the suite asks of OPEN.
interface IOpenToken is IERC20, IERC20Permit {
    /// @notice Destroys `amount` wei of the caller's OPEN; the supply falls by as much.
    function burn(uint256 amount) external;
}
