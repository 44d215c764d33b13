// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

/// @title What NodeStaking tells the governor: who stood behind a node at a past second, and with how much.
interface IStakedVotes {
    /// @notice OPEN at work on `node` at the end of second `timepoint`: its own stake and all that is delegated to it.
    function pastStake(address node, uint256 timepoint) external view returns (uint256);

    /// @notice The part of `pastStake(node, timepoint)` that was `staker`'s, rounded down.
    function pastStakeOf(address node, address staker, uint256 timepoint) external view returns (uint256);
}
