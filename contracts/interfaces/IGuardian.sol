// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

/// @title Emergency brake: may pause listed modules for a while, or cancel a decision, and nothing else, for a term.
/// @notice Modules ask `isPaused` before they take new business. Exits, withdrawals, claims of what is final, and slashes
/// never ask it.
interface IGuardian {
    /// @dev `pauseLimit` and `coolDown` in seconds.
    struct Links {
        address timelock;
        address governor;
        address accessManager;
        uint64 pauseLimit;
        uint64 coolDown;
    }

    event GuardianAppointed(address indexed guardian, uint64 expiresAt);
    event ModulePaused(address indexed module, uint64 until, uint64 nextPauseAt);
    event ModuleResumed(address indexed module);

    error GuardianNotGuardian(address caller);
    error GuardianNotTimelock(address caller);
    /// @notice The guardian's term ended at `expiresAt`; a vote may begin another.
    error GuardianExpired(uint64 expiresAt);
    error GuardianTermTooLong(uint64 term, uint64 longest);
    error GuardianUnknownModule(address module);
    /// @notice A module that was paused cannot be paused again before `nextPauseAt`.
    error GuardianCoolingDown(address module, uint64 nextPauseAt);
    /// @notice A proposal that does nothing but direct the guardian itself is not the guardian's to cancel.
    error GuardianOwnReplacement(uint256 proposalId);

    /// @notice Pauses `module` for the pause limit, or to the end of the term if that is sooner.
    function pause(address module) external;

    /// @notice Ends a pause early; the guardian or the timelock. The cool-down stays as it was.
    function resume(address module) external;

    /// @notice Cancels a proposal at any time before its execution.
    function cancelProposal(uint256 proposalId) external;

    /// @notice Cancels what `caller`, who holds a role with a delay, has scheduled at the access manager.
    function cancelOperation(address caller, address target, bytes calldata data) external;

    /// @notice Begins a term of `term` seconds, at most a year and a day, for `guardian`; zero for nobody. Timelock only.
    function appoint(address guardian, uint64 term) external;

    /// @notice Whether `module` must refuse new business now.
    function isPaused(address module) external view returns (bool);

    /// @notice Whether `module` is one that can be paused.
    function isModule(address module) external view returns (bool);

    /// @notice The end of the last pause of `module`, and when it can be paused again.
    function pauseOf(address module) external view returns (uint64 until, uint64 nextPauseAt);
}
