// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {IEpochSettlement} from "../interfaces/IEpochSettlement.sol";
import {INodeStaking} from "../interfaces/INodeStaking.sol";
import {IOpenToken} from "../interfaces/IOpenToken.sol";
import {IPaymentChannels} from "../interfaces/IPaymentChannels.sol";
import {Channel, Voucher, VoucherHash} from "../libraries/VoucherHash.sol";

/// @title Payers' deposits. Immutable, without owner or pause: a claim and an exit cannot be stopped by anyone.
/// @dev Voucher signatures are plain ECDSA by dedicated keys: a payer whose account carries code (EIP-7702) could
/// otherwise stop verifying after it was served.
contract PaymentChannels is IPaymentChannels, EIP712, ReentrancyGuardTransient {
    using SafeERC20 for IOpenToken;

    uint64 public constant MAX_WITHDRAW_DELAY = 30 days;
    uint256 public constant MAX_BATCH = 64;

    struct State {
        address payer;
        uint64 withdrawDelay;
        address payee;
        uint64 withdrawableAt;
        uint128 deposited;
        uint128 claimed;
    }

    struct SignerCap {
        uint128 cap;
        uint64 expiry;
    }

    IOpenToken public immutable token;
    address public immutable distributor;
    IEpochSettlement public immutable settlement;
    INodeStaking public immutable staking;
    /// @inheritdoc IPaymentChannels
    uint64 public immutable minWithdrawDelay;

    mapping(bytes32 id => State) private _channels;
    mapping(bytes32 id => mapping(address signer => SignerCap)) private _signers;

    modifier onlyPayer(bytes32 id) {
        address payer = _known(id).payer;
        require(msg.sender == payer, PaymentChannelsNotPayer(id, msg.sender, payer));
        _;
    }

    constructor(
        IOpenToken token_,
        address distributor_,
        IEpochSettlement settlement_,
        INodeStaking staking_,
        uint64 minWithdrawDelay_
    ) EIP712("OpenLedger Channels", "1") {
        token = token_;
        distributor = distributor_;
        settlement = settlement_;
        staking = staking_;
        minWithdrawDelay = minWithdrawDelay_;
    }

    /// @inheritdoc IPaymentChannels
    function open(Channel calldata channel, uint128 amount) external nonReentrant returns (bytes32 id) {
        return _open(channel, amount);
    }

    /// @inheritdoc IPaymentChannels
    function openWithPermit(
        Channel calldata channel,
        uint128 amount,
        uint256 deadline,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external nonReentrant returns (bytes32 id) {
        // Whoever used the permit first has set the same allowance; the transfer decides.
        try token.permit(msg.sender, address(this), amount, deadline, v, r, s) {} catch {}
        return _open(channel, amount);
    }

    /// @inheritdoc IPaymentChannels
    function deposit(bytes32 id, uint128 amount) external nonReentrant {
        _known(id);
        _deposit(id, amount);
    }

    /// @inheritdoc IPaymentChannels
    function authorizeSigner(bytes32 id, address signer, uint128 cap, uint64 expiry) external onlyPayer(id) {
        require(signer != address(0), PaymentChannelsZeroSigner());
        require(block.timestamp < expiry, PaymentChannelsSignerExpired(signer, expiry));
        SignerCap storage entry = _signers[id][signer];
        require(
            cap >= entry.cap && expiry >= entry.expiry,
            PaymentChannelsSignerCannotShrink(signer, entry.cap, entry.expiry)
        );
        (entry.cap, entry.expiry) = (cap, expiry);
        emit SignerAuthorized(id, signer, cap, expiry);
    }

    /// @inheritdoc IPaymentChannels
    function revokeSigner(bytes32 id, address signer) external onlyPayer(id) {
        SignerCap storage entry = _signers[id][signer];
        require(entry.expiry != 0, PaymentChannelsUnknownSigner(id, signer));
        uint64 expiry = uint64(Math.min(entry.expiry, block.timestamp + _channels[id].withdrawDelay));
        entry.expiry = expiry;
        emit SignerRevoked(id, signer, expiry);
    }

    /// @inheritdoc IPaymentChannels
    function claim(Voucher calldata voucher, bytes calldata signature) external nonReentrant returns (uint128 delta) {
        delta = _claim(voucher, signature);
        if (delta != 0) {
            staking.lockForFees(_channels[voucher.channelId].payee, delta);
            return delta;
        }
        State storage channel = _channels[voucher.channelId];
        revert PaymentChannelsNothingToClaim(
            voucher.channelId, voucher.cumulative, channel.deposited, channel.claimed
        );
    }

    /// @inheritdoc IPaymentChannels
    function claimMany(Voucher[] calldata vouchers, bytes[] calldata signatures)
        external
        nonReentrant
        returns (uint128 total)
    {
        require(
            vouchers.length == signatures.length, PaymentChannelsBatchMismatch(vouchers.length, signatures.length)
        );
        require(vouchers.length <= MAX_BATCH, PaymentChannelsBatchTooLong(vouchers.length, MAX_BATCH));
        for (uint256 i = 0; i < vouchers.length; ++i) {
            total += _claim(vouchers[i], signatures[i]);
        }
        if (total != 0) staking.lockForFees(staking.nodeOf(msg.sender), total);
    }

    /// @inheritdoc IPaymentChannels
    function requestWithdraw(bytes32 id) external onlyPayer(id) {
        State storage channel = _channels[id];
        require(channel.withdrawableAt == 0, PaymentChannelsWithdrawPending(id, channel.withdrawableAt));
        channel.withdrawableAt = uint64(block.timestamp) + channel.withdrawDelay;
        emit WithdrawRequested(id, channel.withdrawableAt);
    }

    /// @inheritdoc IPaymentChannels
    function withdraw(bytes32 id) external nonReentrant onlyPayer(id) returns (uint128 amount) {
        State storage channel = _channels[id];
        require(channel.withdrawableAt != 0, PaymentChannelsWithdrawNotRequested(id));
        require(
            block.timestamp >= channel.withdrawableAt, PaymentChannelsWithdrawTooEarly(id, channel.withdrawableAt)
        );
        amount = channel.deposited - channel.claimed;
        channel.deposited = channel.claimed;
        channel.withdrawableAt = 0;
        emit ChannelWithdrawn(id, msg.sender, amount);
        token.safeTransfer(msg.sender, amount);
    }

    /// @inheritdoc IPaymentChannels
    function channelId(Channel calldata channel) public view returns (bytes32) {
        return _hashTypedDataV4(VoucherHash.hashChannel(channel));
    }

    /// @inheritdoc IPaymentChannels
    function voucherDigest(Voucher calldata voucher) public view returns (bytes32) {
        return _hashTypedDataV4(VoucherHash.hashVoucher(voucher));
    }

    /// @inheritdoc IPaymentChannels
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
        )
    {
        State storage c = _channels[id];
        return (c.payer, c.payee, c.withdrawDelay, c.deposited, c.claimed, c.withdrawableAt);
    }

    /// @inheritdoc IPaymentChannels
    function signerCap(bytes32 id, address signer) external view returns (uint128 cap, uint64 expiry) {
        SignerCap storage entry = _signers[id][signer];
        return (entry.cap, entry.expiry);
    }

    function _open(Channel calldata channel, uint128 amount) private returns (bytes32 id) {
        id = channelId(channel);
        require(msg.sender == channel.payer, PaymentChannelsNotPayer(id, msg.sender, channel.payer));
        require(channel.payee != address(0), PaymentChannelsZeroPayee());
        require(
            minWithdrawDelay <= channel.withdrawDelay && channel.withdrawDelay <= MAX_WITHDRAW_DELAY,
            PaymentChannelsDelayOutOfBounds(channel.withdrawDelay, minWithdrawDelay, MAX_WITHDRAW_DELAY)
        );
        State storage state = _channels[id];
        require(state.payer == address(0), PaymentChannelsAlreadyOpen(id));
        state.payer = channel.payer;
        state.payee = channel.payee;
        state.withdrawDelay = channel.withdrawDelay;
        emit ChannelOpened(id, channel.payer, channel.payee, channel.withdrawDelay, channel.salt);
        _deposit(id, amount);
    }

    function _deposit(bytes32 id, uint128 amount) private {
        require(amount != 0, PaymentChannelsZeroAmount());
        State storage channel = _channels[id];
        channel.deposited += amount;
        emit ChannelDeposited(id, msg.sender, amount, channel.deposited);
        token.safeTransferFrom(msg.sender, address(this), amount);
    }

    function _claim(Voucher calldata voucher, bytes calldata signature) private returns (uint128 delta) {
        bytes32 id = voucher.channelId;
        State storage channel = _known(id);
        address payee = channel.payee;
        // A payer could otherwise claim in its payee's name with a receipts root of its own making.
        require(staking.isSigner(payee, msg.sender), PaymentChannelsNotPayee(id, msg.sender, payee));
        require(block.timestamp < voucher.validBefore, PaymentChannelsVoucherExpired(id, voucher.validBefore));
        _checkSignature(channel.payer, voucher, signature);
        // Never more than is there, and never counted as claimed before it moved: the rest stays owed.
        uint128 upTo = uint128(Math.min(voucher.cumulative, channel.deposited));
        if (upTo <= channel.claimed) return 0;
        delta = upTo - channel.claimed;
        channel.claimed = upTo;
        token.safeTransfer(distributor, delta);
        uint64 epoch = settlement.fund(payee, delta);
        emit VoucherClaimed(
            id, payee, voucher.cumulative, delta, voucher.receiptCount, voucher.receiptsRoot, epoch
        );
    }

    function _checkSignature(address payer, Voucher calldata voucher, bytes calldata signature) private view {
        (address signer,,) = ECDSA.tryRecover(voucherDigest(voucher), signature);
        require(signer != address(0), PaymentChannelsBadSignature());
        if (signer == payer) return;
        SignerCap storage entry = _signers[voucher.channelId][signer];
        require(entry.expiry != 0, PaymentChannelsUnknownSigner(voucher.channelId, signer));
        require(block.timestamp < entry.expiry, PaymentChannelsSignerExpired(signer, entry.expiry));
        require(voucher.cumulative <= entry.cap, PaymentChannelsOverCap(signer, voucher.cumulative, entry.cap));
    }

    function _known(bytes32 id) private view returns (State storage channel) {
        channel = _channels[id];
        require(channel.payer != address(0), PaymentChannelsUnknown(id));
    }
}
