// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {IDataChallenges} from "../interfaces/IDataChallenges.sol";
import {IEpochSettlement} from "../interfaces/IEpochSettlement.sol";
import {INodeStaking} from "../interfaces/INodeStaking.sol";
import {IOpenToken} from "../interfaces/IOpenToken.sol";
import {IProtocolParameters} from "../interfaces/IProtocolParameters.sol";
import {EarnerAccounts} from "../libraries/EarnerAccounts.sol";
import {OpenSumTree} from "../libraries/OpenSumTree.sol";
import {Receipt} from "../libraries/ReceiptHash.sol";

/// @title The data-withholding lane. Holds the bonds of open challenges and nothing else.
contract DataChallenges is IDataChallenges, ReentrancyGuardTransient {
    using SafeERC20 for IOpenToken;

    bytes32 private constant TAG_CHALLENGE = keccak256("openledger.data_challenge");
    bytes32 private constant TAG_LINE = keccak256("openledger.line");
    bytes32 private constant TAG_ENTRY_LEAF = keccak256("openledger.entry_leaf");
    bytes32 private constant DATA_BOND = keccak256("dataBond");
    bytes32 private constant WITHHOLDING_SLASH = keccak256("withholdingSlashPpm");
    bytes32 private constant RESPONSE_WINDOW = keccak256("responseWindow");
    uint256 private constant TOTAL_PPM = 1_000_000;
    /// @dev Far above the limit by challenger, so that one account cannot use up a node's questions.
    uint256 public constant MAX_OPEN_ON_NODE = 64;
    uint256 public constant MAX_OPEN_BY_CHALLENGER = 8;

    IOpenToken public immutable token;
    INodeStaking public immutable staking;
    IEpochSettlement public immutable settlement;
    IProtocolParameters public immutable parameters;

    /// @inheritdoc IDataChallenges
    mapping(uint64 epoch => mapping(address node => uint256)) public openOn;
    /// @inheritdoc IDataChallenges
    mapping(address challenger => uint256) public openBy;

    mapping(bytes32 id => Challenge) private _challenges;

    constructor(
        IOpenToken token_,
        INodeStaking staking_,
        IEpochSettlement settlement_,
        IProtocolParameters parameters_
    ) {
        token = token_;
        staking = staking_;
        settlement = settlement_;
        parameters = parameters_;
    }

    /// @inheritdoc IDataChallenges
    function challenge(uint64 epoch, address node, Kind kind, uint32 index)
        external
        nonReentrant
        returns (bytes32 id)
    {
        (bool isOpen, bytes32 root,) = _published(epoch, node, kind);
        bool isInTime = !_isAboutStatement(kind) || settlement.isChallengeable(epoch, node);
        require(isOpen && isInTime, DataChallengesNotChallengeable(epoch, node));
        if (kind == Kind.Line) {
            uint32 count = settlement.getStatement(epoch, node).count;
            require(index < count, DataChallengesIndexPastCount(index, count));
        }
        id = challengeId(epoch, node, kind, index, root);
        Status before = _challenges[id].status;
        // A root that was void may be published again, and must then be answered for again.
        require(before != Status.Open && before != Status.Answered, DataChallengesAlreadyAsked(id));
        _count(epoch, node);
        uint128 bond = SafeCast.toUint128(parameters.value(DATA_BOND));
        uint64 answerBy = uint64(block.timestamp + parameters.value(RESPONSE_WINDOW));
        uint32 slashPpm = SafeCast.toUint32(parameters.value(WITHHOLDING_SLASH));
        _challenges[id] =
            Challenge(root, node, epoch, kind, Status.Open, msg.sender, answerBy, index, bond, slashPpm);
        emit DataChallenged(id, epoch, node, kind, index, msg.sender, answerBy);
        settlement.hold(epoch);
        token.safeTransferFrom(msg.sender, address(this), bond);
    }

    /// @inheritdoc IDataChallenges
    function answerLine(
        bytes32 id,
        Line calldata line,
        OpenSumTree.SumProof calldata lineProof,
        Receipt calldata receipt,
        OpenSumTree.SumProof calldata receiptProof,
        bytes calldata signature
    ) external nonReentrant {
        Challenge storage asked = _asked(id, Kind.Line);
        IEpochSettlement.Statement memory statement = settlement.getStatement(asked.epoch, asked.node);
        _checkIndex(id, asked, lineProof.index);
        bytes32 key = keccak256(abi.encode(TAG_LINE, line.earner, line.requestId));
        (bool fits, bytes32 root, uint256 total) = OpenSumTree.climb(key, line.amount, lineProof);
        bool isStated = fits && total == statement.total && lineProof.count == statement.count;
        require(isStated && root == asked.root, DataChallengesWrongProof(id, root));
        require(
            receipt.requestId == line.requestId, DataChallengesWrongReceipt(id, receipt.requestId, receipt.node)
        );
        _checkReceipt(id, asked.node, statement.receiptsRoot, receipt, receiptProof, signature);
        _answered(id, asked);
    }

    /// @inheritdoc IDataChallenges
    function answerReceipt(
        bytes32 id,
        Receipt calldata receipt,
        OpenSumTree.SumProof calldata proof,
        bytes calldata signature
    ) external nonReentrant {
        Challenge storage asked = _asked(id, Kind.Receipt);
        _checkIndex(id, asked, proof.index);
        _checkReceipt(id, asked.node, asked.root, receipt, proof, signature);
        _answered(id, asked);
    }

    /// @inheritdoc IDataChallenges
    function answerEntry(
        bytes32 id,
        address earner,
        address node,
        uint128 amount,
        OpenSumTree.SumProof calldata proof
    ) external nonReentrant {
        Challenge storage asked = _asked(id, Kind.Entry);
        _checkIndex(id, asked, proof.index);
        _checkLeaf(id, asked, keccak256(abi.encode(TAG_ENTRY_LEAF, earner, node)), amount, proof);
        _answered(id, asked);
    }

    /// @inheritdoc IDataChallenges
    function answerCumulative(
        bytes32 id,
        address account,
        uint128 amount,
        OpenSumTree.SumProof calldata proof
    ) external nonReentrant {
        Challenge storage asked = _asked(id, Kind.Cumulative);
        _checkIndex(id, asked, proof.index);
        _checkLeaf(id, asked, EarnerAccounts.leafKey(account), amount, proof);
        _answered(id, asked);
    }

    /// @inheritdoc IDataChallenges
    function answerPastEnd(bytes32 id, bytes32 key, uint256 amount, OpenSumTree.SumProof calldata proof)
        external
        nonReentrant
    {
        Challenge storage asked = _challenges[id];
        _requireAnswerable(id, asked);
        // A statement's count of lines is published: a root with fewer is no answer but the fault itself.
        require(asked.kind != Kind.Line, DataChallengesWrongKind(id, asked.kind));
        require(proof.count <= asked.index, DataChallengesWrongIndex(id, proof.count, asked.index));
        _checkLeaf(id, asked, key, amount, proof);
        _answered(id, asked);
    }

    /// @inheritdoc IDataChallenges
    function conclude(bytes32 id) external nonReentrant returns (Status status) {
        Challenge storage asked = _challenges[id];
        require(asked.status == Status.Open, DataChallengesNotOpen(id, asked.status));
        (bool isOpen, bytes32 root,) = _published(asked.epoch, asked.node, asked.kind);
        if (!isOpen || root != asked.root) {
            emit DataMoot(id);
            status = Status.Moot;
        } else {
            require(block.timestamp >= asked.answerBy, DataChallengesTooEarly(id, asked.answerBy));
            status = Status.Withheld;
        }
        _close(asked, status);
        if (status == Status.Withheld) emit DataWithheld(id, asked.node, _punish(asked));
        token.safeTransfer(asked.challenger, asked.bond);
    }

    /// @inheritdoc IDataChallenges
    function getChallenge(bytes32 id) external view returns (Challenge memory) {
        return _challenges[id];
    }

    /// @inheritdoc IDataChallenges
    function rootOf(uint64 epoch, address node, Kind kind) external view returns (bytes32 root) {
        (, root,) = _published(epoch, node, kind);
    }

    /// @inheritdoc IDataChallenges
    function challengeId(uint64 epoch, address node, Kind kind, uint32 index, bytes32 root)
        public
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(TAG_CHALLENGE, epoch, node, kind, index, root));
    }

    function _count(uint64 epoch, address node) private {
        uint256 onNode = openOn[epoch][node];
        require(onNode < MAX_OPEN_ON_NODE, DataChallengesTooManyOpen(node, onNode, MAX_OPEN_ON_NODE));
        uint256 mine = openBy[msg.sender];
        require(
            mine < MAX_OPEN_BY_CHALLENGER, DataChallengesTooManyOpen(msg.sender, mine, MAX_OPEN_BY_CHALLENGER)
        );
        openOn[epoch][node] = onNode + 1;
        openBy[msg.sender] = mine + 1;
    }

    function _answered(bytes32 id, Challenge storage asked) private {
        _close(asked, Status.Answered);
        emit DataAnswered(id, msg.sender, asked.bond);
        token.safeTransfer(asked.node, asked.bond);
    }

    function _close(Challenge storage asked, Status status) private {
        asked.status = status;
        --openOn[asked.epoch][asked.node];
        --openBy[asked.challenger];
        settlement.release(asked.epoch);
    }

    function _punish(Challenge storage asked) private returns (uint256 slashed) {
        if (_isAboutStatement(asked.kind)) settlement.voidStatement(asked.epoch, asked.node);
        else settlement.voidCommitment(asked.epoch);
        uint256 due = Math.mulDiv(staking.slashableStake(asked.node), asked.slashPpm, TOTAL_PPM);
        slashed = staking.slash(asked.node, SafeCast.toUint128(due), asked.challenger);
    }

    /// @dev Whether there is something to ask about, its root, and the total that the root must have.
    function _published(uint64 epoch, address node, Kind kind)
        private
        view
        returns (bool isOpen, bytes32 root, uint256 total)
    {
        if (_isAboutStatement(kind)) {
            IEpochSettlement.Statement memory statement = settlement.getStatement(epoch, node);
            isOpen = settlement.isStanding(epoch, node);
            return (isOpen, kind == Kind.Line ? statement.root : statement.receiptsRoot, statement.total);
        }
        IEpochSettlement.CommitmentRecord memory record = settlement.getCommitment(epoch);
        isOpen = record.committedAt != 0 && !record.isFinal && record.committer == node;
        if (kind == Kind.Cumulative) return (isOpen, record.cumRoot, record.total);
        return (isOpen, record.entryRoot, record.total - settlement.previousCommitment(epoch).total);
    }

    function _asked(bytes32 id, Kind kind) private view returns (Challenge storage asked) {
        asked = _challenges[id];
        _requireAnswerable(id, asked);
        require(asked.kind == kind, DataChallengesWrongKind(id, asked.kind));
    }

    function _requireAnswerable(bytes32 id, Challenge storage asked) private view {
        require(asked.status == Status.Open, DataChallengesNotOpen(id, asked.status));
        require(block.timestamp < asked.answerBy, DataChallengesTooLate(id, asked.answerBy));
    }

    function _checkIndex(bytes32 id, Challenge storage asked, uint256 index) private view {
        require(index == asked.index, DataChallengesWrongIndex(id, index, asked.index));
    }

    function _checkLeaf(
        bytes32 id,
        Challenge storage asked,
        bytes32 key,
        uint256 amount,
        OpenSumTree.SumProof calldata proof
    ) private view {
        (bool fits, bytes32 root, uint256 total) = OpenSumTree.climb(key, amount, proof);
        (,, uint256 published) = _published(asked.epoch, asked.node, asked.kind);
        // Receipts may cost more than the epoch paid of them.
        bool isWhole = asked.kind == Kind.Receipt || total == published;
        require(fits && isWhole && root == asked.root, DataChallengesWrongProof(id, root));
    }

    function _checkReceipt(
        bytes32 id,
        address node,
        bytes32 receiptsRoot,
        Receipt calldata receipt,
        OpenSumTree.SumProof calldata proof,
        bytes calldata signature
    ) private view {
        require(receipt.node == node, DataChallengesWrongReceipt(id, receipt.requestId, receipt.node));
        (bool fits, bytes32 root,) = OpenSumTree.climb(settlement.receiptHash(receipt), receipt.price, proof);
        require(fits && root == receiptsRoot, DataChallengesWrongProof(id, root));
        (address signer,,) = ECDSA.tryRecover(settlement.receiptDigest(receipt), signature);
        require(
            signer != address(0) && staking.wasSigner(node, signer), DataChallengesNotSigner(node, signer)
        );
    }

    function _isAboutStatement(Kind kind) private pure returns (bool) {
        return kind == Kind.Line || kind == Kind.Receipt;
    }
}
