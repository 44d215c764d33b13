// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

/// @title Emergency brake: may pause listed modules for a while, and nothing else.
interface IGuardian {
    event ModulePaused(address indexed module, uint64 until);

    error GuardianNotGuardian(address caller);
    error GuardianExpired(uint64 expiresAt);

    /// @notice Pauses `module` for the pause limit; by the guardian before it expires.
    function pause(address module) external;

    /// @notice Whether `module` must refuse new business now.
    function isPaused(address module) external view returns (bool);
}
