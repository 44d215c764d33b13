// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {IEpochSettlement} from "../interfaces/IEpochSettlement.sol";
import {INodeStaking} from "../interfaces/INodeStaking.sol";
import {IOpenToken} from "../interfaces/IOpenToken.sol";
import {BoundedBytes} from "../libraries/BoundedBytes.sol";
import {OpenSumTree} from "../libraries/OpenSumTree.sol";
import {Receipt, ReceiptHash} from "../libraries/ReceiptHash.sol";

/// @title Epoch accounting and commitments. Immutable; holds no money but open bonds.
/// @dev Stated epochs form a linked list in ascending order, so that commitments can be held to that order without a
/// loop over the empty epochs between them. An epoch that is passed by before anyone stated it takes no statements
/// any more; its funds roll over.
contract EpochSettlement is IEpochSettlement, EIP712, ReentrancyGuardTransient {
    using SafeERC20 for IOpenToken;

    /// @dev An epoch or none; epoch 0 is an epoch.
    struct Marker {
        uint64 epoch;
        bool isSet;
    }

    IOpenToken public immutable token;
    address public immutable channels;
    INodeStaking public immutable staking;
    /// @inheritdoc IEpochSettlement
    uint64 public immutable genesis;
    /// @inheritdoc IEpochSettlement
    uint64 public immutable epochLength;
    /// @inheritdoc IEpochSettlement
    uint64 public immutable challengeWindow;
    /// @inheritdoc IEpochSettlement
    uint128 public immutable bond;

    /// @inheritdoc IEpochSettlement
    mapping(uint64 epoch => mapping(address node => uint256)) public funded;
    /// @inheritdoc IEpochSettlement
    mapping(uint64 epoch => uint256) public fundedTotal;
    /// @inheritdoc IEpochSettlement
    mapping(uint64 epoch => uint256) public statedTotal;
    mapping(bytes32 receiptHash => bool) public isReceiptSubmitted;

    mapping(uint64 epoch => mapping(address node => Statement)) private _statements;
    mapping(uint64 epoch => CommitmentRecord) private _commitments;
    mapping(uint64 epoch => Marker) private _nextStated;
    mapping(uint64 epoch => Marker) private _previousCommitted;
    Marker private _firstUncommitted;
    Marker private _lastStated;
    Marker private _lastCommitted;
    Marker private _lastFinal;

    constructor(IOpenToken token_, address channels_, INodeStaking staking_, Settings memory settings)
        EIP712("OpenLedger Receipts", "1")
    {
        require(
            settings.epochLength != 0 && settings.challengeWindow != 0,
            EpochSettlementBadSettings(settings.epochLength, settings.challengeWindow)
        );
        token = token_;
        channels = channels_;
        staking = staking_;
        genesis = settings.genesis;
        epochLength = settings.epochLength;
        challengeWindow = settings.challengeWindow;
        bond = settings.bond;
    }

    /// @inheritdoc IEpochSettlement
    function fund(address node, uint128 amount) external returns (uint64 epoch) {
        require(msg.sender == channels, EpochSettlementNotChannels(msg.sender));
        epoch = currentEpoch();
        _fund(epoch, node, amount);
    }

    /// @inheritdoc IEpochSettlement
    function publishStatement(
        uint64 epoch,
        bytes32 root,
        uint32 count,
        uint256 total,
        bytes32 receiptsRoot,
        bytes calldata cid
    ) external {
        address node = staking.nodeOf(msg.sender);
        // Registration tells the distributor which account earns for this node's stakers.
        require(staking.isRegistered(node), EpochSettlementNodeNotRegistered(node));
        _requireOver(epoch);
        require(!_isClosed(epoch), EpochSettlementClosed(epoch));
        Statement storage statement = _statements[epoch][node];
        require(statement.publishedAt == 0, EpochSettlementAlreadyStated(epoch, node));
        uint256 owed = funded[epoch][node];
        require(owed != 0, EpochSettlementNothingFunded(epoch, node));
        require(total == owed, EpochSettlementStatementTotal(epoch, node, total, owed));
        BoundedBytes.checkCid(cid);
        _enlist(epoch);
        statement.root = root;
        statement.receiptsRoot = receiptsRoot;
        statement.total = SafeCast.toUint128(total);
        statement.count = count;
        statement.publishedAt = uint64(block.timestamp);
        statedTotal[epoch] += total;
        emit StatementPublished(epoch, node, root, count, total, receiptsRoot, cid);
    }

    /// @inheritdoc IEpochSettlement
    function rollover(uint64 epoch) external {
        address node = staking.nodeOf(msg.sender);
        require(_isClosed(epoch), EpochSettlementStillOpen(epoch));
        require(_statements[epoch][node].publishedAt == 0, EpochSettlementAlreadyStated(epoch, node));
        uint128 amount = SafeCast.toUint128(funded[epoch][node]);
        require(amount != 0, EpochSettlementNothingFunded(epoch, node));
        funded[epoch][node] = 0;
        fundedTotal[epoch] -= amount;
        uint64 current = currentEpoch();
        emit FundsRolledOver(epoch, current, node, amount);
        _fund(current, node, amount);
    }

    /// @inheritdoc IEpochSettlement
    function commit(Commitment calldata commitment) external nonReentrant {
        uint64 epoch = commitment.epoch;
        address node = staking.nodeOf(msg.sender);
        require(staking.totalStake(node) != 0, EpochSettlementNotStaked(node));
        _requireNext(epoch);
        _requireStatementsIn(epoch);
        CommitmentRecord storage previous = _commitments[_lastCommitted.epoch];
        require(
            commitment.prevCumRoot == previous.cumRoot,
            EpochSettlementPreviousRoot(commitment.prevCumRoot, previous.cumRoot)
        );
        uint256 stated = statedTotal[epoch];
        require(
            uint256(commitment.total) == previous.total + stated,
            EpochSettlementSolvency(commitment.total, previous.total, stated)
        );
        BoundedBytes.checkCid(commitment.dataCid);
        _record(commitment);
    }

    /// @inheritdoc IEpochSettlement
    function finalize(uint64 epoch) external nonReentrant {
        CommitmentRecord storage record = _commitments[epoch];
        require(record.committedAt != 0, EpochSettlementUnknownCommitment(epoch));
        require(!record.isFinal, EpochSettlementAlreadyFinal(epoch));
        uint64 until = record.committedAt + challengeWindow;
        require(block.timestamp >= until, EpochSettlementWindowOpen(epoch, until));
        Marker memory previous = _previousCommitted[epoch];
        require(
            !previous.isSet || _commitments[previous.epoch].isFinal,
            EpochSettlementPreviousNotFinal(epoch, previous.epoch)
        );
        record.isFinal = true;
        _lastFinal = Marker(epoch, true);
        uint128 returned = record.bond;
        record.bond = 0;
        emit EpochFinalized(epoch, record.cumRoot, record.total);
        if (returned != 0) token.safeTransfer(record.committer, returned);
    }

    /// @inheritdoc IEpochSettlement
    function submitReceipt(Receipt calldata receipt, bytes calldata signature) external {
        bytes32 digest = receiptHash(receipt);
        (address signer,,) = ECDSA.tryRecover(_hashTypedDataV4(digest), signature);
        require(
            signer != address(0) && staking.wasSigner(receipt.node, signer),
            EpochSettlementNotSigner(receipt.node, signer)
        );
        require(!isReceiptSubmitted[digest], EpochSettlementReceiptKnown(digest));
        isReceiptSubmitted[digest] = true;
        emit ReceiptSubmitted(receipt.requestId, receipt.channelId, receipt.node, digest, receipt);
    }

    /// @inheritdoc IEpochSettlement
    function currentEpoch() public view returns (uint64) {
        require(block.timestamp >= genesis, EpochSettlementNotStarted(genesis));
        return (uint64(block.timestamp) - genesis) / epochLength;
    }

    /// @inheritdoc IEpochSettlement
    function getStatement(uint64 epoch, address node) external view returns (Statement memory) {
        return _statements[epoch][node];
    }

    /// @inheritdoc IEpochSettlement
    function nextToCommit() external view returns (bool exists, uint64 epoch) {
        return (_firstUncommitted.isSet, _firstUncommitted.epoch);
    }

    /// @inheritdoc IEpochSettlement
    function getCommitment(uint64 epoch) external view returns (CommitmentRecord memory) {
        return _commitments[epoch];
    }

    /// @inheritdoc IEpochSettlement
    function latestCommitted() external view returns (uint64 epoch, bytes32 cumRoot, uint128 total) {
        return _brief(_lastCommitted);
    }

    /// @inheritdoc IEpochSettlement
    function latestFinal() external view returns (uint64 epoch, bytes32 cumRoot, uint128 total) {
        return _brief(_lastFinal);
    }

    /// @inheritdoc IEpochSettlement
    function verifyReceipt(Receipt calldata receipt, uint64 epoch, OpenSumTree.SumProof calldata proof)
        external
        view
        returns (bool)
    {
        CommitmentRecord storage record = _commitments[epoch];
        (bool fits, bytes32 root,) = OpenSumTree.climb(receiptHash(receipt), receipt.price, proof);
        return record.isFinal && fits && root == record.receiptsRoot;
    }

    /// @inheritdoc IEpochSettlement
    function receiptHash(Receipt calldata receipt) public pure returns (bytes32) {
        return ReceiptHash.hashStruct(receipt);
    }

    /// @inheritdoc IEpochSettlement
    function receiptDigest(Receipt calldata receipt) external view returns (bytes32) {
        return _hashTypedDataV4(receiptHash(receipt));
    }

    function _fund(uint64 epoch, address node, uint128 amount) private {
        funded[epoch][node] += amount;
        fundedTotal[epoch] += amount;
        emit EpochFunded(epoch, node, amount);
    }

    /// @dev The first statement of an epoch puts it at the list's end; `_isClosed` has refused any earlier place.
    function _enlist(uint64 epoch) private {
        if (statedTotal[epoch] != 0) return;
        Marker memory marker = Marker(epoch, true);
        if (_firstUncommitted.isSet) _nextStated[_lastStated.epoch] = marker;
        else _firstUncommitted = marker;
        _lastStated = marker;
    }

    function _record(Commitment calldata commitment) private {
        uint64 epoch = commitment.epoch;
        _firstUncommitted = _nextStated[epoch];
        _previousCommitted[epoch] = _lastCommitted;
        _lastCommitted = Marker(epoch, true);
        _commitments[epoch] = CommitmentRecord(
            commitment.receiptsRoot,
            commitment.entryRoot,
            commitment.cumRoot,
            commitment.total,
            bond,
            msg.sender,
            uint64(block.timestamp),
            false
        );
        emit EpochCommitted(
            epoch,
            msg.sender,
            commitment.receiptsRoot,
            commitment.entryRoot,
            commitment.cumRoot,
            commitment.total,
            commitment.dataCid
        );
        if (bond != 0) token.safeTransferFrom(msg.sender, address(this), bond);
    }

    function _requireOver(uint64 epoch) private view {
        uint64 current = currentEpoch();
        require(epoch < current, EpochSettlementEpochNotOver(epoch, current));
    }

    function _requireNext(uint64 epoch) private view {
        Marker memory first = _firstUncommitted;
        require(first.isSet, EpochSettlementNothingStated(epoch));
        require(epoch == first.epoch, EpochSettlementOutOfOrder(epoch, first.epoch));
    }

    /// @dev Every funded node has one whole epoch to state before a commitment may leave it out.
    function _requireStatementsIn(uint64 epoch) private view {
        uint64 until = genesis + (epoch + 2) * epochLength;
        require(
            statedTotal[epoch] == fundedTotal[epoch] || block.timestamp >= until,
            EpochSettlementStatementsOpen(epoch, until)
        );
    }

    function _isClosed(uint64 epoch) private view returns (bool) {
        if (statedTotal[epoch] != 0) return _commitments[epoch].committedAt != 0;
        return _lastStated.isSet && epoch < _lastStated.epoch;
    }

    function _brief(Marker memory marker) private view returns (uint64, bytes32, uint128) {
        if (!marker.isSet) return (0, 0, 0);
        CommitmentRecord storage record = _commitments[marker.epoch];
        return (marker.epoch, record.cumRoot, record.total);
    }
}
