// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {IEpochSettlement} from "../interfaces/IEpochSettlement.sol";
import {INodeStaking} from "../interfaces/INodeStaking.sol";
import {IOpenToken} from "../interfaces/IOpenToken.sol";
import {IRewardDistributor} from "../interfaces/IRewardDistributor.sol";
import {EarnerAccounts} from "../libraries/EarnerAccounts.sol";
import {OpenSumTree} from "../libraries/OpenSumTree.sol";

/// @title Vault of earned fees. Immutable; a claim against a final root cannot be stopped by anyone.
contract RewardDistributor is IRewardDistributor, ReentrancyGuardTransient {
    using SafeERC20 for IOpenToken;

    IOpenToken public immutable token;
    IEpochSettlement public immutable settlement;
    INodeStaking public immutable staking;

    /// @inheritdoc IRewardDistributor
    mapping(address account => uint256) public claimed;
    /// @inheritdoc IRewardDistributor
    uint256 public totalClaimed;

    constructor(IOpenToken token_, IEpochSettlement settlement_, INodeStaking staking_) {
        token = token_;
        settlement = settlement_;
        staking = staking_;
    }

    /// @inheritdoc IRewardDistributor
    function claim(address account, uint256 cumulative, OpenSumTree.SumProof calldata proof)
        external
        nonReentrant
        returns (uint256 amount)
    {
        return _claim(account, cumulative, proof);
    }

    /// @inheritdoc IRewardDistributor
    function claimForStakers(address node, uint256 cumulative, OpenSumTree.SumProof calldata proof)
        external
        nonReentrant
        returns (uint256 amount)
    {
        require(staking.isRegistered(node), RewardDistributorUnknownNode(node));
        return _claim(EarnerAccounts.stakersOf(node), cumulative, proof);
    }

    function _claim(address account, uint256 cumulative, OpenSumTree.SumProof calldata proof)
        private
        returns (uint256 amount)
    {
        (uint64 epoch, bytes32 cumRoot, uint128 total) = settlement.latestFinal();
        require(
            OpenSumTree.verify(EarnerAccounts.leafKey(account), cumulative, proof, cumRoot, total),
            RewardDistributorBadProof(account, cumulative, cumRoot)
        );
        uint256 before = claimed[account];
        require(cumulative > before, RewardDistributorNothingToClaim(account, cumulative, before));
        amount = cumulative - before;
        claimed[account] = cumulative;
        totalClaimed += amount;
        // Holds by the sum tree within one root; kept here so that a wrong later root cannot pay beyond its total.
        require(totalClaimed <= total, RewardDistributorOverTotal(totalClaimed, total));
        _pay(account, amount, cumulative, epoch);
    }

    function _pay(address account, uint256 amount, uint256 cumulative, uint64 epoch) private {
        if (account == EarnerAccounts.BURN) {
            emit RewardBurnt(amount, cumulative, epoch);
            token.burn(amount);
            return;
        }
        // Nobody holds the key of a stakers account, so paying it directly would lose the money.
        address node = staking.nodeOfStakers(account);
        if (node == address(0)) {
            emit RewardClaimed(account, amount, cumulative, epoch);
            token.safeTransfer(account, amount);
            return;
        }
        emit StakersRewarded(node, amount, cumulative, epoch);
        token.forceApprove(address(staking), amount);
        staking.addRewards(node, SafeCast.toUint128(amount));
    }
}
