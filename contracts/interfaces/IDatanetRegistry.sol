// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

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

    /// @dev `contentRoot` is the root over the rows' sorted content digests; the manifest holds the rows.
    struct Version {
        address curator;
        uint64 publishedAt;
        uint64 parent;
        uint32 rowCount;
        bytes32 contentRoot;
        bytes manifestCid;
    }

    /// @dev Root over a version's token chunks for one tokenizer; span proofs are checked against it.
    struct TokenChunks {
        bytes32 root;
        uint32 count;
    }

    event DatanetCreated(uint256 indexed id, address indexed owner, string name, bytes32 kind, bool gated);
    event CuratorChanged(uint256 indexed id, address indexed account, bool allowed);
    event VersionPublished(
        uint256 indexed id, uint64 indexed version, uint64 parent, bytes32 contentRoot, uint32 rowCount, bytes manifestCid
    );
    event TokenChunksRegistered(
        uint256 indexed id, uint64 indexed version, bytes32 indexed tokenizerDigest, bytes32 chunkRoot, uint32 count
    );

    error DatanetRegistryUnknownDatanet(uint256 id);
    error DatanetRegistryUnknownVersion(uint256 id, uint64 version);
    error DatanetRegistryNotOwner(uint256 id, address caller, address owner);
    error DatanetRegistryNotCurator(uint256 id, address caller);
    /// @notice A content root and a row count belong together: neither is zero without the other.
    error DatanetRegistryEmptyVersion(bytes32 contentRoot, uint32 rowCount);
    error DatanetRegistryChunksAlreadyRegistered(uint256 id, uint64 version, bytes32 tokenizerDigest);

    /// @notice Creates a Datanet owned and curated by the caller; ids count from 1.
    function createDatanet(
        string calldata name,
        bytes32 kind,
        bool gated,
        string calldata licence,
        bytes calldata metadataCid
    ) external returns (uint256 id);

    /// @notice Lets `account` curate, or stops it; owner only.
    function setCurator(uint256 id, address account, bool allowed) external;

    /// @notice Publishes the next version; curators only. `parent` is an earlier version, or 0. Never changes again.
    function publishVersion(
        uint256 id,
        uint64 parent,
        bytes32 contentRoot,
        uint32 rowCount,
        bytes calldata manifestCid
    ) external returns (uint64 version);

    /// @notice Registers a version's token chunks for a tokenizer, once; curators only.
    function registerTokenChunks(
        uint256 id,
        uint64 version,
        bytes32 tokenizerDigest,
        bytes32 chunkRoot,
        uint32 count
    ) external;

    function isCurator(uint256 id, address account) external view returns (bool);

    function datanetCount() external view returns (uint256);

    /// @notice Reverts for an unknown id.
    function getDatanet(uint256 id) external view returns (Datanet memory);

    /// @notice Reverts for an unknown id or version; versions count from 1.
    function getVersion(uint256 id, uint64 version) external view returns (Version memory);

    /// @notice Whether (id << 64 | version) names a published version.
    function versionExists(uint256 datanetVersionKey) external view returns (bool);

    /// @notice Zero root and count when none are registered.
    function tokenChunks(uint256 id, uint64 version, bytes32 tokenizerDigest)
        external
        view
        returns (bytes32 root, uint32 count);
}
