// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

import {IDatanetRegistry} from "../interfaces/IDatanetRegistry.sol";
import {BoundedBytes} from "../libraries/BoundedBytes.sol";

/// @title Registry of Datanets. Holds no money and no rows: roots, counts and CIDs only.
contract DatanetRegistry is IDatanetRegistry {
    /// @inheritdoc IDatanetRegistry
    uint256 public datanetCount;

    mapping(uint256 id => Datanet) private _datanets;
    mapping(uint256 id => mapping(address account => bool)) private _curators;
    mapping(uint256 id => mapping(uint64 version => Version)) private _versions;
    mapping(uint256 id => mapping(uint64 version => mapping(bytes32 tokenizer => TokenChunks))) private _chunks;

    modifier onlyCurator(uint256 id) {
        require(_curators[id][msg.sender], DatanetRegistryNotCurator(id, msg.sender));
        _;
    }

    /// @inheritdoc IDatanetRegistry
    function createDatanet(
        string calldata name,
        bytes32 kind,
        bool gated,
        string calldata licence,
        bytes calldata metadataCid
    ) external returns (uint256 id) {
        BoundedBytes.checkText(name);
        BoundedBytes.checkText(licence);
        BoundedBytes.checkOptionalCid(metadataCid);
        id = ++datanetCount;
        _datanets[id] =
            Datanet(msg.sender, uint64(block.timestamp), 0, gated, kind, name, licence, metadataCid);
        _curators[id][msg.sender] = true;
        emit DatanetCreated(id, msg.sender, name, kind, gated);
        emit CuratorChanged(id, msg.sender, true);
    }

    /// @inheritdoc IDatanetRegistry
    function setCurator(uint256 id, address account, bool allowed) external {
        address owner = _known(id).owner;
        require(msg.sender == owner, DatanetRegistryNotOwner(id, msg.sender, owner));
        _curators[id][account] = allowed;
        emit CuratorChanged(id, account, allowed);
    }

    /// @inheritdoc IDatanetRegistry
    function publishVersion(
        uint256 id,
        uint64 parent,
        bytes32 contentRoot,
        uint32 rowCount,
        bytes calldata manifestCid
    ) external onlyCurator(id) returns (uint64 version) {
        Datanet storage datanet = _datanets[id];
        require(parent <= datanet.versionCount, DatanetRegistryUnknownVersion(id, parent));
        require((contentRoot == 0) == (rowCount == 0), DatanetRegistryEmptyVersion(contentRoot, rowCount));
        BoundedBytes.checkCid(manifestCid);
        version = ++datanet.versionCount;
        _versions[id][version] =
            Version(msg.sender, uint64(block.timestamp), parent, rowCount, contentRoot, manifestCid);
        emit VersionPublished(id, version, parent, contentRoot, rowCount, manifestCid);
    }

    /// @inheritdoc IDatanetRegistry
    function registerTokenChunks(
        uint256 id,
        uint64 version,
        bytes32 tokenizerDigest,
        bytes32 chunkRoot,
        uint32 count
    ) external onlyCurator(id) {
        require(_versions[id][version].publishedAt != 0, DatanetRegistryUnknownVersion(id, version));
        require(chunkRoot != 0 && count != 0, DatanetRegistryEmptyVersion(chunkRoot, count));
        TokenChunks storage chunks = _chunks[id][version][tokenizerDigest];
        require(chunks.count == 0, DatanetRegistryChunksAlreadyRegistered(id, version, tokenizerDigest));
        (chunks.root, chunks.count) = (chunkRoot, count);
        emit TokenChunksRegistered(id, version, tokenizerDigest, chunkRoot, count);
    }

    /// @inheritdoc IDatanetRegistry
    function isCurator(uint256 id, address account) external view returns (bool) {
        return _curators[id][account];
    }

    /// @inheritdoc IDatanetRegistry
    function getDatanet(uint256 id) external view returns (Datanet memory) {
        return _known(id);
    }

    /// @inheritdoc IDatanetRegistry
    function getVersion(uint256 id, uint64 version) external view returns (Version memory found) {
        found = _versions[id][version];
        require(found.publishedAt != 0, DatanetRegistryUnknownVersion(id, version));
    }

    /// @inheritdoc IDatanetRegistry
    function versionExists(uint256 datanetVersionKey) external view returns (bool) {
        return _versions[datanetVersionKey >> 64][uint64(datanetVersionKey)].publishedAt != 0;
    }

    /// @inheritdoc IDatanetRegistry
    function tokenChunks(uint256 id, uint64 version, bytes32 tokenizerDigest)
        external
        view
        returns (bytes32 root, uint32 count)
    {
        TokenChunks storage chunks = _chunks[id][version][tokenizerDigest];
        return (chunks.root, chunks.count);
    }

    function _known(uint256 id) private view returns (Datanet storage datanet) {
        datanet = _datanets[id];
        require(datanet.owner != address(0), DatanetRegistryUnknownDatanet(id));
    }
}
