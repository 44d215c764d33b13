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

/// @title Stake pools of nodes. Immutable; exits, rewards and slashes cannot be paused by anyone.
/// @dev Shares and tokens convert at (shares + VIRTUAL_SHARES) / (tokens + 1), both ways rounded down, so that a first
/// staker gains nothing by donating to an empty pool, and no sequence of stakes and exits takes out more than went in.
/// rewardPerShare accumulates reward * PRECISION / shares; a position earns shares * (rewardPerShare - paid) / PRECISION.
contract NodeStaking is INodeStaking, EIP712, ReentrancyGuardTransient {
    using SafeERC20 for IOpenToken;

    uint256 private constant VIRTUAL_SHARES = 1_000;
    uint256 private constant PRECISION = 1e36;
    bytes32 private constant STAKE_TO_FEES = keccak256("stakeToFees");
    bytes32 private constant UNBONDING_PERIOD = keccak256("unbondingPeriod");
    bytes32 private constant SIGNER_TYPEHASH =
        keccak256("SignerAuthorization(address node,address signer,uint256 deadline)");

    struct Position {
        uint256 shares;
        uint256 rewardPerSharePaid;
        uint256 rewards;
    }

    struct Signer {
        address node;
        bool active;
    }

    /// @dev Two periods of locks: what was locked in the one before `period` is still held, what is older is free.
    struct Locks {
        uint96 previous;
        uint96 current;
        uint64 period;
    }

    IOpenToken public immutable token;
    IProtocolParameters public immutable parameters;
    address public immutable distributor;
    /// @inheritdoc INodeStaking
    mapping(address account => bool) public isSlasher;
    /// @inheritdoc INodeStaking
    mapping(address account => bool) public isLocker;

    uint256 public ticketCount;
    /// @inheritdoc INodeStaking
    mapping(address node => bytes32) public encryptionKey;
    /// @inheritdoc INodeStaking
    mapping(address account => address node) public nodeOfStakers;

    mapping(address node => Pool) private _pools;
    mapping(address node => mapping(address staker => Position)) private _positions;
    mapping(uint256 ticket => Ticket) private _tickets;
    mapping(address signer => Signer) private _signers;
    mapping(address node => Locks) private _locks;

    modifier onlyLocker() {
        require(isLocker[msg.sender], NodeStakingNotLocker(msg.sender));
        _;
    }

    constructor(IOpenToken token_, IProtocolParameters parameters_, Roles memory roles) EIP712("OpenLedger Staking", "1") {
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
    function stakeFor(address node, address staker, uint128 amount) external nonReentrant {
        require(msg.sender == distributor, NodeStakingNotDistributor(msg.sender));
        _stake(node, staker, amount);
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
    function stakeWithPermit(address node, uint128 amount, uint256 deadline, uint8 v, bytes32 r, bytes32 s)
        external
        nonReentrant
    {
        // Whoever used the permit first has set the same allowance; the transfer decides.
        try token.permit(msg.sender, address(this), amount, deadline, v, r, s) {} catch {}
        _stake(node, msg.sender, amount);
    }

    /// @inheritdoc INodeStaking
    function unbond(address node, uint256 shares) external returns (uint256 ticket) {
        require(shares != 0, NodeStakingZeroAmount());
        Pool storage pool = _pools[node];
        Position storage position = _accrue(node, msg.sender);
        require(shares <= position.shares, NodeStakingNotEnoughShares(shares, position.shares));
        uint256 amount = _toTokensDown(shares, pool.tokens, pool.shares);
        uint256 exiting = _toSharesDown(amount, pool.unbondingTokens, pool.unbondingShares);
        position.shares -= shares;
        pool.shares -= shares;
        pool.tokens -= SafeCast.toUint128(amount);
        pool.unbondingTokens += SafeCast.toUint128(amount);
        pool.unbondingShares += exiting;
        ticket = ++ticketCount;
        uint64 readyAt = uint64(block.timestamp) + unbondingPeriod();
        _tickets[ticket] = Ticket(msg.sender, node, exiting, readyAt);
        emit Unbonding(node, msg.sender, ticket, amount, shares, readyAt);
        if (msg.sender == node) require(locked(node) <= ownStake(node), NodeStakingLocked(node, locked(node), ownStake(node)));
    }

    /// @inheritdoc INodeStaking
    function withdraw(uint256 ticket) external nonReentrant returns (uint256 amount) {
        Ticket memory exit = _tickets[ticket];
        require(exit.staker != address(0), NodeStakingUnknownTicket(ticket));
        require(msg.sender == exit.staker, NodeStakingNotTicketOwner(ticket, msg.sender, exit.staker));
        require(block.timestamp >= exit.readyAt, NodeStakingStillUnbonding(ticket, exit.readyAt));
        Pool storage pool = _pools[exit.node];
        delete _tickets[ticket];
        amount = _toTokensDown(exit.shares, pool.unbondingTokens, pool.unbondingShares);
        pool.unbondingTokens -= SafeCast.toUint128(amount);
        pool.unbondingShares -= exit.shares;
        emit Withdrawn(exit.node, msg.sender, ticket, amount);
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
        _signers[signer] = Signer(msg.sender, true);
        emit SignerAuthorized(msg.sender, signer);
    }

    /// @inheritdoc INodeStaking
    function revokeSigner(address signer) external {
        Signer storage entry = _signers[signer];
        require(entry.node == msg.sender && entry.active, NodeStakingUnknownSigner(signer));
        entry.active = false;
        emit SignerRevoked(msg.sender, signer);
    }

    /// @inheritdoc INodeStaking
    function setEncryptionKey(bytes32 key) external {
        encryptionKey[msg.sender] = key;
        emit EncryptionKeyChanged(msg.sender, key);
    }

    /// @inheritdoc INodeStaking
    function addRewards(address node, uint128 amount) external nonReentrant {
        require(amount != 0, NodeStakingZeroAmount());
        Pool storage pool = _pools[node];
        if (pool.shares == 0) {
            pool.undistributed += amount;
        } else {
            uint256 reward = uint256(amount) + pool.undistributed;
            pool.undistributed = 0;
            pool.rewardPerShare += Math.mulDiv(reward, PRECISION, pool.shares);
        }
        emit RewardsAdded(node, msg.sender, amount);
        token.safeTransferFrom(msg.sender, address(this), amount);
    }

    /// @inheritdoc INodeStaking
    function claimRewards(address node) external nonReentrant returns (uint256 amount) {
        Position storage position = _accrue(node, msg.sender);
        amount = position.rewards;
        require(amount != 0, NodeStakingNoRewards(node, msg.sender));
        position.rewards = 0;
        emit RewardsClaimed(node, msg.sender, amount);
        token.safeTransfer(msg.sender, amount);
    }

    /// @inheritdoc INodeStaking
    function slash(address node, uint128 amount, address beneficiary)
        external
        nonReentrant
        returns (uint256 slashed)
    {
        require(isSlasher[msg.sender], NodeStakingNotSlasher(msg.sender));
        Pool storage pool = _pools[node];
        uint256 reachable = uint256(pool.tokens) + pool.unbondingTokens;
        // At most half at once: an emptied pool with shares left would make every later share worthless.
        slashed = Math.min(amount, reachable / 2);
        if (slashed == 0) return 0;
        uint256 fromUnbonding = Math.mulDiv(slashed, pool.unbondingTokens, reachable);
        pool.unbondingTokens -= SafeCast.toUint128(fromUnbonding);
        pool.tokens -= SafeCast.toUint128(slashed - fromUnbonding);
        uint256 rewarded = beneficiary == address(0) ? 0 : slashed / 2;
        emit StakeSlashed(node, beneficiary, slashed - rewarded, rewarded);
        token.burn(slashed - rewarded);
        if (rewarded != 0) token.safeTransfer(beneficiary, rewarded);
    }

    /// @inheritdoc INodeStaking
    function isSigner(address node, address signer) external view returns (bool) {
        return signer == node || (_signers[signer].active && _signers[signer].node == node);
    }

    /// @inheritdoc INodeStaking
    function wasSigner(address node, address signer) external view returns (bool) {
        return signer == node || (signer != address(0) && _signers[signer].node == node);
    }

    /// @inheritdoc INodeStaking
    function nodeOf(address account) external view returns (address) {
        return _signers[account].active ? _signers[account].node : account;
    }

    /// @inheritdoc INodeStaking
    function isRegistered(address node) external view returns (bool) {
        return nodeOfStakers[EarnerAccounts.stakersOf(node)] != address(0);
    }

    /// @inheritdoc INodeStaking
    function getPool(address node) external view returns (Pool memory) {
        return _pools[node];
    }

    /// @inheritdoc INodeStaking
    function getTicket(uint256 ticket) external view returns (Ticket memory) {
        return _tickets[ticket];
    }

    /// @inheritdoc INodeStaking
    function totalStake(address node) external view returns (uint256) {
        return _pools[node].tokens;
    }

    /// @inheritdoc INodeStaking
    function slashableStake(address node) external view returns (uint256) {
        return uint256(_pools[node].tokens) + _pools[node].unbondingTokens;
    }

    /// @inheritdoc INodeStaking
    function unbondingPeriod() public view returns (uint64) {
        return uint64(parameters.value(UNBONDING_PERIOD));
    }

    /// @inheritdoc INodeStaking
    function ownStake(address account) public view returns (uint256) {
        Pool storage pool = _pools[account];
        return _toTokensDown(_positions[account][account].shares, pool.tokens, pool.shares);
    }

    /// @inheritdoc INodeStaking
    function freeStake(address account) public view returns (uint256) {
        return Math.saturatingSub(ownStake(account), locked(account));
    }

    /// @inheritdoc INodeStaking
    function locked(address account) public view returns (uint256) {
        Locks memory locks = _rotated(account);
        return uint256(locks.previous) + locks.current;
    }

    /// @inheritdoc INodeStaking
    function stakeOf(address node, address staker) external view returns (uint256) {
        Pool storage pool = _pools[node];
        return _toTokensDown(_positions[node][staker].shares, pool.tokens, pool.shares);
    }

    /// @inheritdoc INodeStaking
    function sharesOf(address node, address staker) external view returns (uint256) {
        return _positions[node][staker].shares;
    }

    /// @inheritdoc INodeStaking
    function pendingRewards(address node, address staker) external view returns (uint256) {
        Position storage position = _positions[node][staker];
        return position.rewards + _earnedSince(position, _pools[node].rewardPerShare);
    }

    function _lock(address node, uint256 amount) private {
        uint256 free = freeStake(node);
        require(amount <= free, NodeStakingLockExceedsStake(node, amount, free));
        Locks memory locks = _rotated(node);
        locks.current += SafeCast.toUint96(amount);
        _locks[node] = locks;
        emit StakeLocked(node, msg.sender, amount);
    }

    function _rotated(address node) private view returns (Locks memory locks) {
        locks = _locks[node];
        uint64 period = uint64(block.timestamp) / unbondingPeriod();
        if (period == locks.period) return locks;
        return Locks(period == locks.period + 1 ? locks.current : 0, 0, period);
    }

    function _stake(address node, address staker, uint128 amount) private {
        require(node != address(0), NodeStakingZeroNode());
        require(amount != 0, NodeStakingZeroAmount());
        Pool storage pool = _pools[node];
        Position storage position = _accrue(node, staker);
        uint256 shares = _toSharesDown(amount, pool.tokens, pool.shares);
        require(shares != 0, NodeStakingTooSmall(amount));
        position.shares += shares;
        pool.shares += shares;
        pool.tokens += amount;
        nodeOfStakers[EarnerAccounts.stakersOf(node)] = node;
        emit Staked(node, staker, amount, shares);
        token.safeTransferFrom(msg.sender, address(this), amount);
    }

    /// @dev Must run before a position's shares change, or the change would earn for the past.
    function _accrue(address node, address staker) private returns (Position storage position) {
        uint256 rewardPerShare = _pools[node].rewardPerShare;
        position = _positions[node][staker];
        position.rewards += _earnedSince(position, rewardPerShare);
        position.rewardPerSharePaid = rewardPerShare;
    }

    function _earnedSince(Position storage position, uint256 rewardPerShare) private view returns (uint256) {
        return Math.mulDiv(position.shares, rewardPerShare - position.rewardPerSharePaid, PRECISION);
    }

    function _toSharesDown(uint256 amount, uint256 tokens, uint256 shares) private pure returns (uint256) {
        return Math.mulDiv(amount, shares + VIRTUAL_SHARES, tokens + 1);
    }

    function _toTokensDown(uint256 part, uint256 tokens, uint256 shares) private pure returns (uint256) {
        return Math.mulDiv(part, tokens + 1, shares + VIRTUAL_SHARES);
    }
}
