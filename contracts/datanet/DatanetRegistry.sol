// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

import {IContributionLedger} from "../interfaces/IContributionLedger.sol";
import {IDatanetRegistry} from "../interfaces/IDatanetRegistry.sol";
import {IGuardian} from "../interfaces/IGuardian.sol";
import {ILabourLedger} from "../interfaces/ILabourLedger.sol";
import {BoundedBytes} from "../libraries/BoundedBytes.sol";
import {OpenMerkle} from "../libraries/OpenMerkle.sol";
import {Row, RowHash} from "../libraries/RowHash.sol";

/// @title Registry of Datanets. Holds no money and no rows: roots, counts and CIDs only.
contract DatanetRegistry is IDatanetRegistry {
    IContributionLedger public immutable contributions;
    ILabourLedger public immutable labour;
    IGuardian public immutable guardian;

    /// @inheritdoc IDatanetRegistry
    uint256 public datanetCount;
    /// @inheritdoc IDatanetRegistry
    mapping(uint256 id => address account) public pendingOwner;

    mapping(uint256 id => Datanet) private _datanets;
    mapping(uint256 id => mapping(address account => bool)) private _curators;
    mapping(uint256 id => mapping(uint64 version => Version)) private _versions;
    mapping(uint256 id => mapping(uint64 version => mapping(bytes32 tokenizer => TokenChunks))) private _chunks;

    modifier onlyOwner(uint256 id) {
        address owner = _known(id).owner;
        require(msg.sender == owner, DatanetRegistryNotOwner(id, msg.sender, owner));
        _;
    }

    modifier onlyCurator(uint256 id) {
        require(_curators[id][msg.sender], DatanetRegistryNotCurator(id, msg.sender));
        _;
    }

    modifier whenNotPaused() {
        require(!guardian.isPaused(address(this)), DatanetRegistryPaused());
        _;
    }

    constructor(IContributionLedger contributions_, ILabourLedger labour_, IGuardian guardian_) {
        contributions = contributions_;
        labour = labour_;
        guardian = guardian_;
    }

    /// @inheritdoc IDatanetRegistry
    function createDatanet(
        string calldata name,
        bytes32 kind,
        bool gated,
        string calldata licence,
        bytes calldata metadataCid
    ) external whenNotPaused returns (uint256 id) {
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
    function transferOwnership(uint256 id, address account) external onlyOwner(id) {
        pendingOwner[id] = account;
        emit OwnershipOffered(id, msg.sender, account);
    }

    /// @inheritdoc IDatanetRegistry
    function acceptOwnership(uint256 id) external {
        address offeredTo = pendingOwner[id];
        require(msg.sender == offeredTo, DatanetRegistryNotPendingOwner(id, msg.sender, offeredTo));
        address previous = _datanets[id].owner;
        delete pendingOwner[id];
        _datanets[id].owner = msg.sender;
        emit OwnershipTaken(id, previous, msg.sender);
    }

    /// @inheritdoc IDatanetRegistry
    function setCurator(uint256 id, address account, bool allowed) external onlyOwner(id) {
        _curators[id][account] = allowed;
        emit CuratorChanged(id, account, allowed);
    }

    /// @inheritdoc IDatanetRegistry
    function publishVersion(
        uint256 id,
        uint64 parent,
        bytes32 contentRoot,
        bytes32 rowsRoot,
        uint32 rowCount,
        bytes calldata manifestCid
    ) external returns (uint64 version) {
        return _publish(id, parent, contentRoot, rowsRoot, rowCount, manifestCid);
    }

    /// @inheritdoc IDatanetRegistry
    function publishVersionWithLabour(
        uint256 id,
        uint64 parent,
        bytes32 contentRoot,
        bytes32 rowsRoot,
        uint32 rowCount,
        bytes calldata manifestCid,
        uint256[] calldata labourIds,
        uint32[] calldata labourPpm
    ) external returns (uint64 version) {
        version = _publish(id, parent, contentRoot, rowsRoot, rowCount, manifestCid);
        labour.fixShares(id, version, labourIds, labourPpm);
    }

    /// @inheritdoc IDatanetRegistry
    function registerTokenChunks(
        uint256 id,
        uint64 version,
        bytes32 tokenizerDigest,
        bytes32 chunkRoot,
        uint32 count
    ) external onlyCurator(id) {
        _published(id, version);
        require(chunkRoot != 0 && count != 0, DatanetRegistryEmptyChunks(chunkRoot, count));
        TokenChunks storage chunks = _chunks[id][version][tokenizerDigest];
        require(chunks.count == 0, DatanetRegistryChunksAlreadyRegistered(id, version, tokenizerDigest));
        (chunks.root, chunks.count) = (chunkRoot, count);
        emit TokenChunksRegistered(id, version, tokenizerDigest, chunkRoot, count);
    }

    /// @inheritdoc IDatanetRegistry
    function flagRevoked(uint256 id, uint64 version, Row calldata row, OpenMerkle.Proof calldata proof) external {
        Version storage found = _published(id, version);
        require(found.flaggedAt == 0, DatanetRegistryAlreadyFlagged(id, version, found.flaggedAt));
        require(contributions.revokedAt(id, row.digest) != 0, DatanetRegistryRowNotRevoked(id, row.digest));
        require(
            row.granted && OpenMerkle.verify(RowHash.version(row), proof, found.rowsRoot),
            DatanetRegistryBadProof(id, version, row.digest)
        );
        found.flaggedAt = uint64(block.timestamp);
        emit VersionFlagged(id, version, row.digest);
    }

    /// @inheritdoc IDatanetRegistry
    function isCurator(uint256 id, address account) external view returns (bool) {
        return _curators[id][account];
    }

    /// @inheritdoc IDatanetRegistry
    function ownerOf(uint256 id) external view returns (address) {
        return _known(id).owner;
    }

    /// @inheritdoc IDatanetRegistry
    function getDatanet(uint256 id) external view returns (Datanet memory) {
        return _known(id);
    }

    /// @inheritdoc IDatanetRegistry
    function getVersion(uint256 id, uint64 version) external view returns (Version memory) {
        return _published(id, version);
    }

    /// @inheritdoc IDatanetRegistry
    function versionExists(uint256 datanetVersionKey) external view returns (bool) {
        return _versions[datanetVersionKey >> 64][uint64(datanetVersionKey)].publishedAt != 0;
    }

    /// @inheritdoc IDatanetRegistry
    function flaggedAt(uint256 datanetVersionKey) external view returns (uint64) {
        return _versions[datanetVersionKey >> 64][uint64(datanetVersionKey)].flaggedAt;
    }

    /// @inheritdoc IDatanetRegistry
    function rowsOf(uint256 datanetVersionKey) external view returns (bytes32 rowsRoot, uint32 rowCount) {
        Version storage found = _versions[datanetVersionKey >> 64][uint64(datanetVersionKey)];
        return (found.rowsRoot, found.rowCount);
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

    function _publish(
        uint256 id,
        uint64 parent,
        bytes32 contentRoot,
        bytes32 rowsRoot,
        uint32 rowCount,
        bytes calldata manifestCid
    ) private onlyCurator(id) whenNotPaused returns (uint64 version) {
        Datanet storage datanet = _datanets[id];
        require(parent <= datanet.versionCount, DatanetRegistryUnknownVersion(id, parent));
        require(
            (contentRoot == 0) == (rowCount == 0) && (rowsRoot == 0) == (rowCount == 0),
            DatanetRegistryEmptyVersion(contentRoot, rowsRoot, rowCount)
        );
        BoundedBytes.checkCid(manifestCid);
        version = ++datanet.versionCount;
        _versions[id][version] =
            Version(msg.sender, uint64(block.timestamp), parent, rowCount, 0, contentRoot, rowsRoot, manifestCid);
        emit VersionPublished(id, version, parent, contentRoot, rowsRoot, rowCount, manifestCid);
    }

    function _known(uint256 id) private view returns (Datanet storage datanet) {
        datanet = _datanets[id];
        require(datanet.owner != address(0), DatanetRegistryUnknownDatanet(id));
    }

    function _published(uint256 id, uint64 version) private view returns (Version storage found) {
        found = _versions[id][version];
        require(found.publishedAt != 0, DatanetRegistryUnknownVersion(id, version));
    }
}
