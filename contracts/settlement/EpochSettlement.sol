// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {IEpochSettlement} from "../interfaces/IEpochSettlement.sol";
import {IGuardian} from "../interfaces/IGuardian.sol";
import {INodeStaking} from "../interfaces/INodeStaking.sol";
import {IProtocolParameters} from "../interfaces/IProtocolParameters.sol";
import {BoundedBytes} from "../libraries/BoundedBytes.sol";
import {OpenSumTree} from "../libraries/OpenSumTree.sol";
import {Receipt, ReceiptHash} from "../libraries/ReceiptHash.sol";

/// @title Epoch accounting and commitments. Immutable; holds no money: a commitment's bond is locked stake.
/// @dev Stated epochs form a linked list in ascending order, so that commitments can be held to that order without a
/// loop over the empty epochs between them. An epoch that is passed by before anyone stated it takes no statements
/// any more; its funds roll over. Commitments form a stack: voiding one takes off all above it, by moving one cursor,
/// and what they left in storage is dead until the same epochs are committed again.
contract EpochSettlement is IEpochSettlement, EIP712 {
    bytes32 private constant CHALLENGE_WINDOW = keccak256("challengeWindow");
    bytes32 private constant COMMIT_BOND = keccak256("commitBond");

    struct Totals {
        uint112 funded;
        uint112 stated;
        bool isListed;
    }

    /// @dev Epochs plus one, so that zero says "none": epoch 0 is an epoch.
    struct Cursor {
        uint64 firstUncommitted;
        uint64 lastStated;
        uint64 lastCommitted;
        uint64 lastFinal;
    }

    /// @dev `previous` is the epoch before it in the stack, plus one.
    struct Record {
        bytes32 entryRoot;
        bytes32 cumRoot;
        uint128 total;
        uint64 previous;
        uint64 committedAt;
        address committer;
        uint64 finalAt;
        bool isFinal;
    }

    address public immutable channels;
    address public immutable gateway;
    INodeStaking public immutable staking;
    IProtocolParameters public immutable parameters;
    IGuardian public immutable guardian;
    /// @inheritdoc IEpochSettlement
    uint64 public immutable genesis;
    /// @inheritdoc IEpochSettlement
    uint64 public immutable epochLength;

    /// @inheritdoc IEpochSettlement
    mapping(address account => bool) public isJudge;
    /// @inheritdoc IEpochSettlement
    mapping(address account => bool) public isHolder;
    /// @inheritdoc IEpochSettlement
    mapping(uint64 epoch => mapping(address node => uint256)) public funded;
    /// @inheritdoc IEpochSettlement
    mapping(uint64 epoch => uint256) public holdsOn;
    mapping(bytes32 receiptHash => bool) public isReceiptSubmitted;

    mapping(uint64 epoch => Totals) private _totals;
    mapping(uint64 epoch => mapping(address node => Statement)) private _statements;
    mapping(uint64 epoch => Record) private _records;
    mapping(uint64 epoch => uint64) private _nextStated;
    Cursor private _cursor;

    modifier onlyJudge() {
        require(isJudge[msg.sender], EpochSettlementNotJudge(msg.sender));
        _;
    }

    modifier onlyHolder() {
        require(isHolder[msg.sender], EpochSettlementNotHolder(msg.sender));
        _;
    }

    constructor(Links memory links, Settings memory settings) EIP712("OpenLedger Receipts", "1") {
        require(settings.epochLength != 0, EpochSettlementZeroLength());
        channels = links.channels;
        gateway = links.gateway;
        staking = links.staking;
        parameters = links.parameters;
        guardian = links.guardian;
        genesis = settings.genesis;
        epochLength = settings.epochLength;
        for (uint256 i = 0; i < links.judges.length; ++i) {
            isJudge[links.judges[i]] = true;
        }
        for (uint256 i = 0; i < links.holders.length; ++i) {
            isHolder[links.holders[i]] = true;
        }
    }

    /// @inheritdoc IEpochSettlement
    function fund(address node, uint128 amount) external returns (uint64 epoch) {
        require(msg.sender == channels || msg.sender == gateway, EpochSettlementNotChannels(msg.sender));
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
        uint64 current = currentEpoch();
        require(epoch < current, EpochSettlementEpochNotOver(epoch, current));
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
        _totals[epoch].stated += SafeCast.toUint112(total);
        emit StatementPublished(epoch, node, root, count, total, receiptsRoot, cid);
    }

    /// @inheritdoc IEpochSettlement
    function rollover(uint64 epoch) external {
        address node = staking.nodeOf(msg.sender);
        Statement storage statement = _statements[epoch][node];
        require(statement.voided || _isClosed(epoch), EpochSettlementStillOpen(epoch));
        require(statement.voided || statement.publishedAt == 0, EpochSettlementAlreadyStated(epoch, node));
        uint128 amount = SafeCast.toUint128(funded[epoch][node]);
        require(amount != 0, EpochSettlementNothingFunded(epoch, node));
        funded[epoch][node] = 0;
        _totals[epoch].funded -= SafeCast.toUint112(amount);
        uint64 current = currentEpoch();
        emit FundsRolledOver(epoch, current, node, amount);
        _fund(current, node, amount);
    }

    /// @inheritdoc IEpochSettlement
    function commit(Commitment calldata commitment) external {
        uint64 epoch = commitment.epoch;
        Cursor memory cursor = _cursor;
        _requireNext(epoch, cursor.firstUncommitted);
        uint256 stated = _requireStatementsIn(epoch);
        (bytes32 previousRoot, uint256 previousTotal) = _rootAndTotal(cursor.lastCommitted);
        require(
            commitment.prevCumRoot == previousRoot, EpochSettlementPreviousRoot(commitment.prevCumRoot, previousRoot)
        );
        require(
            uint256(commitment.total) == previousTotal + stated,
            EpochSettlementSolvency(commitment.total, previousTotal, stated)
        );
        BoundedBytes.checkCid(commitment.dataCid);
        address node = staking.nodeOf(msg.sender);
        _record(commitment, node, cursor);
        staking.lock(node, SafeCast.toUint128(parameters.value(COMMIT_BOND)));
    }

    /// @inheritdoc IEpochSettlement
    function finalize(uint64 epoch) external {
        require(!guardian.isPaused(address(this)), EpochSettlementPaused());
        Cursor memory cursor = _cursor;
        require(_isLive(epoch, cursor.lastCommitted), EpochSettlementUnknownCommitment(epoch));
        Record storage record = _records[epoch];
        require(!record.isFinal, EpochSettlementAlreadyFinal(epoch));
        require(block.timestamp >= record.finalAt, EpochSettlementWindowOpen(epoch, record.finalAt));
        require(
            record.previous == cursor.lastFinal,
            EpochSettlementPreviousNotFinal(epoch, record.previous == 0 ? 0 : record.previous - 1)
        );
        require(holdsOn[epoch] == 0, EpochSettlementHeld(epoch, holdsOn[epoch]));
        record.isFinal = true;
        _cursor.lastFinal = epoch + 1;
        emit EpochFinalized(epoch, record.cumRoot, record.total);
    }

    /// @inheritdoc IEpochSettlement
    function voidStatement(uint64 epoch, address node) external onlyJudge {
        require(isChallengeable(epoch, node), EpochSettlementNotChallengeable(epoch, node));
        Statement storage statement = _statements[epoch][node];
        statement.voided = true;
        _totals[epoch].stated -= SafeCast.toUint112(statement.total);
        emit StatementVoided(epoch, node, msg.sender);
        if (_isLive(epoch, _cursor.lastCommitted)) _voidFrom(epoch);
    }

    /// @inheritdoc IEpochSettlement
    function voidCommitment(uint64 epoch) external onlyJudge {
        require(_isLive(epoch, _cursor.lastCommitted), EpochSettlementUnknownCommitment(epoch));
        require(!_records[epoch].isFinal, EpochSettlementAlreadyFinal(epoch));
        _voidFrom(epoch);
    }

    /// @inheritdoc IEpochSettlement
    function hold(uint64 epoch) external onlyHolder {
        if (_isLive(epoch, _cursor.lastCommitted)) {
            uint64 until = _records[epoch].finalAt;
            require(block.timestamp < until, EpochSettlementWindowOver(epoch, until));
        } else {
            require(_totals[epoch].isListed, EpochSettlementNothingStated(epoch));
        }
        ++holdsOn[epoch];
    }

    /// @inheritdoc IEpochSettlement
    function release(uint64 epoch) external onlyHolder {
        --holdsOn[epoch];
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
    function fundedTotal(uint64 epoch) external view returns (uint256) {
        return _totals[epoch].funded;
    }

    /// @inheritdoc IEpochSettlement
    function statedTotal(uint64 epoch) external view returns (uint256) {
        return _totals[epoch].stated;
    }

    /// @inheritdoc IEpochSettlement
    function getStatement(uint64 epoch, address node) external view returns (Statement memory) {
        return _statements[epoch][node];
    }

    /// @inheritdoc IEpochSettlement
    function isChallengeable(uint64 epoch, address node) public view returns (bool) {
        Statement storage statement = _statements[epoch][node];
        bool isFinal = _isLive(epoch, _cursor.lastCommitted) && _records[epoch].isFinal;
        return statement.publishedAt != 0 && !statement.voided && !isFinal;
    }

    /// @inheritdoc IEpochSettlement
    function nextToCommit() external view returns (bool exists, uint64 epoch) {
        uint64 first = _cursor.firstUncommitted;
        return first == 0 ? (false, 0) : (true, first - 1);
    }

    /// @inheritdoc IEpochSettlement
    function getCommitment(uint64 epoch) external view returns (CommitmentRecord memory) {
        return _brief(_isLive(epoch, _cursor.lastCommitted) ? epoch + 1 : 0);
    }

    /// @inheritdoc IEpochSettlement
    function previousCommitment(uint64 epoch) external view returns (CommitmentRecord memory) {
        return _brief(_isLive(epoch, _cursor.lastCommitted) ? _records[epoch].previous : 0);
    }

    /// @inheritdoc IEpochSettlement
    function latestCommitted() external view returns (uint64 epoch, bytes32 cumRoot, uint128 total) {
        return _latest(_cursor.lastCommitted);
    }

    /// @inheritdoc IEpochSettlement
    function latestFinal() external view returns (uint64 epoch, bytes32 cumRoot, uint128 total) {
        return _latest(_cursor.lastFinal);
    }

    /// @inheritdoc IEpochSettlement
    function verifyReceipt(Receipt calldata receipt, uint64 epoch, OpenSumTree.SumProof calldata proof)
        external
        view
        returns (bool)
    {
        if (!_isLive(epoch, _cursor.lastCommitted) || !_records[epoch].isFinal) return false;
        Statement storage statement = _statements[epoch][receipt.node];
        (bool fits, bytes32 root,) = OpenSumTree.climb(receiptHash(receipt), receipt.price, proof);
        return fits && !statement.voided && root == statement.receiptsRoot;
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
        _totals[epoch].funded += SafeCast.toUint112(amount);
        emit EpochFunded(epoch, node, amount);
    }

    /// @dev The first statement of an epoch puts it at the list's end; `_isClosed` has refused any earlier place.
    function _enlist(uint64 epoch) private {
        if (_totals[epoch].isListed) return;
        _totals[epoch].isListed = true;
        Cursor memory cursor = _cursor;
        if (cursor.lastStated != 0) _nextStated[cursor.lastStated - 1] = epoch + 1;
        if (cursor.firstUncommitted == 0) cursor.firstUncommitted = epoch + 1;
        cursor.lastStated = epoch + 1;
        _cursor = cursor;
    }

    function _record(Commitment calldata commitment, address node, Cursor memory cursor) private {
        uint64 epoch = commitment.epoch;
        Record storage record = _records[epoch];
        record.entryRoot = commitment.entryRoot;
        record.cumRoot = commitment.cumRoot;
        (record.total, record.previous, record.committedAt) =
            (commitment.total, cursor.lastCommitted, uint64(block.timestamp));
        (record.committer, record.finalAt, record.isFinal) =
            (node, uint64(block.timestamp + parameters.value(CHALLENGE_WINDOW)), false);
        cursor.firstUncommitted = _nextStated[epoch];
        cursor.lastCommitted = epoch + 1;
        _cursor = cursor;
        emit EpochCommitted(
            epoch, node, commitment.entryRoot, commitment.cumRoot, commitment.total, commitment.dataCid
        );
    }

    function _voidFrom(uint64 epoch) private {
        _cursor.lastCommitted = _records[epoch].previous;
        _cursor.firstUncommitted = epoch + 1;
        emit CommitmentVoided(epoch, msg.sender);
    }

    function _requireNext(uint64 epoch, uint64 first) private pure {
        require(first != 0, EpochSettlementNothingStated(epoch));
        require(epoch == first - 1, EpochSettlementOutOfOrder(epoch, first - 1));
    }

    /// @dev Every funded node has one whole epoch to state before a commitment may leave it out.
    function _requireStatementsIn(uint64 epoch) private view returns (uint256 stated) {
        Totals memory totals = _totals[epoch];
        uint64 until = genesis + (epoch + 2) * epochLength;
        require(
            totals.stated == totals.funded || block.timestamp >= until, EpochSettlementStatementsOpen(epoch, until)
        );
        return totals.stated;
    }

    function _isClosed(uint64 epoch) private view returns (bool) {
        Cursor memory cursor = _cursor;
        if (_totals[epoch].isListed) return _isLive(epoch, cursor.lastCommitted);
        return epoch + 1 < cursor.lastStated;
    }

    function _isLive(uint64 epoch, uint64 lastCommitted) private view returns (bool) {
        return epoch < lastCommitted && _records[epoch].committedAt != 0;
    }

    function _rootAndTotal(uint64 place) private view returns (bytes32, uint128) {
        if (place == 0) return (0, 0);
        return (_records[place - 1].cumRoot, _records[place - 1].total);
    }

    function _latest(uint64 place) private view returns (uint64 epoch, bytes32 cumRoot, uint128 total) {
        if (place == 0) return (0, 0, 0);
        (cumRoot, total) = _rootAndTotal(place);
        epoch = place - 1;
    }

    function _brief(uint64 place) private view returns (CommitmentRecord memory brief) {
        if (place == 0) return brief;
        Record storage record = _records[place - 1];
        return CommitmentRecord(
            record.entryRoot,
            record.cumRoot,
            record.total,
            record.committer,
            record.committedAt,
            record.finalAt,
            record.isFinal
        );
    }
}
