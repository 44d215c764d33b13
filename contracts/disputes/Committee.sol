// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {ICommittee} from "../interfaces/ICommittee.sol";
import {IEpochSettlement} from "../interfaces/IEpochSettlement.sol";
import {IJurorPool} from "../interfaces/IJurorPool.sol";
import {INodeStaking} from "../interfaces/INodeStaking.sol";
import {IOpenToken} from "../interfaces/IOpenToken.sol";
import {IProtocolParameters} from "../interfaces/IProtocolParameters.sol";
import {BoundedBytes} from "../libraries/BoundedBytes.sol";
import {DisputeRules, Verdict} from "../libraries/DisputeRules.sol";
import {OpenSumTree} from "../libraries/OpenSumTree.sol";
import {Receipt} from "../libraries/ReceiptHash.sol";

/// @title Disputes over single receipts, judged by drawn jurors. Holds the bonds of open disputes and unclaimed fees.
contract Committee is ICommittee, ReentrancyGuardTransient {
    using SafeERC20 for IOpenToken;

    uint256 private constant TOTAL_PPM = 1_000_000;
    bytes32 private constant DISPUTE_BOND = keccak256("disputeBond");
    bytes32 private constant FAULT_SLASH = keccak256("faultSlashPpm");
    bytes32 private constant JUROR_SLASH = keccak256("jurorSlashPpm");
    bytes32 private constant COMMITTEE_WINDOW = keccak256("committeeWindow");
    bytes32 private constant APPEAL_WINDOW = keccak256("appealWindow");

    IOpenToken public immutable token;
    INodeStaking public immutable staking;
    IEpochSettlement public immutable settlement;
    IProtocolParameters public immutable parameters;
    IJurorPool public immutable jurorPool;

    mapping(bytes32 id => Dispute) private _disputes;
    mapping(bytes32 id => mapping(uint256 round => Round)) private _rounds;
    mapping(bytes32 id => mapping(uint256 round => mapping(address juror => Ballot))) private _ballots;

    constructor(
        IOpenToken token_,
        INodeStaking staking_,
        IEpochSettlement settlement_,
        IProtocolParameters parameters_,
        IJurorPool jurorPool_
    ) {
        token = token_;
        staking = staking_;
        settlement = settlement_;
        parameters = parameters_;
        jurorPool = jurorPool_;
    }

    /// @inheritdoc ICommittee
    function open(
        uint64 epoch,
        address node,
        Receipt calldata receipt,
        OpenSumTree.SumProof calldata proof,
        bytes calldata claimCid
    ) external nonReentrant returns (bytes32 id) {
        require(settlement.isChallengeable(epoch, node), CommitteeNotChallengeable(epoch, node));
        bytes32 receiptHash = settlement.receiptHash(receipt);
        bytes32 receiptsRoot = settlement.getStatement(epoch, node).receiptsRoot;
        (bool fits, bytes32 root,) = OpenSumTree.climb(receiptHash, receipt.price, proof);
        require(fits && root == receiptsRoot, CommitteeNotStated(receiptHash, receiptsRoot));
        id = disputeId(epoch, node, receiptHash);
        require(_disputes[id].status == Status.None, CommitteeAlreadyDisputed(id));
        BoundedBytes.checkCid(claimCid);
        uint128 bond = _create(id, epoch, node);
        emit DisputeOpened(id, epoch, node, msg.sender, receipt, bond, claimCid);
        _schedule(id, 0);
        settlement.hold(epoch);
        token.safeTransferFrom(msg.sender, address(this), bond);
    }

    /// @inheritdoc ICommittee
    function draw(bytes32 id) external nonReentrant {
        (Dispute storage dispute, uint256 round) = _active(id);
        require(_rounds[id][round].seats == 0, CommitteeAlreadyDrawn(id, round));
        uint256 start = roundStart(id, round);
        _require(id, start, start + dispute.committeeWindow / 4);
        uint256 drawBlock = dispute.drawBlock;
        require(drawBlock == 0 || block.number > drawBlock, CommitteeDrawPending(id, drawBlock));
        bytes32 blockHash = drawBlock == 0 ? bytes32(0) : jurorPool.hashOf(drawBlock);
        if (blockHash == 0 || !_canJudge(dispute)) return _schedule(id, round);
        (address[] memory jurors, uint128[] memory atRisk) = jurorPool.draw(
            DisputeRules.drawSeed(blockHash, id, round),
            round == 0 ? DisputeRules.FIRST_SEATS : DisputeRules.APPEAL_SEATS,
            IJurorPool.Parties(dispute.node, dispute.challenger, dispute.openedAt - 1),
            dispute.jurorSlashPpm
        );
        if (jurors.length == 0) return _schedule(id, round);
        _seat(id, round, jurors, atRisk);
    }

    /// @inheritdoc ICommittee
    function commitVote(bytes32 id, bytes32 commitment) external {
        (Dispute storage dispute, uint256 round) = _active(id);
        Ballot storage ballot = _ballotOf(id, round);
        uint256 start = roundStart(id, round);
        _require(id, start, start + dispute.committeeWindow / 2);
        require(ballot.commitment == 0, CommitteeAlreadyCommitted(id, msg.sender));
        require(commitment != 0, CommitteeBadCommitment(id, msg.sender, commitment));
        ballot.commitment = commitment;
        emit VoteCommitted(id, round, msg.sender, commitment);
    }

    /// @inheritdoc ICommittee
    function revealVote(bytes32 id, Verdict verdict, bytes32 salt) external {
        (Dispute storage dispute, uint256 round) = _active(id);
        Ballot storage ballot = _ballotOf(id, round);
        uint256 start = roundStart(id, round);
        _require(id, start + dispute.committeeWindow / 2, start + dispute.committeeWindow);
        require(verdict != Verdict.None, CommitteeBadVerdict(verdict));
        require(ballot.verdict == Verdict.None, CommitteeAlreadyRevealed(id, msg.sender));
        bytes32 digest = DisputeRules.voteDigest(id, round, msg.sender, verdict, salt);
        require(ballot.commitment == digest, CommitteeBadCommitment(id, msg.sender, digest));
        ballot.verdict = verdict;
        if (verdict == Verdict.Guilty) _rounds[id][round].guilty += ballot.seats;
        if (verdict == Verdict.NotGuilty) _rounds[id][round].notGuilty += ballot.seats;
        emit VoteRevealed(id, round, msg.sender, verdict, ballot.seats);
    }

    /// @inheritdoc ICommittee
    function appeal(bytes32 id) external nonReentrant {
        Dispute storage dispute = _disputes[id];
        require(dispute.status == Status.Open, CommitteeWrongStatus(id, dispute.status));
        uint256 decided = dispute.openedAt + dispute.committeeWindow;
        _require(id, decided, decided + dispute.appealWindow / 2);
        Verdict verdict = verdictOf(id);
        require(verdict != Verdict.None, CommitteeNoVerdict(id));
        _requireParty(id, verdict == Verdict.Guilty ? dispute.node : dispute.challenger);
        dispute.status = Status.Appealed;
        dispute.appellant = msg.sender;
        dispute.drawBlock = 0;
        uint256 amount = 2 * uint256(dispute.bond);
        emit DisputeAppealed(id, msg.sender, amount);
        token.safeTransferFrom(msg.sender, address(this), amount);
    }

    /// @inheritdoc ICommittee
    function answerAppeal(bytes32 id) external nonReentrant {
        Dispute storage dispute = _disputes[id];
        require(dispute.status == Status.Appealed, CommitteeWrongStatus(id, dispute.status));
        require(dispute.respondedAt == 0, CommitteeAlreadyAnswered(id));
        _require(id, 0, roundStart(id, 1));
        Verdict first = DisputeRules.verdictOf(_tally(id, 0));
        _requireParty(id, first == Verdict.Guilty ? dispute.challenger : dispute.node);
        dispute.responder = msg.sender;
        dispute.respondedAt = uint40(block.timestamp);
        emit AppealAnswered(id, msg.sender, dispute.bond);
        _schedule(id, 1);
        token.safeTransferFrom(msg.sender, address(this), dispute.bond);
    }

    /// @inheritdoc ICommittee
    function settle(bytes32 id) external nonReentrant returns (Status status) {
        Dispute storage dispute = _disputes[id];
        _active(id);
        if (!settlement.isStanding(dispute.epoch, dispute.node)) return _endMoot(id, dispute);
        uint256 at = settleableAt(id);
        require(block.timestamp >= at, CommitteeTooEarly(id, at));
        DisputeRules.Case memory ended = _case(id, dispute);
        Verdict verdict = DisputeRules.finalVerdict(ended);
        status = _statusOf(verdict);
        dispute.status = status;
        uint128 due = _slashDue(dispute);
        uint256 slashed = 0;
        ended.reward = due / 2;
        if (verdict == Verdict.Guilty) {
            settlement.voidStatement(dispute.epoch, dispute.node);
            slashed = staking.slash(dispute.node, due, address(this));
            ended.reward = staking.bountyOf(address(this)) == 0 ? 0 : staking.collectBounty(address(this));
        }
        _slashAbsent(id, 0);
        _slashAbsent(id, 1);
        DisputeRules.Payout memory out = DisputeRules.payout(ended);
        (dispute.firstFee, dispute.secondFee) = (uint128(out.firstFee), uint128(out.secondFee));
        emit DisputeSettled(id, status, slashed, out.burnt);
        settlement.release(dispute.epoch);
        _pay(dispute, out);
    }

    /// @inheritdoc ICommittee
    function claimFee(bytes32 id, uint256 round, address juror) external nonReentrant returns (uint256 amount) {
        amount = feeOf(id, round, juror);
        require(amount != 0, CommitteeNothingEarned(id, round, juror));
        _ballots[id][round][juror].isPaid = true;
        emit FeeClaimed(id, round, juror, amount);
        token.safeTransfer(juror, amount);
    }

    /// @inheritdoc ICommittee
    function getDispute(bytes32 id) external view returns (Dispute memory) {
        return _disputes[id];
    }

    /// @inheritdoc ICommittee
    function getRound(bytes32 id, uint256 round) external view returns (Round memory) {
        return _rounds[id][round];
    }

    /// @inheritdoc ICommittee
    function getBallot(bytes32 id, uint256 round, address juror) external view returns (Ballot memory) {
        return _ballots[id][round][juror];
    }

    /// @inheritdoc ICommittee
    function verdictOf(bytes32 id) public view returns (Verdict) {
        return DisputeRules.finalVerdict(_case(id, _disputes[id]));
    }

    /// @inheritdoc ICommittee
    function roundStart(bytes32 id, uint256 round) public view returns (uint256) {
        Dispute storage dispute = _disputes[id];
        if (round == 0) return dispute.openedAt;
        if (round != 1 || dispute.appellant == address(0)) return 0;
        if (dispute.respondedAt != 0) return dispute.respondedAt;
        return uint256(dispute.openedAt) + dispute.committeeWindow + dispute.appealWindow;
    }

    /// @inheritdoc ICommittee
    function settleableAt(bytes32 id) public view returns (uint256) {
        Dispute storage dispute = _disputes[id];
        if (dispute.status != Status.Open && dispute.status != Status.Appealed) return 0;
        uint256 round = dispute.status == Status.Open ? 0 : 1;
        uint256 start = roundStart(id, round);
        if (_rounds[id][round].seats == 0) return start + dispute.committeeWindow / 4;
        uint256 end = start + dispute.committeeWindow;
        bool canAppeal = round == 0 && DisputeRules.verdictOf(_tally(id, 0)) != Verdict.None;
        return canAppeal ? end + dispute.appealWindow / 2 : end;
    }

    /// @inheritdoc ICommittee
    function feeOf(bytes32 id, uint256 round, address juror) public view returns (uint256) {
        Dispute storage dispute = _disputes[id];
        Ballot storage ballot = _ballots[id][round][juror];
        bool isJudgement = ballot.verdict == Verdict.Guilty || ballot.verdict == Verdict.NotGuilty;
        if (ballot.isPaid || !isJudgement) return 0;
        // A round that decided nothing pays whoever judged; else only who said what became the end of the dispute.
        bool isIdle = DisputeRules.verdictOf(_tally(id, round)) == Verdict.None;
        if (!isIdle && _statusOf(ballot.verdict) != dispute.status) return 0;
        return uint256(round == 0 ? dispute.firstFee : dispute.secondFee) * ballot.seats;
    }

    /// @inheritdoc ICommittee
    function disputeId(uint64 epoch, address node, bytes32 receiptHash) public pure returns (bytes32) {
        return DisputeRules.disputeId(epoch, node, receiptHash);
    }

    function _create(bytes32 id, uint64 epoch, address node) private returns (uint128 bond) {
        Dispute storage dispute = _disputes[id];
        bond = SafeCast.toUint128(parameters.value(DISPUTE_BOND));
        (dispute.node, dispute.epoch, dispute.status) = (node, epoch, Status.Open);
        (dispute.challenger, dispute.openedAt) = (msg.sender, uint40(block.timestamp));
        dispute.bond = bond;
        dispute.jurorSlashPpm = SafeCast.toUint32(parameters.value(JUROR_SLASH));
        dispute.faultSlashPpm = SafeCast.toUint32(parameters.value(FAULT_SLASH));
        dispute.committeeWindow = SafeCast.toUint32(parameters.value(COMMITTEE_WINDOW));
        dispute.appealWindow = SafeCast.toUint32(parameters.value(APPEAL_WINDOW));
    }

    function _schedule(bytes32 id, uint256 round) private {
        uint256 drawBlock = jurorPool.nextDrawBlock();
        _disputes[id].drawBlock = uint40(drawBlock);
        emit DrawScheduled(id, round, drawBlock);
    }

    /// @dev At most ten seats. A juror drawn twice holds two seats and one ballot.
    function _seat(bytes32 id, uint256 round, address[] memory jurors, uint128[] memory atRisk) private {
        Round storage drawn = _rounds[id][round];
        drawn.seats = uint8(jurors.length);
        for (uint256 i = 0; i < jurors.length; ++i) {
            Ballot storage ballot = _ballots[id][round][jurors[i]];
            if (ballot.seats++ != 0) continue;
            ballot.atRisk = atRisk[i];
            drawn.jurors.push(jurors[i]);
        }
        emit JurorsDrawn(id, round, jurors);
    }

    /// @dev Another judge has voided the statement: nobody has lost, and nobody is owed.
    function _endMoot(bytes32 id, Dispute storage dispute) private returns (Status) {
        bool appealed = dispute.status == Status.Appealed;
        dispute.status = Status.Moot;
        emit DisputeSettled(id, Status.Moot, 0, 0);
        settlement.release(dispute.epoch);
        _send(dispute.challenger, dispute.bond);
        if (appealed) _send(dispute.appellant, 2 * uint256(dispute.bond));
        if (dispute.responder != address(0)) _send(dispute.responder, dispute.bond);
        return Status.Moot;
    }

    function _slashAbsent(bytes32 id, uint256 round) private {
        address[] storage jurors = _rounds[id][round].jurors;
        for (uint256 i = 0; i < jurors.length; ++i) {
            Ballot storage ballot = _ballots[id][round][jurors[i]];
            if (ballot.verdict != Verdict.None) continue;
            uint256 slashed = staking.slash(jurors[i], ballot.atRisk, address(0));
            emit AbsentJurorSlashed(id, round, jurors[i], slashed);
        }
    }

    function _pay(Dispute storage dispute, DisputeRules.Payout memory out) private {
        _send(dispute.challenger, out.challenger);
        _send(dispute.node, out.node);
        _send(dispute.appellant, out.appellant);
        _send(dispute.responder, out.responder);
        if (out.burnt != 0) token.burn(out.burnt);
    }

    function _send(address to, uint256 amount) private {
        if (amount != 0) token.safeTransfer(to, amount);
    }

    function _active(bytes32 id) private view returns (Dispute storage dispute, uint256 round) {
        dispute = _disputes[id];
        Status status = dispute.status;
        require(status == Status.Open || status == Status.Appealed, CommitteeWrongStatus(id, status));
        round = status == Status.Open ? 0 : 1;
    }

    function _ballotOf(bytes32 id, uint256 round) private view returns (Ballot storage ballot) {
        ballot = _ballots[id][round][msg.sender];
        require(ballot.seats != 0, CommitteeNotSeated(id, round, msg.sender));
    }

    function _tally(bytes32 id, uint256 round) private view returns (DisputeRules.Tally memory) {
        Round storage votes = _rounds[id][round];
        return DisputeRules.Tally(votes.seats, votes.guilty, votes.notGuilty);
    }

    function _case(bytes32 id, Dispute storage dispute) private view returns (DisputeRules.Case memory) {
        bool appealed = dispute.appellant != address(0);
        bool responded = dispute.responder != address(0);
        return DisputeRules.Case(dispute.bond, 0, _tally(id, 0), _tally(id, 1), appealed, responded);
    }

    function _slashDue(Dispute storage dispute) private view returns (uint128) {
        uint256 reachable = staking.slashableStake(dispute.node);
        return SafeCast.toUint128(Math.mulDiv(reachable, dispute.faultSlashPpm, TOTAL_PPM));
    }

    /// @dev Jurors who have staked less than they can take would cost less to be than what their verdict is worth.
    function _canJudge(Dispute storage dispute) private view returns (bool) {
        return jurorPool.totalWeight() * DisputeRules.WEIGHT_UNIT >= _slashDue(dispute);
    }

    function _requireParty(bytes32 id, address party) private view {
        bool isParty = msg.sender == party || staking.nodeOf(msg.sender) == party;
        require(isParty, CommitteeNotParty(id, msg.sender, party));
    }

    /// @dev Windows are half-open.
    function _require(bytes32 id, uint256 since, uint256 until) private view {
        require(block.timestamp >= since, CommitteeTooEarly(id, since));
        require(block.timestamp < until, CommitteeTooLate(id, until));
    }

    function _statusOf(Verdict verdict) private pure returns (Status) {
        if (verdict == Verdict.None) return Status.NoVerdict;
        return verdict == Verdict.Guilty ? Status.Guilty : Status.NotGuilty;
    }
}
