// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {IEpochSettlement} from "../interfaces/IEpochSettlement.sol";
import {IGuardian} from "../interfaces/IGuardian.sol";
import {INodeStaking} from "../interfaces/INodeStaking.sol";
import {IProtocolParameters} from "../interfaces/IProtocolParameters.sol";
import {IRewardDistributor} from "../interfaces/IRewardDistributor.sol";
import {BoundedBytes} from "../libraries/BoundedBytes.sol";
import {OpenSumTree} from "../libraries/OpenSumTree.sol";
import {Receipt, ReceiptHash} from "../libraries/ReceiptHash.sol";

/// @title Epoch accounting and commitments. Immutable; holds no money: a commitment's bond is locked stake.
/// @dev Stated epochs form a linked list in ascending order, so that commitments can be held to that order without a
/// loop over the empty epochs between them. Commitments form a stack over the same list: each builds on the one of the
/// stated epoch before it. Voiding one takes off all above it by moving one cursor; what they left in storage is dead
/// until the same epochs are committed again. An epoch takes statements until it is first committed, or passed by.
contract EpochSettlement is IEpochSettlement, EIP712 {
    bytes32 private constant CHALLENGE_WINDOW = keccak256("challengeWindow");
    bytes32 private constant COMMIT_BOND = keccak256("commitBond");

    /// @dev One slot. `stated` never exceeds the token's supply, as the vault holds it all until it is final; `total`
    /// has room for twenty thousand supplies. `waiting` counts funded nodes without a statement. `next` is the stated
    /// epoch after this one, plus one.
    struct Tally {
        uint96 stated;
        uint104 total;
        uint24 waiting;
        uint32 next;
    }

    /// @dev Epochs plus one, so that zero says "none": epoch 0 is an epoch.
    struct Cursor {
        uint64 firstUncommitted;
        uint64 lastStated;
        uint64 lastCommitted;
        uint64 lastFinal;
    }

    /// @dev Three slots; the commitment's total is in its `Tally`. `previous` is the stated epoch before it, plus one.
    struct Record {
        bytes32 entryRoot;
        bytes32 cumRoot;
        address committer;
        uint40 finalAt;
        uint24 window;
        uint32 previous;
    }

    struct Holds {
        uint64 count;
        uint64 until;
    }

    address public immutable channels;
    address public immutable gateway;
    INodeStaking public immutable staking;
    IProtocolParameters public immutable parameters;
    IGuardian public immutable guardian;
    IRewardDistributor public immutable distributor;
    /// @inheritdoc IEpochSettlement
    uint64 public immutable genesis;
    /// @inheritdoc IEpochSettlement
    uint64 public immutable epochLength;
    /// @inheritdoc IEpochSettlement
    uint64 public immutable abandonedAfter;

    /// @inheritdoc IEpochSettlement
    mapping(address account => bool) public isJudge;
    /// @inheritdoc IEpochSettlement
    mapping(address account => bool) public isHolder;
    /// @inheritdoc IEpochSettlement
    mapping(uint64 epoch => mapping(address node => uint256)) public funded;
    mapping(bytes32 receiptHash => bool) public isReceiptSubmitted;

    Cursor private _cursor;
    mapping(uint64 epoch => Tally) private _tallies;
    mapping(uint64 epoch => mapping(address node => Statement)) private _statements;
    mapping(uint64 epoch => Record) private _records;
    mapping(uint64 epoch => Holds) private _holds;
    /// @dev When the first window ended of an epoch that was committed again.
    mapping(uint64 epoch => uint40) private _faultsUntil;

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
        require(
            settings.abandonedAfter >= settings.epochLength,
            EpochSettlementAbandonedTooSoon(settings.abandonedAfter, settings.epochLength)
        );
        channels = _nonZero(links.channels);
        gateway = _nonZero(links.gateway);
        staking = INodeStaking(_nonZero(address(links.staking)));
        parameters = IProtocolParameters(_nonZero(address(links.parameters)));
        guardian = IGuardian(_nonZero(address(links.guardian)));
        distributor = IRewardDistributor(_nonZero(address(links.distributor)));
        genesis = settings.genesis;
        epochLength = settings.epochLength;
        abandonedAfter = settings.abandonedAfter;
        for (uint256 i = 0; i < links.judges.length; ++i) {
            isJudge[_nonZero(links.judges[i])] = true;
        }
        for (uint256 i = 0; i < links.holders.length; ++i) {
            isHolder[_nonZero(links.holders[i])] = true;
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
        Tally memory tally = _tallies[epoch];
        (tally.stated, tally.waiting) = (tally.stated + SafeCast.toUint96(total), tally.waiting - 1);
        _write(_tallies[epoch], tally);
        emit StatementPublished(epoch, node, root, count, total, receiptsRoot, cid);
    }

    /// @inheritdoc IEpochSettlement
    function rollover(uint64 epoch) external {
        address node = staking.nodeOf(msg.sender);
        require(_statements[epoch][node].voided || _isClosed(epoch), EpochSettlementStillOpen(epoch));
        uint128 amount = _takeUnstated(epoch, node);
        uint64 current = currentEpoch();
        emit FundsRolledOver(epoch, current, node, amount);
        _fund(current, node, amount);
    }

    /// @inheritdoc IEpochSettlement
    function sweep(uint64 epoch, address node) external {
        uint64 since = _graceEnd(epoch) + abandonedAfter;
        require(block.timestamp >= since, EpochSettlementNotAbandoned(epoch, node, since));
        uint128 amount = _takeUnstated(epoch, node);
        address treasury = parameters.treasury();
        emit FundsSwept(epoch, node, treasury, amount);
        distributor.payUnstated(treasury, amount);
    }

    /// @inheritdoc IEpochSettlement
    function commit(Commitment calldata commitment) external {
        Cursor memory cursor = _cursor;
        _requireNext(commitment.epoch, cursor.firstUncommitted);
        Tally memory tally = _tallies[commitment.epoch];
        _requireStatementsIn(commitment.epoch, tally.waiting);
        (bytes32 previousRoot, uint128 previousTotal) = _rootAndTotal(cursor.lastCommitted);
        require(
            commitment.prevCumRoot == previousRoot, EpochSettlementPreviousRoot(commitment.prevCumRoot, previousRoot)
        );
        require(
            commitment.total == uint256(previousTotal) + tally.stated,
            EpochSettlementSolvency(commitment.total, previousTotal, tally.stated)
        );
        BoundedBytes.checkCid(commitment.dataCid);
        tally.total = SafeCast.toUint104(commitment.total);
        _write(_tallies[commitment.epoch], tally);
        address node = staking.nodeOf(msg.sender);
        _record(commitment, node, cursor.lastCommitted);
        (cursor.firstUncommitted, cursor.lastCommitted) = (tally.next, commitment.epoch + 1);
        _write(cursor);
        staking.lock(node, SafeCast.toUint128(parameters.value(COMMIT_BOND)));
    }

    /// @inheritdoc IEpochSettlement
    function finalize(uint64 epoch) external {
        require(!guardian.isPaused(address(this)), EpochSettlementPaused());
        Cursor memory cursor = _cursor;
        require(_isLive(epoch, cursor.lastCommitted), EpochSettlementUnknownCommitment(epoch));
        require(epoch >= cursor.lastFinal, EpochSettlementAlreadyFinal(epoch));
        Record storage record = _records[epoch];
        (uint40 finalAt, uint32 previous) = (record.finalAt, record.previous);
        require(block.timestamp >= finalAt, EpochSettlementWindowOpen(epoch, finalAt));
        // Of two commitments the one before is final first, so `previous` is not zero where this fails.
        require(
            previous == cursor.lastFinal, EpochSettlementPreviousNotFinal(epoch, previous == 0 ? 0 : previous - 1)
        );
        Holds memory holds = _holds[epoch];
        require(holds.count == 0 || block.timestamp >= holds.until, EpochSettlementHeld(epoch, holds.count, holds.until));
        _cursor.lastFinal = epoch + 1;
        bytes32 cumRoot = record.cumRoot;
        emit EpochFinalized(epoch, cumRoot, _tallies[epoch].total);
        distributor.acceptRoot(cumRoot);
    }

    /// @inheritdoc IEpochSettlement
    function voidStatement(uint64 epoch, address node) external onlyJudge {
        // A holder's verdict may come after the time for new faults: it was asked for in time.
        require(
            isHolder[msg.sender] ? isStanding(epoch, node) : isChallengeable(epoch, node),
            EpochSettlementNotChallengeable(epoch, node)
        );
        Statement storage statement = _statements[epoch][node];
        statement.voided = true;
        _tallies[epoch].stated -= uint96(statement.total);
        emit StatementVoided(epoch, node, msg.sender);
        if (_isLive(epoch, _cursor.lastCommitted)) _voidFrom(epoch);
    }

    /// @inheritdoc IEpochSettlement
    function voidCommitment(uint64 epoch) external onlyJudge {
        Cursor memory cursor = _cursor;
        require(_isLive(epoch, cursor.lastCommitted), EpochSettlementUnknownCommitment(epoch));
        require(epoch >= cursor.lastFinal, EpochSettlementAlreadyFinal(epoch));
        _voidFrom(epoch);
    }

    /// @inheritdoc IEpochSettlement
    function hold(uint64 epoch) external onlyHolder {
        Cursor memory cursor = _cursor;
        if (_isLive(epoch, cursor.lastCommitted)) {
            uint40 finalAt = _records[epoch].finalAt;
            require(block.timestamp < finalAt, EpochSettlementWindowOver(epoch, finalAt));
        } else {
            require(_isListed(epoch, cursor.lastStated), EpochSettlementNothingStated(epoch));
        }
        Holds memory holds = _holds[epoch];
        uint256 until = Math.max(holds.until, block.timestamp + staking.unbondingPeriod());
        _holds[epoch] = Holds(holds.count + 1, SafeCast.toUint64(until));
        emit EpochHeld(epoch, msg.sender, holds.count + 1, until);
    }

    /// @inheritdoc IEpochSettlement
    function release(uint64 epoch) external onlyHolder {
        uint64 count = _holds[epoch].count;
        require(count != 0, EpochSettlementNotHeld(epoch));
        _holds[epoch].count = count - 1;
        emit EpochReleased(epoch, msg.sender, count - 1);
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
    function statedTotal(uint64 epoch) external view returns (uint256) {
        return _tallies[epoch].stated;
    }

    /// @inheritdoc IEpochSettlement
    function waitingFor(uint64 epoch) external view returns (uint256 nodes) {
        return _tallies[epoch].waiting;
    }

    /// @inheritdoc IEpochSettlement
    function holdsOn(uint64 epoch) external view returns (uint256 count, uint64 until) {
        return (_holds[epoch].count, _holds[epoch].until);
    }

    /// @inheritdoc IEpochSettlement
    function getStatement(uint64 epoch, address node) external view returns (Statement memory) {
        return _statements[epoch][node];
    }

    /// @inheritdoc IEpochSettlement
    function isClosed(uint64 epoch) external view returns (bool) {
        return _isClosed(epoch);
    }

    /// @inheritdoc IEpochSettlement
    function isStanding(uint64 epoch, address node) public view returns (bool) {
        Statement storage statement = _statements[epoch][node];
        return statement.publishedAt != 0 && !statement.voided && !_isFinal(epoch);
    }

    /// @inheritdoc IEpochSettlement
    function isChallengeable(uint64 epoch, address node) public view returns (bool) {
        return isStanding(epoch, node) && !_isLate(epoch);
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
        if (!_isFinal(epoch)) return false;
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
        uint256 before = funded[epoch][node];
        funded[epoch][node] = before + amount;
        if (before == 0 && amount != 0) ++_tallies[epoch].waiting;
        emit EpochFunded(epoch, node, amount);
    }

    /// @dev Takes a node's money out of an epoch; not what a standing statement has promised.
    function _takeUnstated(uint64 epoch, address node) private returns (uint128 amount) {
        Statement storage statement = _statements[epoch][node];
        bool isStated = statement.publishedAt != 0;
        require(!isStated || statement.voided, EpochSettlementAlreadyStated(epoch, node));
        amount = SafeCast.toUint128(funded[epoch][node]);
        require(amount != 0, EpochSettlementNothingFunded(epoch, node));
        funded[epoch][node] = 0;
        if (!isStated) --_tallies[epoch].waiting;
    }

    /// @dev The first statement of an epoch puts it at the list's end; `_isClosed` has refused any earlier place.
    function _enlist(uint64 epoch) private {
        Cursor memory cursor = _cursor;
        if (_isListed(epoch, cursor.lastStated)) return;
        uint32 place = SafeCast.toUint32(epoch + 1);
        if (cursor.lastStated != 0) _tallies[cursor.lastStated - 1].next = place;
        if (cursor.firstUncommitted == 0) cursor.firstUncommitted = place;
        cursor.lastStated = place;
        _write(cursor);
    }

    function _record(Commitment calldata commitment, address node, uint64 previous) private {
        uint64 epoch = commitment.epoch;
        Record storage record = _records[epoch];
        if (record.finalAt != 0 && _faultsUntil[epoch] == 0) _faultsUntil[epoch] = record.finalAt;
        uint24 window = SafeCast.toUint24(parameters.value(CHALLENGE_WINDOW));
        uint40 finalAt = SafeCast.toUint40(block.timestamp + window);
        bytes32 packed = bytes32(
            uint256(uint160(node)) | uint256(finalAt) << 160 | uint256(window) << 200
                | uint256(SafeCast.toUint32(previous)) << 224
        );
        record.entryRoot = commitment.entryRoot;
        record.cumRoot = commitment.cumRoot;
        // The compiler would write this slot once for each of its four members.
        assembly ("memory-safe") {
            sstore(add(record.slot, 2), packed)
        }
        emit EpochCommitted(
            epoch, node, commitment.entryRoot, commitment.cumRoot, commitment.total, commitment.dataCid
        );
    }

    function _voidFrom(uint64 epoch) private {
        _cursor.lastCommitted = _records[epoch].previous;
        _cursor.firstUncommitted = epoch + 1;
        emit CommitmentVoided(epoch, msg.sender);
    }

    /// @dev One write for the slot; the compiler would make one for each member.
    function _write(Cursor memory cursor) private {
        assembly ("memory-safe") {
            let low := or(mload(cursor), shl(64, mload(add(cursor, 32))))
            let high := or(mload(add(cursor, 64)), shl(64, mload(add(cursor, 96))))
            sstore(_cursor.slot, or(low, shl(128, high)))
        }
    }

    /// @dev As for the cursor.
    function _write(Tally storage self, Tally memory tally) private {
        assembly ("memory-safe") {
            let low := or(mload(tally), shl(96, mload(add(tally, 32))))
            let high := or(mload(add(tally, 64)), shl(24, mload(add(tally, 96))))
            sstore(self.slot, or(low, shl(200, high)))
        }
    }

    function _requireNext(uint64 epoch, uint64 first) private pure {
        require(first != 0, EpochSettlementNothingStated(epoch));
        require(epoch == first - 1, EpochSettlementOutOfOrder(epoch, first - 1));
    }

    function _requireStatementsIn(uint64 epoch, uint24 waiting) private view {
        uint64 until = _graceEnd(epoch);
        require(waiting == 0 || block.timestamp >= until, EpochSettlementStatementsOpen(epoch, until));
    }

    /// @dev Every funded node has one whole epoch to state before a commitment may leave it out.
    function _graceEnd(uint64 epoch) private view returns (uint64) {
        return SafeCast.toUint64(genesis + (uint256(epoch) + 2) * epochLength);
    }

    function _isListed(uint64 epoch, uint64 lastStated) private view returns (bool) {
        return lastStated == uint256(epoch) + 1 || _tallies[epoch].next != 0;
    }

    function _isClosed(uint64 epoch) private view returns (bool) {
        uint64 lastStated = _cursor.lastStated;
        return _isListed(epoch, lastStated) ? _records[epoch].finalAt != 0 : uint256(epoch) + 1 < lastStated;
    }

    /// @dev All stated epochs up to the last committed one are committed.
    function _isLive(uint64 epoch, uint64 lastCommitted) private view returns (bool) {
        return epoch < lastCommitted && _records[epoch].finalAt != 0;
    }

    function _isFinal(uint64 epoch) private view returns (bool) {
        return _isLive(epoch, _cursor.lastFinal);
    }

    /// @dev Statements can be proven wrong until their epoch's first window ends, however often the commitment must be
    /// repeated: else a row of planted faults, shown one after the other, would put finality off for ever.
    function _isLate(uint64 epoch) private view returns (bool) {
        uint40 until = _faultsUntil[epoch];
        if (until == 0 && !_isLive(epoch, _cursor.lastCommitted)) until = _records[epoch].finalAt;
        return until != 0 && block.timestamp >= until;
    }

    function _rootAndTotal(uint64 place) private view returns (bytes32, uint128) {
        if (place == 0) return (0, 0);
        return (_records[place - 1].cumRoot, _tallies[place - 1].total);
    }

    function _latest(uint64 place) private view returns (uint64 epoch, bytes32 cumRoot, uint128 total) {
        if (place == 0) return (0, 0, 0);
        (cumRoot, total) = _rootAndTotal(place);
        epoch = place - 1;
    }

    function _brief(uint64 place) private view returns (CommitmentRecord memory brief) {
        if (place == 0) return brief;
        Record memory record = _records[place - 1];
        return CommitmentRecord(
            record.entryRoot,
            record.cumRoot,
            _tallies[place - 1].total,
            record.committer,
            record.finalAt - record.window,
            record.finalAt,
            place <= _cursor.lastFinal
        );
    }

    function _nonZero(address account) private pure returns (address) {
        require(account != address(0), EpochSettlementZeroAddress());
        return account;
    }
}
