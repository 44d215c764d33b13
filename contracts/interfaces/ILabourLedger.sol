// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

import {Labour, LabourKind} from "../libraries/LabourHash.sol";

/// @title Labour other than rows: signed by whoever did it, accepted by a curator, paid by versions' shares.
interface ILabourLedger {
    /// @dev An accepted piece of labour; `curator` accepted it (for review labour: the first who asked).
    struct Record {
        uint256 datanetId;
        address account;
        uint64 acceptedAt;
        LabourKind kind;
        address curator;
        bytes workCid;
        uint256[] parents;
        uint32[] parentsPpm;
    }

    event LabourAccepted(
        uint256 indexed id, uint256 indexed datanetId, address indexed account, LabourKind kind, address curator, bytes workCid
    );
    event SharesFixed(uint256 indexed datanetId, uint64 indexed version, uint256[] ids, uint32[] ppm);

    error LabourLedgerUnknown(uint256 id);
    error LabourLedgerNotCurator(uint256 datanetId, address caller);
    error LabourLedgerStakeTooLow(address curator, uint256 ownStake, uint256 required);
    error LabourLedgerNotRegistry(address caller);
    error LabourLedgerNoKind();
    error LabourLedgerExpired(uint64 deadline);
    error LabourLedgerBadSignature(address account);
    error LabourLedgerAlreadyAccepted(bytes32 digest, uint256 id);
    error LabourLedgerListMismatch(uint256 ids, uint256 ppm);
    error LabourLedgerTooMany(uint256 count, uint256 limit);
    error LabourLedgerParentsTooHigh(uint256 sumPpm, uint256 limitPpm);
    error LabourLedgerOtherDatanet(uint256 id, uint256 datanetId, uint256 expected);
    error LabourLedgerSharesDoNotSum(uint256 sumPpm);
    error LabourLedgerZeroShare(uint256 id);
    /// @notice The ids of a version's list ascend, so that none stands twice.
    error LabourLedgerNotAscending(uint256 before, uint256 id);
    error LabourLedgerNothingDecided(uint256 datanetId, address account);

    /// @notice Accepts labour that its account signed (EIP-712, or ERC-1271 of an account with code); each signed
    /// digest once; only curators of the Datanet with `minCuratorStake` staked on themselves. Ids count from 1.
    function accept(Labour calldata labour, bytes calldata signature) external returns (uint256 id);

    /// @notice The review labour of a curator, which ContributionLedger proves: its decisions were its transactions.
    /// One record per Datanet and curator; made on the first call, by anyone.
    function recordReview(uint256 datanetId, address curator) external returns (uint256 id);

    /// @notice Fixes a version's labour shares; by the Datanet registry alone, as it publishes the version.
    function fixShares(uint256 datanetId, uint64 version, uint256[] calldata ids, uint32[] calldata ppm) external;

    function labourCount() external view returns (uint256);

    /// @notice The record made of a signed digest, or 0.
    function labourOf(bytes32 digest) external view returns (uint256);

    /// @notice The record of a curator's reviews of a Datanet, or 0.
    function reviewId(uint256 datanetId, address curator) external view returns (uint256);

    /// @notice What a labourer signs.
    function labourDigest(Labour calldata labour) external view returns (bytes32);

    /// @notice Reverts for an unknown id.
    function getLabour(uint256 id) external view returns (Record memory);

    /// @notice A version's labour shares; empty where it has none.
    function sharesOf(uint256 datanetId, uint64 version)
        external
        view
        returns (uint256[] memory ids, uint32[] memory ppm);
}
