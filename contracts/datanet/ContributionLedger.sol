// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {Checkpoints} from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";
import {IContributionLedger} from "../interfaces/IContributionLedger.sol";
import {IDatanetRegistry} from "../interfaces/IDatanetRegistry.sol";
import {IGuardian} from "../interfaces/IGuardian.sol";
import {INodeStaking} from "../interfaces/INodeStaking.sol";
import {IOpenToken} from "../interfaces/IOpenToken.sol";
import {IProtocolParameters} from "../interfaces/IProtocolParameters.sol";
import {BoundedBytes} from "../libraries/BoundedBytes.sol";
import {OpenMerkle} from "../libraries/OpenMerkle.sol";
import {RowHash} from "../libraries/RowHash.sol";

/// @title Ledger of contributions. Immutable; it holds the open bonds and nothing else, and only `submit` can be paused.
/// @dev Who may decide is the Datanet registry's to say; what a wrong decision costs, staking takes.
contract ContributionLedger is IContributionLedger, ReentrancyGuardTransient {
    using SafeERC20 for IOpenToken;
    using Checkpoints for Checkpoints.Trace208;

    uint256 private constant PPM = 1_000_000;
    bytes32 private constant CONTRIBUTION_BOND = keccak256("contributionBond");
    bytes32 private constant MIN_CURATOR_STAKE = keccak256("minCuratorStake");
    bytes32 private constant JUROR_SLASH_PPM = keccak256("jurorSlashPpm");
    bytes32 private constant APPEAL_WINDOW = keccak256("appealWindow");

    /// @dev `history` holds at each change through which contribution the row is revoked, 0 for not.
    struct Consent {
        uint64 revokedAt;
        Checkpoints.Trace208 history;
    }

    IOpenToken public immutable token;
    IDatanetRegistry public immutable datanets;
    INodeStaking public immutable staking;
    IProtocolParameters public immutable parameters;
    IGuardian public immutable guardian;

    /// @inheritdoc IContributionLedger
    uint256 public contributionCount;
    /// @inheritdoc IContributionLedger
    mapping(uint256 laterId => mapping(bytes32 digest => uint256 earlierId)) public duplicateOf;
    /// @inheritdoc IContributionLedger
    mapping(uint256 datanetId => mapping(address account => uint256 rows)) public rowsDecided;

    mapping(uint256 id => Contribution) private _contributions;
    mapping(uint256 datanetId => mapping(bytes32 digest => Consent)) private _consents;

    constructor(
        IOpenToken token_,
        IDatanetRegistry datanets_,
        INodeStaking staking_,
        IProtocolParameters parameters_,
        IGuardian guardian_
    ) {
        token = token_;
        datanets = datanets_;
        staking = staking_;
        parameters = parameters_;
        guardian = guardian_;
    }

    /* OFFERS */

    /// @inheritdoc IContributionLedger
    function submit(uint256 datanetId, bytes32 batchRoot, uint32 rowCount, bytes calldata batchCid, bool gated)
        external
        nonReentrant
        returns (uint256 id)
    {
        return _submit(datanetId, batchRoot, rowCount, batchCid, gated, _bondInForce());
    }

    /// @inheritdoc IContributionLedger
    function submitWithPermit(
        uint256 datanetId,
        bytes32 batchRoot,
        uint32 rowCount,
        bytes calldata batchCid,
        bool gated,
        uint256 deadline,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external nonReentrant returns (uint256 id) {
        uint128 bond = _bondInForce();
        // Whoever used the permit first has set the same allowance; the transfer decides.
        try token.permit(msg.sender, address(this), bond, deadline, v, r, s) {} catch {}
        return _submit(datanetId, batchRoot, rowCount, batchCid, gated, bond);
    }

    /// @inheritdoc IContributionLedger
    function withdraw(uint256 contributionId) external nonReentrant {
        Contribution storage contribution = _own(contributionId);
        _requireStatus(contributionId, contribution, Status.Submitted);
        _requireOver(contributionId, contribution.deadline);
        contribution.status = Status.Withdrawn;
        emit ContributionWithdrawn(contributionId);
        _close(contributionId, contribution, 0, 0);
    }

    /* DECISIONS AND APPEALS */

    /// @inheritdoc IContributionLedger
    function decide(uint256 contributionId, uint32 accepted, uint32 rejected, bytes calldata reasonsCid) external {
        Contribution storage contribution = _toDecide(contributionId);
        _requireSum(contribution, accepted, rejected);
        _decide(contributionId, contribution, accepted, rejected, false, reasonsCid);
    }

    /// @inheritdoc IContributionLedger
    function decideSpam(uint256 contributionId, bytes calldata reasonsCid) external {
        Contribution storage contribution = _toDecide(contributionId);
        _decide(contributionId, contribution, 0, contribution.rowCount, true, reasonsCid);
    }

    /// @inheritdoc IContributionLedger
    function appeal(uint256 contributionId, bytes calldata reasonsCid) external nonReentrant {
        Contribution storage contribution = _own(contributionId);
        _requireStatus(contributionId, contribution, Status.Decided);
        _requireNotOver(contributionId, contribution.deadline);
        BoundedBytes.checkOptionalCid(reasonsCid);
        contribution.status = Status.Appealed;
        contribution.deadline = _deadline();
        emit DecisionAppealed(contributionId, msg.sender, contribution.deadline, reasonsCid);
        if (contribution.bond != 0) token.safeTransferFrom(msg.sender, address(this), contribution.bond);
    }

    /// @inheritdoc IContributionLedger
    function uphold(uint256 contributionId, bytes calldata reasonsCid) external nonReentrant {
        Contribution storage contribution = _toRule(contributionId, reasonsCid);
        contribution.status = Status.Settled;
        emit AppealRuled(contributionId, msg.sender, false, 0, reasonsCid);
        _close(contributionId, contribution, 0, contribution.bond);
    }

    /// @inheritdoc IContributionLedger
    function overturn(uint256 contributionId, uint32 accepted, uint32 rejected, bytes calldata reasonsCid)
        external
        nonReentrant
    {
        Contribution storage contribution = _toRule(contributionId, reasonsCid);
        _requireSum(contribution, accepted, rejected);
        address overruled = contribution.curator;
        contribution.status = Status.Settled;
        contribution.spam = false;
        rowsDecided[contribution.datanetId][overruled] -= contribution.rowCount;
        _record(contributionId, contribution, accepted, rejected, reasonsCid);
        (uint128 refund, uint128 burnt) = _unhold(contribution, contribution.bond, 0);
        // All of it is burnt: were it paid to anyone, a contributor and a second curator could live off the first.
        uint256 slashed = staking.slash(overruled, contribution.atRisk, address(0));
        emit AppealRuled(contributionId, msg.sender, true, slashed, reasonsCid);
        _pay(contributionId, contribution.contributor, refund, burnt);
    }

    /// @inheritdoc IContributionLedger
    function settle(uint256 contributionId) external nonReentrant {
        Contribution storage contribution = _known(contributionId);
        bool appealed = contribution.status == Status.Appealed;
        if (!appealed) _requireStatus(contributionId, contribution, Status.Decided);
        _requireOver(contributionId, contribution.deadline);
        contribution.status = Status.Settled;
        _close(contributionId, contribution, appealed ? contribution.bond : 0, 0);
    }

    /* COPIES AND CONSENT */

    /// @inheritdoc IContributionLedger
    function proveDuplicate(bytes32 digest, Membership calldata earlier, Membership calldata later)
        external
        nonReentrant
    {
        (uint256 earlierId, uint256 laterId) = (earlier.contributionId, later.contributionId);
        Contribution storage original = _holding(digest, earlier);
        Contribution storage copy = _holding(digest, later);
        uint256 datanetId = copy.datanetId;
        require(earlierId < laterId, ContributionLedgerNotLater(earlierId, laterId));
        require(original.datanetId == datanetId, ContributionLedgerDifferentDatanets(earlierId, laterId));
        require(original.contributor != copy.contributor, ContributionLedgerSameContributor(copy.contributor));
        uint256 known = duplicateOf[laterId][digest];
        require(known == 0, ContributionLedgerDuplicateKnown(laterId, digest, known));
        duplicateOf[laterId][digest] = earlierId;
        Consent storage consent = _consents[datanetId][digest];
        if (consent.history.latest() == laterId) _grant(datanetId, digest, consent, laterId);
        _forfeit(earlierId, laterId, digest, copy);
    }

    /// @inheritdoc IContributionLedger
    function revoke(bytes32 digest, Membership calldata row) external {
        uint256 id = row.contributionId;
        Contribution storage contribution = _holding(digest, row);
        _own(id);
        require(contribution.accepted != 0, ContributionLedgerNothingAccepted(id));
        uint256 original = duplicateOf[id][digest];
        require(original == 0, ContributionLedgerDuplicateKnown(id, digest, original));
        uint256 datanetId = contribution.datanetId;
        Consent storage consent = _consents[datanetId][digest];
        uint256 standing = consent.history.latest();
        require(
            standing == 0 || id < standing,
            ContributionLedgerAlreadyRevoked(datanetId, digest, consent.revokedAt)
        );
        if (standing == 0) consent.revokedAt = uint64(block.timestamp);
        consent.history.push(uint48(block.timestamp), SafeCast.toUint208(id));
        emit ConsentRevoked(datanetId, digest, id);
    }

    /// @inheritdoc IContributionLedger
    function grant(uint256 datanetId, bytes32 digest) external {
        Consent storage consent = _consents[datanetId][digest];
        uint256 standing = consent.history.latest();
        require(standing != 0, ContributionLedgerNotRevoked(datanetId, digest));
        _own(standing);
        _grant(datanetId, digest, consent, standing);
    }

    /* VIEWS */

    /// @inheritdoc IContributionLedger
    function getContribution(uint256 id) external view returns (Contribution memory) {
        return _known(id);
    }

    /// @inheritdoc IContributionLedger
    function revokedAt(uint256 datanetId, bytes32 digest) external view returns (uint64) {
        return _consents[datanetId][digest].revokedAt;
    }

    /// @inheritdoc IContributionLedger
    function consentChanges(uint256 datanetId, bytes32 digest) external view returns (uint256) {
        return _consents[datanetId][digest].history.length();
    }

    /// @inheritdoc IContributionLedger
    function revokedBy(uint256 datanetId, bytes32 digest) external view returns (uint256) {
        return _consents[datanetId][digest].history.latest();
    }

    /// @inheritdoc IContributionLedger
    function wasRevoked(uint256 datanetId, bytes32 digest, uint64 time) external view returns (bool) {
        return _consents[datanetId][digest].history.upperLookupRecent(SafeCast.toUint48(time)) != 0;
    }

    function _submit(
        uint256 datanetId,
        bytes32 batchRoot,
        uint32 rowCount,
        bytes calldata batchCid,
        bool gated,
        uint128 bond
    ) private returns (uint256 id) {
        require(!guardian.isPaused(address(this)), ContributionLedgerPaused());
        require(
            datanetId != 0 && datanetId <= datanets.datanetCount(), ContributionLedgerUnknownDatanet(datanetId)
        );
        require(batchRoot != 0 && rowCount != 0, ContributionLedgerEmptyBatch(batchRoot, rowCount));
        BoundedBytes.checkCid(batchCid);
        id = ++contributionCount;
        Contribution storage contribution = _contributions[id];
        contribution.datanetId = datanetId;
        contribution.contributor = msg.sender;
        contribution.submittedAt = uint64(block.timestamp);
        contribution.status = Status.Submitted;
        contribution.gated = gated;
        contribution.held = true;
        contribution.rowCount = rowCount;
        contribution.deadline = _deadline();
        contribution.bond = bond;
        contribution.batchRoot = batchRoot;
        contribution.batchCid = batchCid;
        emit ContributionSubmitted(id, datanetId, msg.sender, batchRoot, rowCount, gated, bond, batchCid);
        if (bond != 0) token.safeTransferFrom(msg.sender, address(this), bond);
    }

    function _decide(
        uint256 id,
        Contribution storage contribution,
        uint32 accepted,
        uint32 rejected,
        bool spam,
        bytes calldata reasonsCid
    ) private {
        BoundedBytes.checkOptionalCid(reasonsCid);
        contribution.status = Status.Decided;
        contribution.spam = spam;
        contribution.deadline = _deadline();
        contribution.atRisk = SafeCast.toUint128(
            parameters.value(MIN_CURATOR_STAKE) * parameters.value(JUROR_SLASH_PPM) / PPM // rounded down
        );
        _record(id, contribution, accepted, rejected, reasonsCid);
    }

    function _record(
        uint256 id,
        Contribution storage contribution,
        uint32 accepted,
        uint32 rejected,
        bytes calldata reasonsCid
    ) private {
        contribution.curator = msg.sender;
        contribution.decidedAt = uint64(block.timestamp);
        contribution.accepted = accepted;
        contribution.rejected = rejected;
        contribution.reasonsCid = reasonsCid;
        rowsDecided[contribution.datanetId][msg.sender] += contribution.rowCount;
        emit ContributionDecided(id, msg.sender, accepted, rejected, contribution.spam, reasonsCid);
    }

    /// @dev What leaves with the first bond, by the verdict that now stands, on top of an appeal's bond.
    function _unhold(Contribution storage contribution, uint128 refund, uint128 burnt)
        private
        returns (uint128, uint128)
    {
        if (!contribution.held) return (refund, burnt);
        contribution.held = false;
        return contribution.spam ? (refund, burnt + contribution.bond) : (refund + contribution.bond, burnt);
    }

    function _close(uint256 id, Contribution storage contribution, uint128 refund, uint128 burnt) private {
        (refund, burnt) = _unhold(contribution, refund, burnt);
        _pay(id, contribution.contributor, refund, burnt);
    }

    function _pay(uint256 id, address contributor, uint128 refund, uint128 burnt) private {
        emit ContributionSettled(id, refund, burnt);
        if (burnt != 0) token.burn(burnt);
        if (refund != 0) token.safeTransfer(contributor, refund);
    }

    /// @dev The prover's half is rounded down. A bond that is gone already pays nobody, and the record stands alone.
    function _forfeit(uint256 earlierId, uint256 laterId, bytes32 digest, Contribution storage copy) private {
        uint128 bond = copy.held ? copy.bond : 0;
        uint128 reward = bond / 2;
        copy.held = false;
        emit DuplicateProven(earlierId, laterId, digest, msg.sender, reward, bond - reward);
        if (bond != 0) token.burn(bond - reward);
        if (reward != 0) token.safeTransfer(msg.sender, reward);
    }

    function _grant(uint256 datanetId, bytes32 digest, Consent storage consent, uint256 standing) private {
        consent.revokedAt = 0;
        consent.history.push(uint48(block.timestamp), 0);
        emit ConsentGranted(datanetId, digest, standing);
    }

    function _bondInForce() private view returns (uint128) {
        return SafeCast.toUint128(parameters.value(CONTRIBUTION_BOND));
    }

    function _deadline() private view returns (uint64) {
        return SafeCast.toUint64(block.timestamp + parameters.value(APPEAL_WINDOW));
    }

    function _toDecide(uint256 id) private view returns (Contribution storage contribution) {
        contribution = _known(id);
        _requireStakedCurator(contribution.datanetId);
        require(
            contribution.status == Status.Submitted, ContributionLedgerAlreadyDecided(id, contribution.decidedAt)
        );
    }

    function _toRule(uint256 id, bytes calldata reasonsCid) private view returns (Contribution storage contribution) {
        contribution = _known(id);
        if (datanets.ownerOf(contribution.datanetId) != msg.sender) {
            _requireStakedCurator(contribution.datanetId);
        }
        _requireStatus(id, contribution, Status.Appealed);
        require(msg.sender != contribution.curator, ContributionLedgerOwnDecision(id, msg.sender));
        _requireNotOver(id, contribution.deadline);
        BoundedBytes.checkOptionalCid(reasonsCid);
    }

    function _holding(bytes32 digest, Membership calldata row) private view returns (Contribution storage found) {
        found = _known(row.contributionId);
        require(
            OpenMerkle.verify(RowHash.batch(found.contributor, digest), row.proof, found.batchRoot),
            ContributionLedgerBadProof(row.contributionId, digest)
        );
    }

    function _own(uint256 id) private view returns (Contribution storage contribution) {
        contribution = _known(id);
        require(
            msg.sender == contribution.contributor,
            ContributionLedgerNotContributor(id, msg.sender, contribution.contributor)
        );
    }

    function _known(uint256 id) private view returns (Contribution storage contribution) {
        contribution = _contributions[id];
        require(contribution.status != Status.None, ContributionLedgerUnknown(id));
    }

    function _requireStakedCurator(uint256 datanetId) private view {
        require(datanets.isCurator(datanetId, msg.sender), ContributionLedgerNotCurator(datanetId, msg.sender));
        (uint256 own, uint256 required) = (staking.ownStake(msg.sender), parameters.value(MIN_CURATOR_STAKE));
        require(own >= required, ContributionLedgerStakeTooLow(msg.sender, own, required));
    }

    function _requireSum(Contribution storage contribution, uint32 accepted, uint32 rejected) private view {
        uint32 rowCount = contribution.rowCount;
        require(
            uint256(accepted) + rejected == rowCount,
            ContributionLedgerRowsDoNotSum(accepted, rejected, rowCount)
        );
    }

    function _requireStatus(uint256 id, Contribution storage contribution, Status expected) private view {
        require(contribution.status == expected, ContributionLedgerWrongStatus(id, contribution.status));
    }

    function _requireOver(uint256 id, uint64 deadline) private view {
        require(block.timestamp >= deadline, ContributionLedgerTooEarly(id, deadline));
    }

    function _requireNotOver(uint256 id, uint64 deadline) private view {
        require(block.timestamp < deadline, ContributionLedgerTooLate(id, deadline));
    }
}
