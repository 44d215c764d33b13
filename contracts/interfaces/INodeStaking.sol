// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

/// @title Stake behind nodes, their signers and encryption keys, and the stakers' part of the fees.
/// @notice Anyone stakes OPEN on a node and holds shares of that node's pool. A slash lowers what all shares are worth,
/// those being unbonded included. Rewards are kept in a ledger of their own and never touch the principal.
interface INodeStaking {
    /// @dev `tokens` and `shares` are at work; `unbonding*` are on their way out and still slashable.
    struct Pool {
        uint128 tokens;
        uint128 unbondingTokens;
        uint256 shares;
        uint256 unbondingShares;
        uint256 rewardPerShare;
        uint128 undistributed;
    }

    /// @dev The contracts that may stake for others out of claims, slash, and lock.
    struct Roles {
        address distributor;
        address[] slashers;
        address[] lockers;
    }

    struct Ticket {
        address staker;
        address node;
        uint256 shares;
        uint64 readyAt;
    }

    event Staked(address indexed node, address indexed staker, uint256 amount, uint256 shares);
    event Unbonding(
        address indexed node, address indexed staker, uint256 indexed ticket, uint256 amount, uint256 shares, uint64 readyAt
    );
    event Withdrawn(address indexed node, address indexed staker, uint256 indexed ticket, uint256 amount);
    event RewardsAdded(address indexed node, address indexed from, uint256 amount);
    event RewardsClaimed(address indexed node, address indexed staker, uint256 amount);
    event StakeLocked(address indexed node, address indexed locker, uint256 amount);
    event StakeSlashed(address indexed node, address indexed beneficiary, uint256 burnt, uint256 rewarded);
    event SignerAuthorized(address indexed node, address indexed signer);
    event SignerRevoked(address indexed node, address indexed signer);
    event EncryptionKeyChanged(address indexed node, bytes32 key);

    error NodeStakingZeroAmount();
    error NodeStakingZeroNode();
    error NodeStakingTooSmall(uint256 amount);
    error NodeStakingNotEnoughShares(uint256 asked, uint256 held);
    error NodeStakingUnknownTicket(uint256 ticket);
    error NodeStakingNotTicketOwner(uint256 ticket, address caller, address owner);
    error NodeStakingStillUnbonding(uint256 ticket, uint64 readyAt);
    error NodeStakingNoRewards(address node, address staker);
    error NodeStakingNotSlasher(address caller);
    error NodeStakingNotLocker(address caller);
    error NodeStakingNotDistributor(address caller);
    error NodeStakingLockExceedsStake(address node, uint256 amount, uint256 free);
    error NodeStakingLocked(address node, uint256 locked, uint256 ownStake);
    error NodeStakingProofExpired(uint256 deadline);
    error NodeStakingBadSignerProof(address signer, address recovered);
    /// @notice A signer is bound to one node for ever, so that what it once signed keeps one author.
    error NodeStakingSignerTaken(address signer, address node);
    error NodeStakingUnknownSigner(address signer);

    /// @notice Stakes the caller's OPEN on `node`; the first stake on a node registers it.
    function stake(address node, uint128 amount) external;

    /// @notice `stake` after a permit to this contract; a permit already used by someone else is no obstacle.
    function stakeWithPermit(address node, uint128 amount, uint256 deadline, uint8 v, bytes32 r, bytes32 s) external;

    /// @notice Starts the exit of `shares`; what they are worth now, less later slashes, is ready after the period.
    function unbond(address node, uint256 shares) external returns (uint256 ticket);

    /// @notice Pays a ready ticket to its owner.
    function withdraw(uint256 ticket) external returns (uint256 amount);

    /// @notice Lets `signer` sign for the calling node, `proof` being the signer's EIP-712 consent
    /// SignerAuthorization(address node,address signer,uint256 deadline), valid while now < deadline.
    function authorizeSigner(address signer, uint256 deadline, bytes calldata proof) external;

    /// @notice Ends a signer of the calling node; what it has signed stays provable.
    function revokeSigner(address signer) external;

    /// @notice Sets the calling node's X25519 public key.
    function setEncryptionKey(bytes32 key) external;

    /// @notice Pulls `amount` OPEN from the caller for the stakers of `node`. With no shares it waits for the next call.
    function addRewards(address node, uint128 amount) external;

    /// @notice Pays the caller's rewards from `node`.
    function claimRewards(address node) external returns (uint256 amount);

    /// @notice Takes up to `amount` (at most half of the slashable stake) from a node: half is burnt, half goes to
    /// `beneficiary` (zero: all is burnt). Slashers only. Never reverts for want of stake.
    function slash(address node, uint128 amount, address beneficiary) external returns (uint256 slashed);

    /// @notice Stakes the distributor's OPEN in a claimant's name.
    function stakeFor(address node, address staker, uint128 amount) external;

    /// @notice Locks `amount` of a node's own stake for one to two unbonding periods; lockers only.
    function lock(address node, uint128 amount) external;

    /// @notice Locks stake in the ratio "stakeToFees" to fees just collected; lockers only.
    function lockForFees(address node, uint128 fees) external;

    function unbondingPeriod() external view returns (uint64);

    function isSlasher(address account) external view returns (bool);

    function isLocker(address account) external view returns (bool);

    /// @notice What an account has staked on itself, at work.
    function ownStake(address account) external view returns (uint256);

    /// @notice Own stake that is not locked.
    function freeStake(address account) external view returns (uint256);

    function locked(address account) external view returns (uint256);

    /// @notice Whether `signer` signs for `node` now; a node signs for itself.
    function isSigner(address node, address signer) external view returns (bool);

    /// @notice Whether `signer` ever signed for `node`, revoked since or not.
    function wasSigner(address node, address signer) external view returns (bool);

    /// @notice The node an active signer acts for; any other account stands for itself.
    function nodeOf(address account) external view returns (address);

    /// @notice Whether anyone ever staked on `node`.
    function isRegistered(address node) external view returns (bool);

    /// @notice The registered node whose stakers earn under `account`, or zero.
    function nodeOfStakers(address account) external view returns (address);

    function encryptionKey(address node) external view returns (bytes32);

    function getPool(address node) external view returns (Pool memory);

    function getTicket(uint256 ticket) external view returns (Ticket memory);

    /// @notice OPEN at work on `node`, without what is being unbonded.
    function totalStake(address node) external view returns (uint256);

    /// @notice OPEN that a slash of `node` can reach: at work and unbonding.
    function slashableStake(address node) external view returns (uint256);

    /// @notice What the staker's shares of `node` are worth, rounded down.
    function stakeOf(address node, address staker) external view returns (uint256);

    /// @notice The staker's shares of `node`, the unit of `unbond`.
    function sharesOf(address node, address staker) external view returns (uint256);

    function pendingRewards(address node, address staker) external view returns (uint256);
}
