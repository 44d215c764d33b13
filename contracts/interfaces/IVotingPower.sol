// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

/// @title What votes weigh, and their tally.
/// @notice An account votes with the OPEN delegated to it and with all that is staked on it as a node. Whoever staked on
/// a node may vote their own part of it instead, before or after the node does; then the node's vote weighs less by it.
interface IVotingPower {
    /// @notice `voter` voted `weight` of what it has staked on `node` itself.
    event OverrideVoteCast(
        address indexed voter,
        address indexed node,
        uint256 indexed proposalId,
        uint8 support,
        uint256 weight,
        string reason
    );
    /// @notice A vote that `node` had cast lost `weight`, which a staker voted itself.
    event VoteReduced(address indexed node, uint256 indexed proposalId, uint8 support, uint256 weight);

    error VotingPowerNotGovernor(address caller);
    error VotingPowerNotActive(uint256 proposalId, uint8 state);
    error VotingPowerUnknownSupport(uint8 support);
    error VotingPowerAlreadyVoted(uint256 proposalId, address account);
    error VotingPowerAlreadyOverridden(uint256 proposalId, address voter, address node);
    error VotingPowerNothingStaked(address voter, address node, uint256 timepoint);

    /// @notice What a vote of `account` weighs on proposals whose snapshot is `timepoint`, overrides not taken off.
    function pastVotes(address account, uint256 timepoint) external view returns (uint256);

    /// @notice Counts a vote of `weight` less what stakers have voted themselves; governor only.
    function count(uint256 proposalId, address account, uint8 support, uint256 weight)
        external
        returns (uint256 counted);

    /// @notice Votes the caller's own part of the stake on `node` (0 against, 1 for, 2 abstain); once per node.
    function castOverrideVote(uint256 proposalId, address node, uint8 support, string calldata reason)
        external
        returns (uint256 weight);

    /// @notice Whether `account` cast its own vote, overrides not meant.
    function hasVoted(uint256 proposalId, address account) external view returns (bool);

    /// @notice Whether `voter` voted its own part of the stake on `node`.
    function hasOverridden(uint256 proposalId, address voter, address node) external view returns (bool);

    /// @notice How much of the stake on `node` its stakers voted themselves.
    function overriddenOf(uint256 proposalId, address node) external view returns (uint256);

    function tallyOf(uint256 proposalId)
        external
        view
        returns (uint256 againstVotes, uint256 forVotes, uint256 abstainVotes);
}
