// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {INodeStaking} from "../interfaces/INodeStaking.sol";
import {IOpenToken} from "../interfaces/IOpenToken.sol";
import {IProtocolParameters} from "../interfaces/IProtocolParameters.sol";
import {EarnerAccounts} from "../libraries/EarnerAccounts.sol";
import {RewardDrip} from "../libraries/RewardDrip.sol";
import {ShareMath} from "../libraries/ShareMath.sol";
import {StakeHistory} from "../libraries/StakeHistory.sol";
import {StakeLocks} from "../libraries/StakeLocks.sol";

/// @title Stake of nodes, curators and jurors, and of those who delegate to them.
/// @notice Immutable; exits, rewards and slashes cannot be paused by anyone.
/// @dev Two pools per node. The own pool has one holder, so a share of it is a wei; the delegation pool has shares
/// (ShareMath). What leaves either pool waits in its unbonding part, in shares again, so that a slash reaches every
/// ticket without knowing it. rewardPerShare and earned are in wei times PRECISION, so only a claim rounds.
contract NodeStaking is INodeStaking, EIP712, ReentrancyGuardTransient {
    using SafeERC20 for IOpenToken;
    using RewardDrip for RewardDrip.Drip;
    using StakeHistory for StakeHistory.History;
    using StakeLocks for StakeLocks.Locks;

    uint256 private constant MIN_STAKE = 1 ether;
    uint256 private constant PRECISION = 1e36;
    bytes32 private constant STAKE_TO_FEES = keccak256("stakeToFees");
    bytes32 private constant UNBONDING_PERIOD = keccak256("unbondingPeriod");
    bytes32 private constant SIGNER_REVOKE_DELAY = keccak256("signerRevokeDelay");
    bytes32 private constant REWARD_DRIP = keccak256("rewardDrip");
    bytes32 private constant SIGNER_TYPEHASH =
        keccak256("SignerAuthorization(address node,address signer,uint256 deadline)");

    struct Node {
        Pool own;
        Pool delegated;
        StakeLocks.Locks locks;
        RewardDrip.Drip drip;
    }

    struct Position {
        uint256 shares;
        uint256 rewardPerSharePaid;
        uint256 earned;
    }

    /// @dev `until` is the end of time while the signer is not revoked.
    struct Signer {
        address node;
        uint64 until;
    }

    IOpenToken public immutable token;
    IProtocolParameters public immutable parameters;
    address public immutable distributor;
    /// @inheritdoc INodeStaking
    mapping(address account => bool) public isSlasher;
    /// @inheritdoc INodeStaking
    mapping(address account => bool) public isLocker;

    /// @dev In one word, which is never zero: no slash pays for a fresh one.
    uint128 private _nextTicket = 1;
    /// @inheritdoc INodeStaking
    uint128 public unburnt;
    /// @inheritdoc INodeStaking
    mapping(address account => uint256) public bountyOf;
    /// @inheritdoc INodeStaking
    mapping(address node => bytes32) public encryptionKey;
    /// @inheritdoc INodeStaking
    mapping(address account => address node) public nodeOfStakers;

    mapping(address node => Node) private _nodes;
    mapping(address node => mapping(address staker => Position)) private _positions;
    mapping(uint256 ticket => Ticket) private _tickets;
    mapping(address signer => Signer) private _signers;
    StakeHistory.History private _history;

    modifier onlyLocker() {
        require(isLocker[msg.sender], NodeStakingNotLocker(msg.sender));
        _;
    }

    constructor(IOpenToken token_, IProtocolParameters parameters_, Roles memory roles)
        EIP712("OpenLedger Staking", "1")
    {
        token = token_;
        parameters = parameters_;
        distributor = roles.distributor;
        for (uint256 i = 0; i < roles.slashers.length; ++i) {
            isSlasher[roles.slashers[i]] = true;
        }
        for (uint256 i = 0; i < roles.lockers.length; ++i) {
            isLocker[roles.lockers[i]] = true;
        }
    }

    /// @inheritdoc INodeStaking
    function stake(address node, uint128 amount) external nonReentrant {
        _stake(node, msg.sender, amount);
    }

    /// @inheritdoc INodeStaking
    function stakeAtLeast(address node, uint128 amount, uint256 minShares) external nonReentrant {
        uint256 shares = _stake(node, msg.sender, amount);
        require(shares >= minShares, NodeStakingTooFewShares(shares, minShares));
    }

    /// @inheritdoc INodeStaking
    function stakeWithPermit(address node, uint128 amount, uint256 deadline, uint8 v, bytes32 r, bytes32 s)
        external
        nonReentrant
    {
        // Whoever used the permit first has set the same allowance; the transfer decides.
        try token.permit(msg.sender, address(this), amount, deadline, v, r, s) {} catch {}
        _stake(node, msg.sender, amount);
    }

    /// @inheritdoc INodeStaking
    function stakeFor(address node, address staker, uint128 amount) external nonReentrant {
        require(msg.sender == distributor, NodeStakingNotDistributor(msg.sender));
        require(staker != address(0), NodeStakingZeroStaker());
        _stake(node, staker, amount);
    }

    /// @inheritdoc INodeStaking
    function unbond(address node, uint256 shares) external nonReentrant returns (uint256 ticket) {
        require(shares != 0, NodeStakingZeroAmount());
        _release(node);
        bool own = msg.sender == node;
        uint256 amount = own ? _leaveOwn(node, shares) : _leaveDelegated(node, shares);
        require(amount != 0, NodeStakingZeroAmount());
        Pool storage pool = _pool(node, msg.sender);
        uint256 exiting = ShareMath.toSharesDown(amount, pool.unbondingTokens, pool.unbondingShares);
        pool.unbondingTokens += SafeCast.toUint128(amount);
        pool.unbondingShares += exiting;
        ticket = _nextTicket++;
        uint64 readyAt = uint64(block.timestamp) + unbondingPeriod();
        _tickets[ticket] = Ticket(msg.sender, readyAt, node, pool.generation, exiting);
        emit Unbonding(node, msg.sender, ticket, amount, shares, readyAt);
    }

    /// @inheritdoc INodeStaking
    function withdraw(uint256 ticket) external nonReentrant returns (uint256 amount) {
        Ticket memory exit = _tickets[ticket];
        require(exit.staker != address(0), NodeStakingUnknownTicket(ticket));
        require(msg.sender == exit.staker, NodeStakingNotTicketOwner(ticket, msg.sender, exit.staker));
        require(block.timestamp >= exit.readyAt, NodeStakingStillUnbonding(ticket, exit.readyAt));
        delete _tickets[ticket];
        Pool storage pool = _pool(exit.node, exit.staker);
        if (exit.generation == pool.generation) {
            amount = ShareMath.toTokensDown(exit.shares, pool.unbondingTokens, pool.unbondingShares);
            pool.unbondingTokens -= SafeCast.toUint128(amount);
            pool.unbondingShares -= exit.shares;
        }
        emit Withdrawn(exit.node, msg.sender, ticket, amount);
        if (amount != 0) token.safeTransfer(msg.sender, amount);
    }

    /// @inheritdoc INodeStaking
    function lock(address node, uint128 amount) external onlyLocker {
        _lock(node, amount);
    }

    /// @inheritdoc INodeStaking
    function lockForFees(address node, uint128 fees) external onlyLocker {
        _lock(node, fees * parameters.value(STAKE_TO_FEES));
    }

    /// @inheritdoc INodeStaking
    function slash(address node, uint128 amount, address beneficiary)
        external
        nonReentrant
        returns (uint256 slashed)
    {
        require(isSlasher[msg.sender], NodeStakingNotSlasher(msg.sender));
        _release(node);
        uint256 capped = Math.min(amount, slashableStake(node) / 2);
        if (capped == 0) return 0;
        uint256 ownPart = Math.min(capped, _reachable(_nodes[node].own));
        uint256 fromOwn = _slashOwn(node, ownPart);
        slashed = fromOwn + _slashDelegated(node, capped - ownPart);
        uint256 rewarded = beneficiary == address(0) ? 0 : slashed / 2;
        unburnt += SafeCast.toUint128(slashed - rewarded);
        if (rewarded != 0) bountyOf[beneficiary] += rewarded;
        emit StakeSlashed(node, beneficiary, slashed - rewarded, rewarded, fromOwn);
    }

    /// @inheritdoc INodeStaking
    function collectBounty(address account) external nonReentrant returns (uint256 amount) {
        amount = bountyOf[account];
        require(amount != 0, NodeStakingNoBounty(account));
        delete bountyOf[account];
        emit BountyCollected(account, amount);
        token.safeTransfer(account, amount);
    }

    /// @inheritdoc INodeStaking
    function burnSlashed() external nonReentrant returns (uint256 amount) {
        amount = unburnt;
        require(amount != 0, NodeStakingNothingToBurn());
        unburnt = 0;
        emit SlashedBurnt(amount);
        token.burn(amount);
    }

    /// @inheritdoc INodeStaking
    function addRewards(address node, uint128 amount) external nonReentrant {
        require(amount != 0, NodeStakingZeroAmount());
        _release(node);
        _nodes[node].drip.add(amount, parameters.value(REWARD_DRIP));
        emit RewardsAdded(node, msg.sender, amount);
        token.safeTransferFrom(msg.sender, address(this), amount);
    }

    /// @inheritdoc INodeStaking
    function claimRewards(address node) external nonReentrant returns (uint256 amount) {
        _release(node);
        Position storage position = _accrue(node, msg.sender);
        amount = position.earned / PRECISION;
        require(amount != 0, NodeStakingNoRewards(node, msg.sender));
        position.earned -= amount * PRECISION;
        emit RewardsClaimed(node, msg.sender, amount);
        token.safeTransfer(msg.sender, amount);
    }

    /// @inheritdoc INodeStaking
    function authorizeSigner(address signer, uint256 deadline, bytes calldata proof) external {
        require(block.timestamp < deadline, NodeStakingProofExpired(deadline));
        bytes32 digest = _hashTypedDataV4(keccak256(abi.encode(SIGNER_TYPEHASH, msg.sender, signer, deadline)));
        (address recovered,,) = ECDSA.tryRecover(digest, proof);
        require(recovered != address(0) && recovered == signer, NodeStakingBadSignerProof(signer, recovered));
        address boundTo = _signers[signer].node;
        require(boundTo == address(0) || boundTo == msg.sender, NodeStakingSignerTaken(signer, boundTo));
        _signers[signer] = Signer(msg.sender, type(uint64).max);
        emit SignerAuthorized(msg.sender, signer);
    }

    /// @inheritdoc INodeStaking
    function revokeSigner(address signer) external {
        Signer storage entry = _signers[signer];
        require(entry.node == msg.sender && entry.until == type(uint64).max, NodeStakingUnknownSigner(signer));
        entry.until = uint64(block.timestamp + parameters.value(SIGNER_REVOKE_DELAY));
        emit SignerRevoked(msg.sender, signer, entry.until);
    }

    /// @inheritdoc INodeStaking
    function setEncryptionKey(bytes32 key) external {
        encryptionKey[msg.sender] = key;
        emit EncryptionKeyChanged(msg.sender, key);
    }

    /// @inheritdoc INodeStaking
    function isSigner(address node, address signer) external view returns (bool) {
        return signer == node || (_signers[signer].node == node && _isActive(signer));
    }

    /// @inheritdoc INodeStaking
    function wasSigner(address node, address signer) external view returns (bool) {
        return signer == node || (signer != address(0) && _signers[signer].node == node);
    }

    /// @inheritdoc INodeStaking
    function nodeOf(address account) external view returns (address) {
        return _isActive(account) ? _signers[account].node : account;
    }

    /// @inheritdoc INodeStaking
    function isRegistered(address node) external view returns (bool) {
        return nodeOfStakers[EarnerAccounts.stakersOf(node)] != address(0);
    }

    /// @inheritdoc INodeStaking
    function ownPool(address node) external view returns (Pool memory pool) {
        pool = _nodes[node].own;
        pool.shares = pool.tokens;
    }

    /// @inheritdoc INodeStaking
    function delegationPool(address node) external view returns (Pool memory) {
        return _nodes[node].delegated;
    }

    /// @inheritdoc INodeStaking
    function rewardDrip(address node) external view returns (uint256 left, uint64 last, uint64 until) {
        RewardDrip.Drip storage drip = _nodes[node].drip;
        return (drip.left, drip.last, drip.until);
    }

    /// @inheritdoc INodeStaking
    function getTicket(uint256 ticket) external view returns (Ticket memory) {
        return _tickets[ticket];
    }

    /// @inheritdoc INodeStaking
    function ticketWorth(uint256 ticket) external view returns (uint256) {
        Ticket storage exit = _tickets[ticket];
        Pool storage pool = _pool(exit.node, exit.staker);
        if (exit.staker == address(0) || exit.generation != pool.generation) return 0;
        return ShareMath.toTokensDown(exit.shares, pool.unbondingTokens, pool.unbondingShares);
    }

    /// @inheritdoc INodeStaking
    function totalStake(address node) external view returns (uint256) {
        return uint256(_nodes[node].own.tokens) + _nodes[node].delegated.tokens;
    }

    /// @inheritdoc INodeStaking
    function stakeOf(address node, address staker) external view returns (uint256) {
        if (staker == node) return _nodes[node].own.tokens;
        Pool storage pool = _nodes[node].delegated;
        return ShareMath.toTokensDown(_positions[node][staker].shares, pool.tokens, pool.shares);
    }

    /// @inheritdoc INodeStaking
    function sharesOf(address node, address staker) external view returns (uint256) {
        return staker == node ? _nodes[node].own.tokens : _positions[node][staker].shares;
    }

    /// @inheritdoc INodeStaking
    function pendingRewards(address node, address staker) external view returns (uint256) {
        Position storage position = _positions[node][staker];
        Pool storage pool = _nodes[node].delegated;
        (uint256 toOwn, uint256 toDelegated) = _due(_nodes[node]);
        uint256 perShare = pool.rewardPerShare + _perShare(toDelegated, pool.shares);
        uint256 earned = position.earned + position.shares * (perShare - position.rewardPerSharePaid);
        if (staker == node) earned += toOwn * PRECISION;
        return earned / PRECISION;
    }

    /// @inheritdoc INodeStaking
    function pastStake(address node, uint256 time) external view returns (uint256) {
        return _history.totalAt(node, _past(time));
    }

    /// @inheritdoc INodeStaking
    function pastStakeOf(address node, address staker, uint256 time) external view returns (uint256) {
        return _history.stakeAt(node, staker, _past(time));
    }

    /// @inheritdoc INodeStaking
    function unbondingPeriod() public view returns (uint64) {
        return uint64(parameters.value(UNBONDING_PERIOD));
    }

    /// @inheritdoc INodeStaking
    function ownStake(address account) public view returns (uint256) {
        return _nodes[account].own.tokens;
    }

    /// @inheritdoc INodeStaking
    function freeStake(address account) public view returns (uint256) {
        return ownStake(account) - locked(account);
    }

    /// @inheritdoc INodeStaking
    function locked(address account) public view returns (uint256) {
        return _nodes[account].locks.held();
    }

    /// @inheritdoc INodeStaking
    function ticketCount() external view returns (uint256) {
        return _nextTicket - 1;
    }

    /// @inheritdoc INodeStaking
    function slashableStake(address node) public view returns (uint256) {
        return _reachable(_nodes[node].own) + _reachable(_nodes[node].delegated);
    }

    function _stake(address node, address staker, uint128 amount) private returns (uint256 shares) {
        require(node != address(0), NodeStakingZeroNode());
        require(amount != 0, NodeStakingZeroAmount());
        _release(node);
        shares = staker == node ? _joinOwn(node, amount) : _joinDelegated(node, staker, amount);
        address stakers = EarnerAccounts.stakersOf(node);
        if (nodeOfStakers[stakers] == address(0)) nodeOfStakers[stakers] = node;
        emit Staked(node, staker, amount, shares);
        token.safeTransferFrom(msg.sender, address(this), amount);
    }

    function _joinOwn(address node, uint128 amount) private returns (uint256 shares) {
        Pool storage pool = _nodes[node].own;
        require(amount >= MIN_STAKE || pool.tokens != 0, NodeStakingTooSmall(amount, MIN_STAKE));
        pool.tokens += amount;
        _history.recordOwn(node, pool.tokens);
        return amount;
    }

    function _joinDelegated(address node, address staker, uint128 amount) private returns (uint256 shares) {
        Pool storage pool = _nodes[node].delegated;
        Position storage position = _accrue(node, staker);
        require(amount >= MIN_STAKE || position.shares != 0, NodeStakingTooSmall(amount, MIN_STAKE));
        shares = ShareMath.toSharesDown(amount, pool.tokens, pool.shares);
        require(shares != 0, NodeStakingTooSmall(amount, MIN_STAKE));
        position.shares += shares;
        pool.shares += shares;
        pool.tokens += amount;
        _recordDelegated(node, staker);
    }

    function _leaveOwn(address node, uint256 amount) private returns (uint256) {
        Pool storage pool = _nodes[node].own;
        require(amount <= pool.tokens, NodeStakingNotEnoughShares(amount, pool.tokens));
        uint256 free = freeStake(node);
        require(amount <= free, NodeStakingLocked(node, amount, free));
        pool.tokens -= uint128(amount);
        _history.recordOwn(node, pool.tokens);
        return amount;
    }

    function _leaveDelegated(address node, uint256 shares) private returns (uint256 amount) {
        Pool storage pool = _nodes[node].delegated;
        Position storage position = _accrue(node, msg.sender);
        require(shares <= position.shares, NodeStakingNotEnoughShares(shares, position.shares));
        amount = ShareMath.toTokensDown(shares, pool.tokens, pool.shares);
        position.shares -= shares;
        pool.shares -= shares;
        pool.tokens -= uint128(amount);
        _recordDelegated(node, msg.sender);
    }

    function _recordDelegated(address node, address staker) private {
        Pool storage pool = _nodes[node].delegated;
        _history.recordTokens(node, pool.tokens);
        _history.recordShares(node, staker, pool.shares, _positions[node][staker].shares);
    }

    function _lock(address node, uint256 amount) private {
        if (amount == 0) return;
        uint256 free = freeStake(node);
        require(amount <= free, NodeStakingLockExceedsStake(node, amount, free));
        _nodes[node].locks.add(amount, unbondingPeriod());
        emit StakeLocked(node, msg.sender, amount);
    }

    function _slashOwn(address node, uint256 amount) private returns (uint256 taken) {
        if (amount == 0) return 0;
        Node storage entry = _nodes[node];
        Pool storage pool = entry.own;
        if (amount == _reachable(pool)) {
            // Tickets of an emptied pool must not share in what is unbonded later.
            (pool.tokens, pool.unbondingTokens, pool.unbondingShares) = (0, 0, 0);
            ++pool.generation;
            taken = amount;
        } else {
            taken = _take(pool, amount);
        }
        entry.locks.reduceTo(pool.tokens);
        _history.recordOwn(node, pool.tokens);
    }

    /// @dev Never empties the pool: the own pool goes first, so half of both is at most half of this one.
    function _slashDelegated(address node, uint256 amount) private returns (uint256 taken) {
        if (amount == 0) return 0;
        Pool storage pool = _nodes[node].delegated;
        taken = _take(pool, amount);
        _history.recordTokens(node, pool.tokens);
    }

    /// @dev The same part of what is at work and of what is unbonding, both rounded down.
    function _take(Pool storage pool, uint256 amount) private returns (uint256 taken) {
        (uint256 working, uint256 unbonding) = (pool.tokens, pool.unbondingTokens);
        uint256 fromWorking = Math.mulDiv(amount, working, working + unbonding);
        uint256 fromUnbonding = Math.mulDiv(amount, unbonding, working + unbonding);
        pool.tokens = uint128(working - fromWorking);
        pool.unbondingTokens = uint128(unbonding - fromUnbonding);
        return fromWorking + fromUnbonding;
    }

    /// @dev Must run before a node's stake changes, or the change would earn for the past.
    function _release(address node) private {
        Node storage entry = _nodes[node];
        if (entry.drip.left == 0) return;
        if (entry.own.tokens == 0 && entry.delegated.tokens == 0) return entry.drip.pause();
        (uint256 toOwn, uint256 toDelegated) = _due(entry);
        entry.drip.take(toOwn + toDelegated);
        if (toOwn != 0) _positions[node][node].earned += toOwn * PRECISION;
        if (toDelegated != 0) entry.delegated.rewardPerShare += _perShare(toDelegated, entry.delegated.shares);
    }

    /// @dev Must run before a position's shares change, likewise.
    function _accrue(address node, address staker) private returns (Position storage position) {
        uint256 rewardPerShare = _nodes[node].delegated.rewardPerShare;
        position = _positions[node][staker];
        position.earned += position.shares * (rewardPerShare - position.rewardPerSharePaid);
        position.rewardPerSharePaid = rewardPerShare;
    }

    function _due(Node storage entry) private view returns (uint256 toOwn, uint256 toDelegated) {
        uint256 own = entry.own.tokens;
        uint256 all = own + entry.delegated.tokens;
        if (all == 0) return (0, 0);
        uint256 due = entry.drip.due();
        toOwn = Math.mulDiv(due, own, all);
        toDelegated = due - toOwn;
    }

    function _pool(address node, address staker) private view returns (Pool storage) {
        return staker == node ? _nodes[node].own : _nodes[node].delegated;
    }

    function _isActive(address signer) private view returns (bool) {
        return block.timestamp < _signers[signer].until;
    }

    /// @dev The present second can still change, so only the past is history.
    function _past(uint256 time) private view returns (uint48) {
        require(time < block.timestamp, NodeStakingFutureLookup(time, block.timestamp));
        return uint48(time);
    }

    function _reachable(Pool storage pool) private view returns (uint256) {
        return uint256(pool.tokens) + pool.unbondingTokens;
    }

    function _perShare(uint256 amount, uint256 shares) private pure returns (uint256) {
        return shares == 0 ? 0 : Math.mulDiv(amount, PRECISION, shares);
    }
}
