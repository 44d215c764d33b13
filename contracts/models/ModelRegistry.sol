// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

import {IDatanetRegistry} from "../interfaces/IDatanetRegistry.sol";
import {IModelRegistry} from "../interfaces/IModelRegistry.sol";
import {BoundedBytes} from "../libraries/BoundedBytes.sol";

/// @title Registry of base models and of the models served upon them. Holds no money and no weights.
contract ModelRegistry is IModelRegistry {
    uint256 public constant MAX_PARENTS = 8;
    uint256 public constant MAX_ROYALTIES_PPM = 500_000;

    struct Model {
        address owner;
        Status status;
        uint64 registeredAt;
        ModelTerms terms;
    }

    IDatanetRegistry public immutable datanets;

    /// @inheritdoc IModelRegistry
    uint256 public modelCount;
    /// @inheritdoc IModelRegistry
    uint256 public baseCount;
    /// @inheritdoc IModelRegistry
    mapping(bytes32 fingerprint => uint256 id) public baseIdOf;

    mapping(uint256 id => BaseModel) private _bases;
    mapping(uint256 id => Model) private _models;
    mapping(string name => uint256[] ids) private _versions;

    constructor(IDatanetRegistry datanets_) {
        datanets = datanets_;
    }

    /// @inheritdoc IModelRegistry
    function registerBase(bytes32 fingerprint, bytes32 tokenizerDigest, bytes calldata metadataCid)
        external
        returns (uint256 id)
    {
        require(fingerprint != 0 && tokenizerDigest != 0, ModelRegistryZeroDigest());
        uint256 known = baseIdOf[fingerprint];
        require(known == 0, ModelRegistryBaseAlreadyRegistered(fingerprint, known));
        BoundedBytes.checkOptionalCid(metadataCid);
        id = ++baseCount;
        baseIdOf[fingerprint] = id;
        _bases[id] = BaseModel(msg.sender, uint64(block.timestamp), fingerprint, tokenizerDigest, metadataCid);
        emit BaseRegistered(id, fingerprint, tokenizerDigest, metadataCid);
    }

    /// @inheritdoc IModelRegistry
    function registerModel(ModelTerms calldata terms) external returns (uint256 id) {
        _check(terms);
        id = ++modelCount;
        uint256[] storage versions = _versions[terms.name];
        if (versions.length != 0) {
            address nameOwner = _models[versions[0]].owner;
            require(nameOwner == msg.sender, ModelRegistryNameTaken(terms.name, nameOwner));
        }
        versions.push(id);
        Model storage model = _models[id];
        model.owner = msg.sender;
        model.status = Status.Active;
        model.registeredAt = uint64(block.timestamp);
        model.terms = terms;
        emit ModelRegistered(
            id, msg.sender, terms.datanetVersionKey, terms.baseId, terms.name, uint64(versions.length)
        );
    }

    /// @inheritdoc IModelRegistry
    function setStatus(uint256 id, Status status) external {
        Model storage model = _owned(id);
        require(model.status != Status.Retired, ModelRegistryRetired(id));
        require(status != Status.None, ModelRegistryUnknownModel(id));
        model.status = status;
        emit ModelStatusChanged(id, status);
    }

    /// @inheritdoc IModelRegistry
    function setPrice(uint256 id, uint128 inRate, uint128 outRate, uint128 fixedPrice) external {
        ModelTerms storage terms = _owned(id).terms;
        (terms.inRate, terms.outRate, terms.fixedPrice) = (inRate, outRate, fixedPrice);
        emit ModelPriceChanged(id, inRate, outRate, fixedPrice);
    }

    /// @inheritdoc IModelRegistry
    function getBase(uint256 id) external view returns (BaseModel memory base) {
        base = _bases[id];
        require(base.registeredAt != 0, ModelRegistryUnknownBase(id));
    }

    /// @inheritdoc IModelRegistry
    function getModel(uint256 id)
        external
        view
        returns (address owner, Status status, ModelTerms memory terms, uint64 registeredAt)
    {
        Model storage model = _known(id);
        return (model.owner, model.status, model.terms, model.registeredAt);
    }

    /// @inheritdoc IModelRegistry
    function modelByName(string calldata name, uint64 version) external view returns (uint256 id) {
        uint256[] storage versions = _versions[name];
        uint256 place = version == 0 ? versions.length : version;
        require(place != 0 && place <= versions.length, ModelRegistryUnknownName(name, version));
        return versions[place - 1];
    }

    function _check(ModelTerms calldata terms) private view {
        BoundedBytes.checkText(terms.name);
        BoundedBytes.checkOptionalCid(terms.bundleCid);
        require(_bases[terms.baseId].registeredAt != 0, ModelRegistryUnknownBase(terms.baseId));
        require(
            terms.datanetVersionKey == 0 || datanets.versionExists(terms.datanetVersionKey),
            ModelRegistryUnknownDatanetVersion(terms.datanetVersionKey)
        );
        _checkLineage(terms.parents, terms.royaltiesPpm);
    }

    function _checkLineage(uint256[] calldata parents, uint32[] calldata royaltiesPpm) private view {
        require(
            parents.length == royaltiesPpm.length, ModelRegistryRoyaltiesMismatch(parents.length, royaltiesPpm.length)
        );
        require(parents.length <= MAX_PARENTS, ModelRegistryTooManyParents(parents.length, MAX_PARENTS));
        uint256 sum = 0;
        for (uint256 i = 0; i < parents.length; ++i) {
            _known(parents[i]);
            sum += royaltiesPpm[i];
        }
        require(sum <= MAX_ROYALTIES_PPM, ModelRegistryRoyaltiesTooHigh(sum, MAX_ROYALTIES_PPM));
    }

    function _owned(uint256 id) private view returns (Model storage model) {
        model = _known(id);
        require(msg.sender == model.owner, ModelRegistryNotOwner(id, msg.sender, model.owner));
    }

    function _known(uint256 id) private view returns (Model storage model) {
        model = _models[id];
        require(model.owner != address(0), ModelRegistryUnknownModel(id));
    }
}
