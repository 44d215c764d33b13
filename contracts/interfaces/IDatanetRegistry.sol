// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

import {OpenMerkle} from "../libraries/OpenMerkle.sol";
import {Row} from "../libraries/RowHash.sol";

/// @title Datanets, their curators and their immutable versions.
interface IDatanetRegistry {
    struct Datanet {
        address owner;
        uint64 createdAt;
        uint64 versionCount;
        bool gated;
        bytes32 kind;
        string name;
        string licence;
        bytes metadataCid;
    }

    /// @dev `contentRoot` is the root over the rows' sorted content digests, `rowsRoot` the root over whose each row is
    /// (RowHash.version), in the same order; the manifest holds the rows. `flaggedAt` is 0 or when a row of it was
    /// proven to be revoked.
    struct Version {
        address curator;
        uint64 publishedAt;
        uint64 parent;
        uint32 rowCount;
        uint64 flaggedAt;
        bytes32 contentRoot;
        bytes32 rowsRoot;
        bytes manifestCid;
    }

    /// @dev Root over a version's token chunks for one tokenizer; span proofs are checked against it.
    struct TokenChunks {
        bytes32 root;
        uint32 count;
    }

    event DatanetCreated(uint256 indexed id, address indexed owner, string name, bytes32 kind, bool gated);
    event OwnershipOffered(uint256 indexed id, address indexed owner, address indexed pendingOwner);
    event OwnershipTaken(uint256 indexed id, address indexed previousOwner, address indexed owner);
    event CuratorChanged(uint256 indexed id, address indexed account, bool allowed);
    event VersionPublished(
        uint256 indexed id,
        uint64 indexed version,
        uint64 parent,
        bytes32 contentRoot,
        bytes32 rowsRoot,
        uint32 rowCount,
        bytes manifestCid
    );
    event VersionFlagged(uint256 indexed id, uint64 indexed version, bytes32 indexed digest);
    event TokenChunksRegistered(
        uint256 indexed id, uint64 indexed version, bytes32 indexed tokenizerDigest, bytes32 chunkRoot, uint32 count
    );

    error DatanetRegistryPaused();
    error DatanetRegistryUnknownDatanet(uint256 id);
    error DatanetRegistryUnknownVersion(uint256 id, uint64 version);
    error DatanetRegistryNotOwner(uint256 id, address caller, address owner);
    error DatanetRegistryNotPendingOwner(uint256 id, address caller, address pendingOwner);
    error DatanetRegistryNotCurator(uint256 id, address caller);
    /// @notice Roots and a row count belong together: none is zero without the others.
    error DatanetRegistryEmptyVersion(bytes32 contentRoot, bytes32 rowsRoot, uint32 rowCount);
    error DatanetRegistryEmptyChunks(bytes32 chunkRoot, uint32 count);
    error DatanetRegistryChunksAlreadyRegistered(uint256 id, uint64 version, bytes32 tokenizerDigest);
    error DatanetRegistryRowNotRevoked(uint256 id, bytes32 digest);
    /// @notice The proof does not place the row, under its owner's consent, in the version.
    error DatanetRegistryBadProof(uint256 id, uint64 version, bytes32 digest);
    error DatanetRegistryAlreadyFlagged(uint256 id, uint64 version, uint64 flaggedAt);

    /// @notice Creates a Datanet owned and curated by the caller; ids count from 1.
    function createDatanet(
        string calldata name,
        bytes32 kind,
        bool gated,
        string calldata licence,
        bytes calldata metadataCid
    ) external returns (uint256 id);

    /// @notice Offers a Datanet to `account`, which owns it once it accepts; owner only. Zero takes the offer back.
    function transferOwnership(uint256 id, address account) external;

    /// @notice Takes a Datanet that was offered to the caller; curators stay as they are.
    function acceptOwnership(uint256 id) external;

    /// @notice Lets `account` curate, or stops it; owner only.
    function setCurator(uint256 id, address account, bool allowed) external;

    /// @notice Publishes the next version; curators only. `parent` is an earlier version, or 0. Never changes again.
    /// Nobody is paid for labour in it.
    function publishVersion(
        uint256 id,
        uint64 parent,
        bytes32 contentRoot,
        bytes32 rowsRoot,
        uint32 rowCount,
        bytes calldata manifestCid
    ) external returns (uint64 version);

    /// @notice `publishVersion`, fixing for ever what part (ppm) of the version's labour share goes to which accepted
    /// labour records; LabourLedger says which lists it takes.
    function publishVersionWithLabour(
        uint256 id,
        uint64 parent,
        bytes32 contentRoot,
        bytes32 rowsRoot,
        uint32 rowCount,
        bytes calldata manifestCid,
        uint256[] calldata labourIds,
        uint32[] calldata labourPpm
    ) external returns (uint64 version);

    /// @notice Registers a version's token chunks for a tokenizer, once; curators only.
    function registerTokenChunks(
        uint256 id,
        uint64 version,
        bytes32 tokenizerDigest,
        bytes32 chunkRoot,
        uint32 count
    ) external;

    /// @notice Flags a version that stands on a row whose consent is revoked now: no new model may be registered upon
    /// it. By anyone who proves the row in the version's rowsRoot.
    function flagRevoked(uint256 id, uint64 version, Row calldata row, OpenMerkle.Proof calldata proof) external;

    function isCurator(uint256 id, address account) external view returns (bool);

    function datanetCount() external view returns (uint256);

    /// @notice Whom a Datanet is offered to, or zero.
    function pendingOwner(uint256 id) external view returns (address);

    /// @notice Who owns a Datanet, without its texts. Reverts for an unknown id.
    function ownerOf(uint256 id) external view returns (address);

    /// @notice Reverts for an unknown id.
    function getDatanet(uint256 id) external view returns (Datanet memory);

    /// @notice Reverts for an unknown id or version; versions count from 1.
    function getVersion(uint256 id, uint64 version) external view returns (Version memory);

    /// @notice Whether (id << 64 | version) names a published version.
    function versionExists(uint256 datanetVersionKey) external view returns (bool);

    /// @notice When the version of that key was flagged; 0 for never.
    function flaggedAt(uint256 datanetVersionKey) external view returns (uint64);

    /// @notice What a proof about rows needs of the version of that key; zero for none.
    function rowsOf(uint256 datanetVersionKey) external view returns (bytes32 rowsRoot, uint32 rowCount);

    /// @notice Zero root and count when none are registered.
    function tokenChunks(uint256 id, uint64 version, bytes32 tokenizerDigest)
        external
        view
        returns (bytes32 root, uint32 count);
}
