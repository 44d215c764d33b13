// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

import {IGuardian} from "../interfaces/IGuardian.sol";

/// @title The guardian: an account that may pause, until it expires.
contract Guardian is IGuardian {
    address public immutable guardian;
    uint64 public immutable expiresAt;
    uint64 public immutable pauseLimit;

    mapping(address module => uint64) public pausedUntil;

    constructor(address guardian_, uint64 expiresAt_, uint64 pauseLimit_) {
        guardian = guardian_;
        expiresAt = expiresAt_;
        pauseLimit = pauseLimit_;
    }

    /// @inheritdoc IGuardian
    function pause(address module) external {
        require(msg.sender == guardian, GuardianNotGuardian(msg.sender));
        require(block.timestamp < expiresAt, GuardianExpired(expiresAt));
        pausedUntil[module] = uint64(block.timestamp) + pauseLimit;
        emit ModulePaused(module, pausedUntil[module]);
    }

    /// @inheritdoc IGuardian
    function isPaused(address module) external view returns (bool) {
        return block.timestamp < pausedUntil[module];
    }
}
