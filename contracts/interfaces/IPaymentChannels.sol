// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

import {Channel, Voucher} from "../libraries/VoucherHash.sol";

/// @title Deposits from which payees collect what payers have signed for.
/// @notice A voucher is cumulative: only its highest value counts, and repeating one moves nothing. What a deposit does
/// not cover stays owed and can be claimed after the next deposit. Windows are half-open: open while now < end.
interface IPaymentChannels {
    event ChannelOpened(
        bytes32 indexed id, address indexed payer, address indexed payee, uint64 withdrawDelay, bytes32 salt
    );
    event ChannelDeposited(bytes32 indexed id, address indexed from, uint128 amount, uint128 deposited);
    event SignerAuthorized(bytes32 indexed id, address indexed signer, uint128 cap, uint64 expiry);
    event SignerRevoked(bytes32 indexed id, address indexed signer, uint64 expiry);
    event VoucherClaimed(
        bytes32 indexed id,
        address indexed payee,
        uint128 cumulative,
        uint128 delta,
        uint64 receiptCount,
        bytes32 receiptsRoot,
        uint64 epoch
    );
    event WithdrawRequested(bytes32 indexed id, uint64 withdrawableAt);
    event ChannelWithdrawn(bytes32 indexed id, address indexed payer, uint128 amount);

    error PaymentChannelsUnknown(bytes32 id);
    error PaymentChannelsAlreadyOpen(bytes32 id);
    error PaymentChannelsNotPayer(bytes32 id, address caller, address payer);
    error PaymentChannelsNotPayee(bytes32 id, address caller, address payee);
    error PaymentChannelsZeroPayee();
    error PaymentChannelsZeroAmount();
    error PaymentChannelsDelayOutOfBounds(uint64 delay, uint64 min, uint64 max);
    error PaymentChannelsZeroSigner();
    /// @notice Re-authorising may only raise the cap and the expiry: a payee has served upon them.
    error PaymentChannelsSignerCannotShrink(address signer, uint128 cap, uint64 expiry);
    error PaymentChannelsSignerExpired(address signer, uint64 expiry);
    error PaymentChannelsUnknownSigner(bytes32 id, address signer);
    error PaymentChannelsOverCap(address signer, uint128 cumulative, uint128 cap);
    error PaymentChannelsBadSignature();
    error PaymentChannelsVoucherExpired(bytes32 id, uint64 validBefore);
    error PaymentChannelsNothingToClaim(bytes32 id, uint128 cumulative, uint128 deposited, uint128 claimed);
    /// @notice A batch pays one node; this channel pays another than the batch's first.
    error PaymentChannelsOtherPayee(bytes32 id, address payee, address batchPayee);
    error PaymentChannelsBatchMismatch(uint256 vouchers, uint256 signatures);
    error PaymentChannelsBatchTooLong(uint256 length, uint256 limit);
    error PaymentChannelsWithdrawPending(bytes32 id, uint64 withdrawableAt);
    error PaymentChannelsWithdrawNotRequested(bytes32 id);
    error PaymentChannelsWithdrawTooEarly(bytes32 id, uint64 withdrawableAt);

    /// @notice Opens a channel of the calling payer with a first deposit.
    function open(Channel calldata channel, uint128 amount) external returns (bytes32 id);

    /// @notice `open` after a permit to this contract; a permit already used by someone else is no obstacle.
    function openWithPermit(
        Channel calldata channel,
        uint128 amount,
        uint256 deadline,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external returns (bytes32 id);

    /// @notice Opens a channel in its payer's name by the payer's ERC-3009 ReceiveWithAuthorization to this contract,
    /// whose nonce is the channel's id: whoever submits it, the money can open these terms and no others, once.
    function openWithAuthorization(
        Channel calldata channel,
        uint128 amount,
        uint256 validAfter,
        uint256 validBefore,
        bytes calldata signature
    ) external returns (bytes32 id);

    /// @notice Adds the caller's OPEN to a channel; anyone may. Resets no timer.
    function deposit(bytes32 id, uint128 amount) external;

    /// @notice `deposit` after a permit to this contract; a permit already used by someone else is no obstacle.
    function depositWithPermit(bytes32 id, uint128 amount, uint256 deadline, uint8 v, bytes32 r, bytes32 s) external;

    /// @notice Adds the payer's OPEN to its channel by a ReceiveWithAuthorization to this contract, whose nonce is
    /// depositNonce(id, salt); anyone may submit it.
    function depositWithAuthorization(
        bytes32 id,
        uint128 amount,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 salt,
        bytes calldata signature
    ) external;

    /// @notice Lets `signer` sign vouchers up to the cumulative `cap` while now < expiry; payer only.
    function authorizeSigner(bytes32 id, address signer, uint128 cap, uint64 expiry) external;

    /// @notice Ends a signer after the channel's withdraw delay, so that what was served upon it can be claimed.
    function revokeSigner(bytes32 id, address signer) external;

    /// @notice Moves min(cumulative, deposited) - claimed to the reward distributor, in the payee's name and for the
    /// current epoch, and locks stake of the payee in proportion; payee or its signers only. Reverts when that is
    /// nothing.
    function claim(Voucher calldata voucher, bytes calldata signature) external returns (uint128 delta);

    /// @notice `claim` for several channels of one payee, with one lock, one transfer and one funding for their sum; a
    /// voucher with nothing to move is passed over.
    function claimMany(Voucher[] calldata vouchers, bytes[] calldata signatures) external returns (uint128 total);

    /// @notice Starts the payer's exit: after the delay what is then unclaimed can be withdrawn.
    function requestWithdraw(bytes32 id) external;

    /// @notice Pays the unclaimed deposit back to the payer once now >= withdrawableAt.
    function withdraw(bytes32 id) external returns (uint128 amount);

    /// @notice The EIP-712 digest of the terms in this contract's domain.
    function channelId(Channel calldata channel) external view returns (bytes32);

    /// @notice The EIP-712 digest that a voucher's signature covers.
    function voucherDigest(Voucher calldata voucher) external view returns (bytes32);

    /// @notice The ERC-3009 nonce of a deposit by authorization; payers vary `salt` from one to the next.
    function depositNonce(bytes32 id, bytes32 salt) external view returns (bytes32);

    /// @notice The EIP-712 struct hash of the last voucher that moved money, zero before the first.
    function lastVoucher(bytes32 id) external view returns (bytes32);

    /// @notice All zero for an unknown id; `withdrawableAt` is 0 while no withdrawal is requested.
    function getChannel(bytes32 id)
        external
        view
        returns (
            address payer,
            address payee,
            uint64 withdrawDelay,
            uint128 deposited,
            uint128 claimed,
            uint64 withdrawableAt
        );

    function signerCap(bytes32 id, address signer) external view returns (uint128 cap, uint64 expiry);

    function minWithdrawDelay() external view returns (uint64);
}
