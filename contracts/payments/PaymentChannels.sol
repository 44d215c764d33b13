// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
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

    bytes32 private constant TAG_DEPOSIT = keccak256("openledger.deposit");

    /// @dev Two words are read and two written by a claim. OPEN's whole supply fits 90 bits, so an amount that 96 do
    /// not hold is one that nobody has. `lastVoucher` holds the channel's id until there is one: whoever opens the
    /// channel then pays for its word, and not whoever claims first.
    struct State {
        address payer;
        uint96 deposited;
        address payee;
        uint96 claimed;
        bytes32 lastVoucher;
        uint64 withdrawDelay;
        uint64 withdrawableAt;
    }

    struct SignerCap {
        uint128 cap;
        uint64 expiry;
    }

    /// @dev What all vouchers of one call share, found once.
    struct Batch {
        address payee;
        uint64 epoch;
        bytes32 domain;
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
        return _openAsPayer(channel, amount);
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
        _tryPermit(amount, deadline, v, r, s);
        return _openAsPayer(channel, amount);
    }

    /// @inheritdoc IPaymentChannels
    function openWithAuthorization(
        Channel calldata channel,
        uint128 amount,
        uint256 validAfter,
        uint256 validBefore,
        bytes calldata signature
    ) external nonReentrant returns (bytes32 id) {
        id = channelId(channel);
        _open(id, channel);
        _credit(id, channel.payer, amount);
        token.receiveWithAuthorization(
            channel.payer, address(this), amount, validAfter, validBefore, id, signature
        );
    }

    /// @inheritdoc IPaymentChannels
    function deposit(bytes32 id, uint128 amount) external nonReentrant {
        _depositFromCaller(id, amount);
    }

    /// @inheritdoc IPaymentChannels
    function depositWithPermit(bytes32 id, uint128 amount, uint256 deadline, uint8 v, bytes32 r, bytes32 s)
        external
        nonReentrant
    {
        _tryPermit(amount, deadline, v, r, s);
        _depositFromCaller(id, amount);
    }

    /// @inheritdoc IPaymentChannels
    function depositWithAuthorization(
        bytes32 id,
        uint128 amount,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 salt,
        bytes calldata signature
    ) external nonReentrant {
        address payer = _known(id).payer;
        _credit(id, payer, amount);
        token.receiveWithAuthorization(
            payer, address(this), amount, validAfter, validBefore, depositNonce(id, salt), signature
        );
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
        Batch memory batch = _begin(voucher.channelId);
        delta = _take(voucher, signature, batch);
        if (delta == 0) {
            State storage channel = _channels[voucher.channelId];
            revert PaymentChannelsNothingToClaim(
                voucher.channelId, voucher.cumulative, channel.deposited, channel.claimed
            );
        }
        _pay(batch.payee, delta);
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
        if (vouchers.length == 0) return 0;
        Batch memory batch = _begin(vouchers[0].channelId);
        for (uint256 i = 0; i < vouchers.length; ++i) {
            total += _take(vouchers[i], signatures[i], batch);
        }
        if (total != 0) _pay(batch.payee, total);
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
    function depositNonce(bytes32 id, bytes32 salt) public pure returns (bytes32) {
        return keccak256(abi.encode(TAG_DEPOSIT, id, salt));
    }

    /// @inheritdoc IPaymentChannels
    function lastVoucher(bytes32 id) external view returns (bytes32) {
        bytes32 last = _channels[id].lastVoucher;
        return last == id ? bytes32(0) : last;
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

    /// @dev Whoever used the permit first has set the same allowance; the transfer decides.
    function _tryPermit(uint128 amount, uint256 deadline, uint8 v, bytes32 r, bytes32 s) private {
        try token.permit(msg.sender, address(this), amount, deadline, v, r, s) {} catch {}
    }

    function _openAsPayer(Channel calldata channel, uint128 amount) private returns (bytes32 id) {
        id = channelId(channel);
        require(msg.sender == channel.payer, PaymentChannelsNotPayer(id, msg.sender, channel.payer));
        _open(id, channel);
        _depositFromCaller(id, amount);
    }

    function _open(bytes32 id, Channel calldata channel) private {
        require(channel.payee != address(0), PaymentChannelsZeroPayee());
        require(
            minWithdrawDelay <= channel.withdrawDelay && channel.withdrawDelay <= MAX_WITHDRAW_DELAY,
            PaymentChannelsDelayOutOfBounds(channel.withdrawDelay, minWithdrawDelay, MAX_WITHDRAW_DELAY)
        );
        require(_channels[id].payer == address(0), PaymentChannelsAlreadyOpen(id));
        _channels[id] = State(channel.payer, 0, channel.payee, 0, id, channel.withdrawDelay, 0);
        emit ChannelOpened(id, channel.payer, channel.payee, channel.withdrawDelay, channel.salt);
    }

    function _depositFromCaller(bytes32 id, uint128 amount) private {
        _credit(id, msg.sender, amount);
        token.safeTransferFrom(msg.sender, address(this), amount);
    }

    /// @dev The caller must take the money right after; a failure there undoes this.
    function _credit(bytes32 id, address from, uint128 amount) private {
        require(amount != 0, PaymentChannelsZeroAmount());
        State storage channel = _known(id);
        channel.deposited += SafeCast.toUint96(amount);
        emit ChannelDeposited(id, from, amount, channel.deposited);
    }

    /// @dev A payer could otherwise claim in its payee's name with a receipts root of its own making.
    function _begin(bytes32 id) private view returns (Batch memory) {
        address payee = _known(id).payee;
        require(staking.isSigner(payee, msg.sender), PaymentChannelsNotPayee(id, msg.sender, payee));
        return Batch(payee, settlement.currentEpoch(), _domainSeparatorV4());
    }

    /// @dev Counts what the voucher covers as claimed; `_pay` moves the sum of a call.
    function _take(Voucher calldata voucher, bytes calldata signature, Batch memory batch)
        private
        returns (uint128 delta)
    {
        bytes32 id = voucher.channelId;
        State storage channel = _channels[id];
        // Both words are read once, before anything that makes the compiler read them again.
        (address payer, uint96 deposited) = (channel.payer, channel.deposited);
        (address channelPayee, uint96 claimed) = (channel.payee, channel.claimed);
        require(payer != address(0), PaymentChannelsUnknown(id));
        require(channelPayee == batch.payee, PaymentChannelsOtherPayee(id, channelPayee, batch.payee));
        require(block.timestamp < voucher.validBefore, PaymentChannelsVoucherExpired(id, voucher.validBefore));
        bytes32 voucherHash = VoucherHash.hashVoucher(voucher);
        _checkSignature(payer, voucher, MessageHashUtils.toTypedDataHash(batch.domain, voucherHash), signature);
        // Never more than is there, and never counted as claimed before it moved: the rest stays owed.
        uint96 upTo = uint96(Math.min(voucher.cumulative, deposited));
        if (upTo <= claimed) return 0;
        delta = upTo - claimed;
        channel.claimed = upTo;
        channel.lastVoucher = voucherHash;
        _announce(voucher, delta, batch);
    }

    function _announce(Voucher calldata voucher, uint128 delta, Batch memory batch) private {
        emit VoucherClaimed(
            voucher.channelId,
            batch.payee,
            voucher.cumulative,
            delta,
            voucher.receiptCount,
            voucher.receiptsRoot,
            batch.epoch
        );
    }

    function _pay(address payee, uint128 amount) private {
        staking.lockForFees(payee, amount);
        token.safeTransfer(distributor, amount);
        settlement.fund(payee, amount);
    }

    function _checkSignature(
        address payer,
        Voucher calldata voucher,
        bytes32 digest,
        bytes calldata signature
    ) private view {
        (address signer,,) = ECDSA.tryRecoverCalldata(digest, signature);
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
