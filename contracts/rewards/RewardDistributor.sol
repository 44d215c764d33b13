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

    uint256 private constant MAX_BATCH = 64;

    /// @dev `isWallet` is learnt with the first direct payment: a stakers account earns only after its node is known,
    /// so that no wallet becomes one.
    struct Account {
        uint128 claimed;
        uint120 relayMinimum;
        bool isWallet;
    }

    IOpenToken public immutable token;
    IEpochSettlement public immutable settlement;
    INodeStaking public immutable staking;

    /// @inheritdoc IRewardDistributor
    bytes32 public finalRoot;
    /// @inheritdoc IRewardDistributor
    uint256 public totalClaimed;

    mapping(address account => Account) private _accounts;

    modifier onlySettlement() {
        require(msg.sender == address(settlement), RewardDistributorNotSettlement(msg.sender));
        _;
    }

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
        bool isWallet;
        (amount, isWallet) = _claim(account, cumulative, proof);
        _pay(account, amount, cumulative, isWallet);
    }

    /// @inheritdoc IRewardDistributor
    function claimMany(Claim[] calldata claims) external nonReentrant returns (uint256 amount) {
        require(claims.length <= MAX_BATCH, RewardDistributorBatch(claims.length, MAX_BATCH));
        bytes32 root = finalRoot;
        for (uint256 i = 0; i < claims.length; ++i) {
            Claim calldata one = claims[i];
            uint256 total = _prove(one.account, one.cumulative, one.proof, root);
            Account memory known = _accounts[one.account];
            (uint256 open, uint256 minimum) = _openOf(one.account, one.cumulative, known);
            if (open == 0 || open < minimum) continue;
            _take(one.account, one.cumulative, open, total);
            _pay(one.account, open, one.cumulative, known.isWallet);
            amount += open;
        }
    }

    /// @inheritdoc IRewardDistributor
    function claimToStake(address node, uint256 cumulative, OpenSumTree.SumProof calldata proof)
        external
        nonReentrant
        returns (uint256 amount)
    {
        (amount,) = _claim(msg.sender, cumulative, proof);
        emit RewardStaked(msg.sender, node, amount, cumulative);
        token.forceApprove(address(staking), amount);
        staking.stakeFor(node, msg.sender, SafeCast.toUint128(amount));
    }

    /// @inheritdoc IRewardDistributor
    function claimForStakers(address node, uint256 cumulative, OpenSumTree.SumProof calldata proof)
        external
        nonReentrant
        returns (uint256 amount)
    {
        require(staking.isRegistered(node), RewardDistributorUnknownNode(node));
        (amount,) = _claim(EarnerAccounts.stakersOf(node), cumulative, proof);
        _rewardStakers(node, amount, cumulative);
    }

    /// @inheritdoc IRewardDistributor
    function setRelayMinimum(uint120 minimum) external {
        _accounts[msg.sender].relayMinimum = minimum;
        emit RelayMinimumChanged(msg.sender, minimum);
    }

    /// @inheritdoc IRewardDistributor
    function acceptRoot(bytes32 root) external onlySettlement {
        finalRoot = root;
    }

    /// @inheritdoc IRewardDistributor
    function payUnstated(address treasury, uint128 amount) external onlySettlement nonReentrant {
        emit UnstatedPaid(treasury, amount);
        token.safeTransfer(treasury, amount);
    }

    /// @inheritdoc IRewardDistributor
    function claimed(address account) external view returns (uint256) {
        return _accounts[account].claimed;
    }

    /// @inheritdoc IRewardDistributor
    function relayMinimum(address account) external view returns (uint256) {
        return _accounts[account].relayMinimum;
    }

    function _claim(address account, uint256 cumulative, OpenSumTree.SumProof calldata proof)
        private
        returns (uint256 amount, bool isWallet)
    {
        uint256 total = _prove(account, cumulative, proof, finalRoot);
        Account memory known = _accounts[account];
        uint256 minimum;
        (amount, minimum) = _openOf(account, cumulative, known);
        require(amount != 0, RewardDistributorNothingToClaim(account, cumulative, known.claimed));
        require(amount >= minimum, RewardDistributorBelowMinimum(account, amount, minimum));
        _take(account, cumulative, amount, total);
        isWallet = known.isWallet;
    }

    /// @dev The root binds its total, so a proof against it proves both.
    function _prove(address account, uint256 cumulative, OpenSumTree.SumProof calldata proof, bytes32 root)
        private
        pure
        returns (uint256 total)
    {
        bool fits;
        bytes32 digest;
        (fits, digest, total) = OpenSumTree.climb(EarnerAccounts.leafKey(account), cumulative, proof);
        require(fits && digest == root, RewardDistributorBadProof(account, cumulative, root));
    }

    /// @dev What is new, and the least that this caller may move of it: an account's own claims have no minimum.
    function _openOf(address account, uint256 cumulative, Account memory known)
        private
        view
        returns (uint256 open, uint256 minimum)
    {
        open = cumulative > known.claimed ? cumulative - known.claimed : 0;
        minimum = msg.sender == account ? 0 : known.relayMinimum;
    }

    function _take(address account, uint256 cumulative, uint256 amount, uint256 total) private {
        _accounts[account].claimed = SafeCast.toUint128(cumulative);
        uint256 sum = totalClaimed + amount;
        // Holds by the sum tree within one root; kept here so that a wrong later root cannot pay beyond its total.
        require(sum <= total, RewardDistributorOverTotal(sum, total));
        totalClaimed = sum;
    }

    function _pay(address account, uint256 amount, uint256 cumulative, bool isWallet) private {
        if (account == EarnerAccounts.BURN) {
            emit RewardBurnt(amount, cumulative);
            token.burn(amount);
            return;
        }
        if (!isWallet) {
            // Nobody holds the key of a stakers account, so paying it directly would lose the money.
            address node = staking.nodeOfStakers(account);
            if (node != address(0)) return _rewardStakers(node, amount, cumulative);
            _accounts[account].isWallet = true;
        }
        emit RewardClaimed(account, amount, cumulative);
        token.safeTransfer(account, amount);
    }

    function _rewardStakers(address node, uint256 amount, uint256 cumulative) private {
        emit StakersRewarded(node, amount, cumulative);
        token.forceApprove(address(staking), amount);
        staking.addRewards(node, SafeCast.toUint128(amount));
    }
}
