// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

import {OpenMerkle} from "../libraries/OpenMerkle.sol";

/// @title Batches of rows offered to a Datanet under a bond, the curators' decisions about them, appeals, copies, and
/// the consent behind every row.
/// @notice Submitted -> Decided | Withdrawn; Decided -> Appealed | Settled; Appealed -> Settled. A bond leaves in one
/// of these last steps only: back to the contributor, or burnt with a verdict of spam, or halved by a proven copy.
interface IContributionLedger {
    enum Status {
        None,
        Submitted,
        Decided,
        Appealed,
        Settled,
        Withdrawn
    }

    /// @dev `batchRoot` is over RowHash.batch(contributor, digest) in batch order. `bond` is what was put down, `held`
    /// whether it is still here; `deadline` ends what the status allows; `atRisk` is what an overturned decision costs
    /// its curator.
    struct Contribution {
        uint256 datanetId;
        address contributor;
        uint64 submittedAt;
        Status status;
        bool gated;
        bool spam;
        bool held;
        address curator;
        uint64 decidedAt;
        uint32 rowCount;
        uint32 accepted;
        uint32 rejected;
        uint64 deadline;
        uint128 bond;
        uint128 atRisk;
        bytes32 batchRoot;
        bytes batchCid;
        bytes reasonsCid;
    }

    /// @dev A row's place in a contribution.
    struct Membership {
        uint256 contributionId;
        OpenMerkle.Proof proof;
    }

    event ContributionSubmitted(
        uint256 indexed id,
        uint256 indexed datanetId,
        address indexed contributor,
        bytes32 batchRoot,
        uint32 rowCount,
        bool gated,
        uint128 bond,
        bytes batchCid
    );
    event ContributionDecided(
        uint256 indexed id, address indexed curator, uint32 accepted, uint32 rejected, bool spam, bytes reasonsCid
    );
    event DecisionAppealed(uint256 indexed id, address indexed contributor, uint64 deadline, bytes reasonsCid);
    /// @dev Of an overturned decision, a second `ContributionDecided` says which counts hold instead.
    event AppealRuled(uint256 indexed id, address indexed ruler, bool overturned, uint256 slashed, bytes reasonsCid);
    event ContributionSettled(uint256 indexed id, uint128 refunded, uint128 burnt);
    event ContributionWithdrawn(uint256 indexed id);
    event DuplicateProven(
        uint256 indexed earlierId, uint256 indexed laterId, bytes32 indexed digest, address prover, uint128 rewarded, uint128 burnt
    );
    event ConsentRevoked(uint256 indexed datanetId, bytes32 indexed digest, uint256 indexed contributionId);
    event ConsentGranted(uint256 indexed datanetId, bytes32 indexed digest, uint256 indexed contributionId);

    error ContributionLedgerPaused();
    error ContributionLedgerUnknown(uint256 id);
    error ContributionLedgerUnknownDatanet(uint256 datanetId);
    error ContributionLedgerEmptyBatch(bytes32 batchRoot, uint32 rowCount);
    error ContributionLedgerNotCurator(uint256 datanetId, address caller);
    error ContributionLedgerNotContributor(uint256 id, address caller, address contributor);
    error ContributionLedgerStakeTooLow(address curator, uint256 ownStake, uint256 required);
    error ContributionLedgerAlreadyDecided(uint256 id, uint64 decidedAt);
    error ContributionLedgerWrongStatus(uint256 id, Status status);
    /// @notice Every row is either accepted or rejected.
    error ContributionLedgerRowsDoNotSum(uint32 accepted, uint32 rejected, uint32 rowCount);
    error ContributionLedgerTooEarly(uint256 id, uint64 deadline);
    error ContributionLedgerTooLate(uint256 id, uint64 deadline);
    /// @notice Whoever decided a contribution cannot rule on the appeal against that decision.
    error ContributionLedgerOwnDecision(uint256 id, address curator);
    error ContributionLedgerDifferentDatanets(uint256 earlierId, uint256 laterId);
    error ContributionLedgerNotLater(uint256 earlierId, uint256 laterId);
    error ContributionLedgerSameContributor(address contributor);
    error ContributionLedgerBadProof(uint256 id, bytes32 digest);
    error ContributionLedgerDuplicateKnown(uint256 id, bytes32 digest, uint256 earlierId);
    error ContributionLedgerNothingAccepted(uint256 id);
    error ContributionLedgerAlreadyRevoked(uint256 datanetId, bytes32 digest, uint64 revokedAt);
    error ContributionLedgerNotRevoked(uint256 datanetId, bytes32 digest);

