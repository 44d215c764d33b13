// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

/// @title Batches of rows offered to a Datanet, and the curators' decisions about them.
interface IContributionLedger {
    enum Status {
        None,
        Submitted,
        Decided
    }

    struct Contribution {
        uint256 datanetId;
        address contributor;
        uint64 submittedAt;
        Status status;
        address curator;
        uint64 decidedAt;
        uint32 rowCount;
        uint32 accepted;
        uint32 rejected;
        bytes32 batchRoot;
        bytes batchCid;
        bytes reasonsCid;
    }

    event ContributionSubmitted(
        uint256 indexed id,
        uint256 indexed datanetId,
        address indexed contributor,
        bytes32 batchRoot,
        uint32 rowCount,
        bytes batchCid
    );
    event ContributionDecided(
        uint256 indexed id, address indexed curator, uint32 accepted, uint32 rejected, bytes reasonsCid
    );

    error ContributionLedgerUnknown(uint256 id);
    error ContributionLedgerEmptyBatch(bytes32 batchRoot, uint32 rowCount);
    error ContributionLedgerNotCurator(uint256 datanetId, address caller);
    error ContributionLedgerAlreadyDecided(uint256 id, uint64 decidedAt);
    /// @notice Every row is either accepted or rejected.
    error ContributionLedgerRowsDoNotSum(uint32 accepted, uint32 rejected, uint32 rowCount);

    /// @notice Offers `rowCount` rows whose digests make `batchRoot`; ids count from 1.
    function submit(uint256 datanetId, bytes32 batchRoot, uint32 rowCount, bytes calldata batchCid)
        external
        returns (uint256 id);

    /// @notice Decides a contribution once, with reasons at `reasonsCid` (may be empty); the Datanet's curators only.
    function decide(uint256 contributionId, uint32 accepted, uint32 rejected, bytes calldata reasonsCid) external;

    function contributionCount() external view returns (uint256);

    /// @notice Reverts for an unknown id.
    function getContribution(uint256 id) external view returns (Contribution memory);
}
