// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

/// @title Stake behind nodes, their signers and encryption keys, and the stakers' part of the fees.
/// @notice Whoever stakes on its own address bonds itself: nodes, curators and jurors alike. Whoever stakes on another
/// delegates. A slash takes own stake first and delegations after it, what is being unbonded at the rate of what is at
/// work. Rewards are kept in a ledger of their own and never touch the principal.
interface INodeStaking {
    /// @dev The contracts that may stake for others out of claims, slash, and lock.
    struct Roles {
        address distributor;
        address[] slashers;
        address[] lockers;
    }

    /// @dev `tokens` and `shares` are at work; `unbonding*` are on their way out and still slashable. A slash that takes
    /// all of a pool starts its next generation, and tickets of earlier ones are worth nothing.
    struct Pool {
        uint128 tokens;
        uint128 unbondingTokens;
        uint256 shares;
        uint256 unbondingShares;
        uint256 rewardPerShare;
        uint64 generation;
    }

    struct Ticket {
        address staker;
        uint64 readyAt;
        address node;
        uint64 generation;
        uint256 shares;
    }

    event Staked(address indexed node, address indexed staker, uint256 amount, uint256 shares);
    event Unbonding(
        address indexed node, address indexed staker, uint256 indexed ticket, uint256 amount, uint256 shares, uint64 readyAt
    );
    event Withdrawn(address indexed node, address indexed staker, uint256 indexed ticket, uint256 amount);
    event RewardsAdded(address indexed node, address indexed from, uint256 amount);
    event RewardsClaimed(address indexed node, address indexed staker, uint256 amount);
    event StakeLocked(address indexed node, address indexed locker, uint256 amount);
    /// @dev Of burnt + rewarded, `fromOwn` was the node's own.
    event StakeSlashed(
        address indexed node, address indexed beneficiary, uint256 burnt, uint256 rewarded, uint256 fromOwn
    );
    event BountyCollected(address indexed account, uint256 amount);
    event SlashedBurnt(uint256 amount);
    event SignerAuthorized(address indexed node, address indexed signer);
    event SignerRevoked(address indexed node, address indexed signer, uint64 until);
    event EncryptionKeyChanged(address indexed node, bytes32 key);

    error NodeStakingZeroAmount();
    error NodeStakingZeroNode();
    error NodeStakingZeroStaker();
    /// @notice A new position needs `least`; one that has shares may be topped up with anything worth a share.
    error NodeStakingTooSmall(uint256 amount, uint256 least);
    error NodeStakingTooFewShares(uint256 shares, uint256 least);
    error NodeStakingNotEnoughShares(uint256 asked, uint256 held);
    error NodeStakingUnknownTicket(uint256 ticket);
    error NodeStakingNotTicketOwner(uint256 ticket, address caller, address owner);
    error NodeStakingStillUnbonding(uint256 ticket, uint64 readyAt);
    error NodeStakingNoRewards(address node, address staker);
    error NodeStakingNoBounty(address account);
    error NodeStakingNothingToBurn();
    error NodeStakingNotSlasher(address caller);
    error NodeStakingNotLocker(address caller);
    error NodeStakingNotDistributor(address caller);
    error NodeStakingLockExceedsStake(address node, uint256 amount, uint256 free);
    /// @notice Own stake that is locked cannot leave; `free` can.
    error NodeStakingLocked(address node, uint256 amount, uint256 free);
    error NodeStakingProofExpired(uint256 deadline);
    error NodeStakingBadSignerProof(address signer, address recovered);
    /// @notice A signer is bound to one node for ever, so that what it once signed keeps one author.
    error NodeStakingSignerTaken(address signer, address node);
    error NodeStakingUnknownSigner(address signer);
    error NodeStakingFutureLookup(uint256 time, uint256 nowTime);

    /// @notice Stakes the caller's OPEN on `node`; the first stake on a node registers it. On the caller's own address it
    /// is own stake, on another a delegation.
    function stake(address node, uint128 amount) external;

    /// @notice `stake`, unless it would bring fewer than `minShares`.
    function stakeAtLeast(address node, uint128 amount, uint256 minShares) external;

    /// @notice `stake` after a permit to this contract; a permit already used by someone else is no obstacle.
    function stakeWithPermit(address node, uint128 amount, uint256 deadline, uint8 v, bytes32 r, bytes32 s) external;

    /// @notice Stakes the distributor's OPEN in a claimant's name.
    function stakeFor(address node, address staker, uint128 amount) external;

