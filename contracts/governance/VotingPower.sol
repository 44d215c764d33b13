// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

import {IGovernor} from "@openzeppelin/contracts/governance/IGovernor.sol";
import {IVotes} from "@openzeppelin/contracts/governance/utils/IVotes.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {IOpenGovernor} from "../interfaces/IOpenGovernor.sol";
import {IStakedVotes} from "../interfaces/IStakedVotes.sol";
import {IVotingPower} from "../interfaces/IVotingPower.sol";

/// @title What votes weigh, and their tally.
/// @dev A node's counted weight is pastVotes - overridden: each wei of stake is in the tally at most once, be it through
/// its node or through its staker. NodeStaking rounds each staker's part down, so that the parts never exceed the whole.
contract VotingPower is IVotingPower {
    struct Ballot {
        /// @dev The support voted for plus one; 0 before the vote.
        uint8 castPlusOne;
        uint128 overridden;
    }

    uint8 private constant SUPPORTS = 3;

    IVotes public immutable token;
    IStakedVotes public immutable staking;
    IOpenGovernor public immutable governor;

    /// @inheritdoc IVotingPower
    mapping(uint256 proposalId => mapping(address voter => mapping(address node => bool))) public hasOverridden;

    mapping(uint256 proposalId => uint256[SUPPORTS] bySupport) private _tallies;
    mapping(uint256 proposalId => mapping(address account => Ballot)) private _ballots;

    constructor(IVotes token_, IStakedVotes staking_, IOpenGovernor governor_) {
        token = token_;
        staking = staking_;
        governor = governor_;
    }

    /// @inheritdoc IVotingPower
    function count(uint256 proposalId, address account, uint8 support, uint256 weight)
        external
        returns (uint256 counted)
    {
        require(msg.sender == address(governor), VotingPowerNotGovernor(msg.sender));
        require(support < SUPPORTS, VotingPowerUnknownSupport(support));
        Ballot storage ballot = _ballots[proposalId][account];
        require(ballot.castPlusOne == 0, VotingPowerAlreadyVoted(proposalId, account));
        counted = weight - ballot.overridden;
        ballot.castPlusOne = support + 1;
        _tallies[proposalId][support] += counted;
    }

    /// @inheritdoc IVotingPower
    function castOverrideVote(uint256 proposalId, address node, uint8 support, string calldata reason)
        external
        returns (uint256 weight)
    {
        IGovernor.ProposalState current = governor.state(proposalId);
        require(current == IGovernor.ProposalState.Active, VotingPowerNotActive(proposalId, uint8(current)));
        require(support < SUPPORTS, VotingPowerUnknownSupport(support));
        require(
            !hasOverridden[proposalId][msg.sender][node], VotingPowerAlreadyOverridden(proposalId, msg.sender, node)
        );
        uint256 timepoint = governor.proposalSnapshot(proposalId);
        weight = staking.pastStakeOf(node, msg.sender, timepoint);
        require(weight != 0, VotingPowerNothingStaked(msg.sender, node, timepoint));
        hasOverridden[proposalId][msg.sender][node] = true;
        _takeFrom(node, proposalId, weight);
        _tallies[proposalId][support] += weight;
        emit OverrideVoteCast(msg.sender, node, proposalId, support, weight, reason);
        governor.tallyUpdated(proposalId);
    }

    /// @inheritdoc IVotingPower
    function pastVotes(address account, uint256 timepoint) external view returns (uint256) {
        return token.getPastVotes(account, timepoint) + staking.pastStake(account, timepoint);
    }

    /// @inheritdoc IVotingPower
    function hasVoted(uint256 proposalId, address account) external view returns (bool) {
        return _ballots[proposalId][account].castPlusOne != 0;
    }

    /// @inheritdoc IVotingPower
    function overriddenOf(uint256 proposalId, address node) external view returns (uint256) {
        return _ballots[proposalId][node].overridden;
    }

    /// @inheritdoc IVotingPower
    function tallyOf(uint256 proposalId) external view returns (uint256, uint256, uint256) {
        uint256[SUPPORTS] storage tally = _tallies[proposalId];
        return (tally[0], tally[1], tally[2]);
    }

    /// @dev The node's vote loses the weight now if it is in the tally, else when it comes.
    function _takeFrom(address node, uint256 proposalId, uint256 weight) private {
        Ballot storage ballot = _ballots[proposalId][node];
        ballot.overridden += SafeCast.toUint128(weight);
        if (ballot.castPlusOne == 0) return;
        uint8 support = ballot.castPlusOne - 1;
        _tallies[proposalId][support] -= weight;
        emit VoteReduced(node, proposalId, support, weight);
    }
}
