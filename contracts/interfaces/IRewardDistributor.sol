// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

import {OpenSumTree} from "../libraries/OpenSumTree.sol";

/// @title Holds what channels paid and pays it out against the latest final root.
/// @notice Entitlements are cumulative, so any later root covers all earlier ones, a claim moves only the rest, and only
/// the latest final root need be claimable.
interface IRewardDistributor {
    /// @dev One account's cumulative amount under the latest final root, with its proof.
    struct Claim {
        address account;
        uint256 cumulative;
        OpenSumTree.SumProof proof;
    }

    event RewardClaimed(address indexed account, uint256 amount, uint256 cumulative);
    event RewardStaked(address indexed account, address indexed node, uint256 amount, uint256 cumulative);
    event RewardBurnt(uint256 amount, uint256 cumulative);
    event StakersRewarded(address indexed node, uint256 amount, uint256 cumulative);
    event RelayMinimumChanged(address indexed account, uint120 minimum);
    event UnstatedPaid(address indexed treasury, uint256 amount);

    error RewardDistributorBadProof(address account, uint256 cumulative, bytes32 cumRoot);
    error RewardDistributorNothingToClaim(address account, uint256 cumulative, uint256 claimed);
    error RewardDistributorBelowMinimum(address account, uint256 amount, uint256 minimum);
    error RewardDistributorOverTotal(uint256 claimed, uint256 total);
    error RewardDistributorBatch(uint256 claims, uint256 limit);
    error RewardDistributorUnknownNode(address node);
    error RewardDistributorNotSettlement(address caller);

    /// @notice Pays `account` what it has earned since its last claim; anyone may relay. The burn account's part is
    /// burnt, and a node's stakers account is paid into the node's pool.
    function claim(address account, uint256 cumulative, OpenSumTree.SumProof calldata proof)
        external
        returns (uint256 amount);

    /// @notice Relays up to 64 claims. One that has nothing new, or less than its account lets others relay, is passed
    /// over, so that nobody can spoil a batch by claiming a part of it first.
    function claimMany(Claim[] calldata claims) external returns (uint256 amount);

    /// @notice Stakes what the caller has earned since its last claim on `node`, in the caller's name.
    function claimToStake(address node, uint256 cumulative, OpenSumTree.SumProof calldata proof)
        external
        returns (uint256 amount);

    /// @notice `claim` for the stakers of a registered node.
    function claimForStakers(address node, uint256 cumulative, OpenSumTree.SumProof calldata proof)
        external
        returns (uint256 amount);

    /// @notice Sets the least amount (wei) that others may claim in the caller's name; its own claims have none.
    function setRelayMinimum(uint120 minimum) external;

    /// @notice Takes the root of a final epoch, against which claims are proven from now on; from the settlement alone.
    function acceptRoot(bytes32 root) external;

    /// @notice Pays `treasury` what no statement promised anyone; by the settlement alone.
    function payUnstated(address treasury, uint128 amount) external;

    /// @notice The cumulative root of the last final epoch; kept here so that a claim asks no other contract.
    function finalRoot() external view returns (bytes32);

    /// @notice What `account` has been paid so far.
    function claimed(address account) external view returns (uint256);

    function relayMinimum(address account) external view returns (uint256);

    function totalClaimed() external view returns (uint256);
}