    /// @notice Starts the exit of `shares`; what they are worth now, less later slashes, is ready after the unbonding
    /// period in force now. Own stake leaves only as far as it is not locked.
    function unbond(address node, uint256 shares) external returns (uint256 ticket);

    /// @notice Pays a ready ticket to its owner.
    function withdraw(uint256 ticket) external returns (uint256 amount);

    /// @notice Locks `amount` of a node's own stake for one to two unbonding periods; lockers only.
    function lock(address node, uint128 amount) external;

    /// @notice Locks own stake in the ratio "stakeToFees" to fees just collected; lockers only.
    function lockForFees(address node, uint128 fees) external;

    /// @notice Takes up to `amount` (at most half of the slashable stake) from a node: half is to burn, half becomes a
    /// bounty of `beneficiary` (zero: all is to burn). Slashers only. Moves no token, so a proof costs its prover less.
    /// Never reverts for want of stake; a pool whose parts do not divide evenly gives one wei less.
    function slash(address node, uint128 amount, address beneficiary) external returns (uint256 slashed);

    /// @notice Pays `account` the bounties that slashes left it, whoever calls.
    function collectBounty(address account) external returns (uint256 amount);

    /// @notice Burns what slashes left to burn, whoever calls.
    function burnSlashed() external returns (uint256 amount);

    /// @notice Pulls `amount` OPEN from the caller for the stakers of `node`. It reaches those staked meanwhile, by what
    /// they have at work, evenly over "rewardDrip" seconds; while nobody is staked it waits.
    function addRewards(address node, uint128 amount) external;

    /// @notice Pays the caller's rewards from `node`.
    function claimRewards(address node) external returns (uint256 amount);

    /// @notice Lets `signer` sign for the calling node, `proof` being the signer's EIP-712 consent
    /// SignerAuthorization(address node,address signer,uint256 deadline), valid while now < deadline.
    function authorizeSigner(address signer, uint256 deadline, bytes calldata proof) external;

    /// @notice Ends a signer of the calling node "signerRevokeDelay" from now; what it has signed stays provable.
    function revokeSigner(address signer) external;

    /// @notice Sets the calling node's X25519 public key.
    function setEncryptionKey(bytes32 key) external;

    /// @notice The period that an exit started now would take.
    function unbondingPeriod() external view returns (uint64);

    function isSlasher(address account) external view returns (bool);

    function isLocker(address account) external view returns (bool);

    /// @notice What an account has staked on itself, at work.
    function ownStake(address account) external view returns (uint256);

    /// @notice Own stake that is not locked.
    function freeStake(address account) external view returns (uint256);

    /// @notice Own stake that is locked; never more than there is.
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

    /// @notice The node's own stake; a share of it is a wei.
    function ownPool(address node) external view returns (Pool memory);

    /// @notice What others delegated to the node.
    function delegationPool(address node) external view returns (Pool memory);

    /// @notice Rewards of the node's stakers on their way: `left` flows evenly from `last` to `until`.
    function rewardDrip(address node) external view returns (uint256 left, uint64 last, uint64 until);

    function getTicket(uint256 ticket) external view returns (Ticket memory);

    /// @notice What the ticket would pay if it were ready and no slash came before.
    function ticketWorth(uint256 ticket) external view returns (uint256);

    /// @notice OPEN at work on `node`, own and delegated, without what is being unbonded.
    function totalStake(address node) external view returns (uint256);

    /// @notice How many exits were ever begun; their tickets count from one.
    function ticketCount() external view returns (uint256);

    /// @notice OPEN that slashes took and nobody has burnt yet.
    function unburnt() external view returns (uint128);

    /// @notice OPEN that slashes left `account` and nobody has collected yet.
    function bountyOf(address account) external view returns (uint256);

    /// @notice OPEN that slashes of `node` can reach: at work and unbonding, own and delegated.
    function slashableStake(address node) external view returns (uint256);

    /// @notice What the staker has at work on `node`, rounded down.
    function stakeOf(address node, address staker) external view returns (uint256);

    /// @notice The staker's shares of its pool of `node`, the unit of `unbond`.
    function sharesOf(address node, address staker) external view returns (uint256);

    function pendingRewards(address node, address staker) external view returns (uint256);

    /// @notice `totalStake` at the end of a past second.
    function pastStake(address node, uint256 time) external view returns (uint256);

    /// @notice `stakeOf` at the end of a past second; for one node they sum to at most its `pastStake`.
    function pastStakeOf(address node, address staker, uint256 time) external view returns (uint256);
}