    /// @notice Offers `rowCount` rows whose digests make `batchRoot`, `gated` ones encrypted; pulls the bond in force,
    /// `contributionBond`, from the caller. Ids count from 1.
    function submit(uint256 datanetId, bytes32 batchRoot, uint32 rowCount, bytes calldata batchCid, bool gated)
        external
        returns (uint256 id);

    /// @notice `submit` after a permit to this contract; a permit already used by someone else is no obstacle.
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
    ) external returns (uint256 id);

    /// @notice Takes back a contribution that no curator decided within `appealWindow` after it was offered, and its
    /// bond; contributor only.
    function withdraw(uint256 contributionId) external;

    /// @notice Decides a contribution once, with reasons at `reasonsCid` (may be empty); only the Datanet's curators
    /// who have at least `minCuratorStake` staked on themselves.
    function decide(uint256 contributionId, uint32 accepted, uint32 rejected, bytes calldata reasonsCid) external;

    /// @notice Rejects a whole contribution as spam, which burns its bond unless an appeal overturns it.
    function decideSpam(uint256 contributionId, bytes calldata reasonsCid) external;

    /// @notice Appeals against a decision before its deadline, once, under a second bond as large as the first one;
    /// contributor only.
    function appeal(uint256 contributionId, bytes calldata reasonsCid) external;

    /// @notice Lets the decision under appeal stand: the appeal's bond is burnt, and the first one too if it was spam.
    /// By another staked curator of the Datanet or by its owner, before the appeal's deadline.
    function uphold(uint256 contributionId, bytes calldata reasonsCid) external;

    /// @notice Puts other counts in the place of the decision under appeal: both bonds go back, and whoever decided is
    /// slashed `atRisk`, all burnt. By whom and when as in `uphold`.
    function overturn(uint256 contributionId, uint32 accepted, uint32 rejected, bytes calldata reasonsCid) external;

    /// @notice Closes a decided contribution from its deadline on, and pays or burns its bond; by anyone. An appeal on
    /// which nobody ruled in time leaves the decision standing and returns the appeal's bond.
    function settle(uint256 contributionId) external;

    /// @notice Records that `later` offers a row that another contributor offered before to the same Datanet. The bond
    /// of the later one, while it is held, goes half to the caller, the rest is burnt; a revocation that stood on the
    /// copy ends.
    function proveDuplicate(bytes32 digest, Membership calldata earlier, Membership calldata later) external;

    /// @notice Revokes the consent to a row of the caller's own contribution, of which something was accepted. A
    /// revocation through an earlier contribution of the row takes over one through a later one.
    function revoke(bytes32 digest, Membership calldata row) external;

    /// @notice Grants again, from now on, what the caller revoked; the time in between stays revoked.
    function grant(uint256 datanetId, bytes32 digest) external;

    function contributionCount() external view returns (uint256);

    /// @notice Reverts for an unknown id.
    function getContribution(uint256 id) external view returns (Contribution memory);

    /// @notice The earlier contribution that `laterId` was proven to copy `digest` from, or 0.
    function duplicateOf(uint256 laterId, bytes32 digest) external view returns (uint256);

    /// @notice Rows that `account` decided in a Datanet, less those of overturned decisions.
    function rowsDecided(uint256 datanetId, address account) external view returns (uint256);

    /// @notice Since when the consent to a row is revoked; 0 while it is not.
    function revokedAt(uint256 datanetId, bytes32 digest) external view returns (uint64);

    /// @notice How often the row's consent was revoked or granted again; 0 for never withdrawn.
    function consentChanges(uint256 datanetId, bytes32 digest) external view returns (uint256);

    /// @notice The contribution through which the row's consent was last revoked, 0 for none.
    function revokedBy(uint256 datanetId, bytes32 digest) external view returns (uint256);

    /// @notice Whether the consent to a row was revoked at `time`, which is not after now.
    function wasRevoked(uint256 datanetId, bytes32 digest, uint64 time) external view returns (bool);
}
