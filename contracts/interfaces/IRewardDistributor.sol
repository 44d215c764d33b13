// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

import {OpenSumTree} from "../libraries/OpenSumTree.sol";

/// @title Holds what channels paid and pays it out against the latest final root.
/// @notice Entitlements are cumulative, so any later root covers all earlier ones and a claim moves only the rest.
interface IRewardDistributor {
    event RewardClaimed(address indexed account, uint256 amount, uint256 cumulative, uint64 indexed epoch);
    event RewardBurnt(uint256 amount, uint256 cumulative, uint64 indexed epoch);
    event StakersRewarded(address indexed node, uint256 amount, uint256 cumulative, uint64 indexed epoch);

    error RewardDistributorBadProof(address account, uint256 cumulative, bytes32 cumRoot);
    error RewardDistributorNothingToClaim(address account, uint256 cumulative, uint256 claimed);
    error RewardDistributorOverTotal(uint256 claimed, uint256 total);
    error RewardDistributorUnknownNode(address node);

    /// @notice Pays `account` what it has earned since its last claim; anyone may relay. The burn account's part is
    /// burnt, and a node's stakers account is paid into the node's pool.
    function claim(address account, uint256 cumulative, OpenSumTree.SumProof calldata proof)
        external
        returns (uint256 amount);

    /// @notice `claim` for the stakers of a registered node.
    function claimForStakers(address node, uint256 cumulative, OpenSumTree.SumProof calldata proof)
        external
        returns (uint256 amount);

    /// @notice What `account` has been paid so far.
    function claimed(address account) external view returns (uint256);

    function totalClaimed() external view returns (uint256);
}
