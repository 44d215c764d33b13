// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

import {IDatanetRegistry} from "../interfaces/IDatanetRegistry.sol";
import {IGuardian} from "../interfaces/IGuardian.sol";
import {IModelRegistry} from "../interfaces/IModelRegistry.sol";
import {IProtocolParameters} from "../interfaces/IProtocolParameters.sol";
import {BoundedBytes} from "../libraries/BoundedBytes.sol";

/// @title Registry of base models and of the models served upon them. Holds no money and no weights.
contract ModelRegistry is IModelRegistry {
    uint256 public constant MAX_PARENTS = 8;
    bytes32 private constant MAX_ROYALTIES_PPM = keccak256("maxRoyaltiesPpm");

    struct Model {
        address owner;
        Status status;
        uint64 registeredAt;
        ModelTerms terms;
        string licence;
        Price[] prices;
    }

    IDatanetRegistry public immutable datanets;
    IProtocolParameters public immutable parameters;
    IGuardian public immutable guardian;

    /// @inheritdoc IModelRegistry
    uint256 public modelCount;
    /// @inheritdoc IModelRegistry
    uint256 public baseCount;
    /// @inheritdoc IModelRegistry
    mapping(bytes32 fingerprint => uint256 id) public baseIdOf;

    mapping(uint256 id => BaseModel) private _bases;
    mapping(uint256 id => Model) private _models;
    mapping(string name => uint256[] ids) private _versions;

    constructor(IDatanetRegistry datanets_, IProtocolParameters parameters_, IGuardian guardian_) {
        datanets = datanets_;
        parameters = parameters_;
        guardian = guardian_;
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
    function registerModel(ModelTerms calldata terms, bool live) external returns (uint256 id) {
        require(!guardian.isPaused(address(this)), ModelRegistryPaused());
        _check(terms);
        uint256[] storage versions = _versions[terms.name];
        if (versions.length != 0) {
            address nameOwner = _models[versions[0]].owner;
            require(nameOwner == msg.sender, ModelRegistryNameTaken(terms.name, nameOwner));
        }
        id = ++modelCount;
        versions.push(id);
        uint256 key = terms.datanetVersionKey;
        string memory licence = key == 0 ? "" : datanets.getDatanet(key >> 64).licence;
        Model storage model = _models[id];
        model.owner = msg.sender;
        model.status = live ? Status.Live : Status.Draft;
        model.registeredAt = uint64(block.timestamp);
        model.terms = terms;
        model.licence = licence;
        emit ModelRegistered(id, msg.sender, key, terms.baseId, terms.name, uint64(versions.length), licence);
        emit ModelStatusChanged(id, model.status);
        _price(id, model, terms.inRate, terms.outRate, terms.fixedPrice);
    }

    /// @inheritdoc IModelRegistry
    function setStatus(uint256 id, Status status) external {
        Model storage model = _owned(id);
        require(model.status != Status.Retired, ModelRegistryRetired(id));
        require(status != Status.None, ModelRegistryNoStatus(id));
        model.status = status;
        emit ModelStatusChanged(id, status);
    }

    /// @inheritdoc IModelRegistry
    function setPrice(uint256 id, uint128 inRate, uint128 outRate, uint128 fixedPrice) external {
        _price(id, _owned(id), inRate, outRate, fixedPrice);
    }

    /// @inheritdoc IModelRegistry
    function getBase(uint256 id) external view returns (BaseModel memory base) {
        base = _bases[id];
        require(base.registeredAt != 0, ModelRegistryUnknownBase(id));
    }

    /// @inheritdoc IModelRegistry
    function spanRule(uint256 id)
        external
        view
        returns (uint256 datanetVersionKey, bytes32 tokenizerDigest, uint32 minSpanTokens)
    {
        ModelTerms storage terms = _models[id].terms;
        return (terms.datanetVersionKey, _bases[terms.baseId].tokenizerDigest, terms.minSpanTokens);
    }

    /// @inheritdoc IModelRegistry
    function indexDigest(uint256 id) external view returns (bytes32) {
        return _models[id].terms.indexDigest;
    }

    /// @inheritdoc IModelRegistry
    function getModel(uint256 id)
        external
        view
        returns (address owner, Status status, ModelTerms memory terms, uint64 registeredAt)
    {
        Model storage model = _known(id);
        (owner, status, terms, registeredAt) = (model.owner, model.status, model.terms, model.registeredAt);
        Price storage last = model.prices[model.prices.length - 1];
        (terms.inRate, terms.outRate, terms.fixedPrice) = (last.inRate, last.outRate, last.fixedPrice);
    }

    /// @inheritdoc IModelRegistry
    function statusOf(uint256 id) external view returns (Status) {
        return _known(id).status;
    }

    /// @inheritdoc IModelRegistry
    function priceAt(uint256 id, uint64 time) external view returns (Price memory) {
        Price[] storage prices = _known(id).prices;
        require(prices[0].since <= time, ModelRegistryNoPriceAt(id, time, prices[0].since));
        (uint256 low, uint256 high) = (0, prices.length); // prices[low].since <= time < prices[high].since
        while (high - low > 1) {
            uint256 middle = (low + high) / 2;
            if (prices[middle].since <= time) low = middle;
            else high = middle;
        }
        return prices[low];
    }

    /// @inheritdoc IModelRegistry
    function licenceOf(uint256 id) external view returns (string memory) {
        return _known(id).licence;
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
        _checkVersion(terms.datanetVersionKey, terms.minSpanTokens);
        _checkLineage(terms.parents, terms.royaltiesPpm);
    }

    function _checkVersion(uint256 key, uint32 minSpanTokens) private view {
        if (key == 0) return;
        require(datanets.versionExists(key), ModelRegistryUnknownDatanetVersion(key));
        uint64 flaggedAt = datanets.flaggedAt(key);
        require(flaggedAt == 0, ModelRegistryVersionFlagged(key, flaggedAt));
        require(minSpanTokens != 0, ModelRegistryNoSpanThreshold());
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
        uint256 limit = parameters.value(MAX_ROYALTIES_PPM);
        require(sum <= limit, ModelRegistryRoyaltiesTooHigh(sum, limit));
    }

    /// @dev A second price within one second replaces the first: at every second one price is in force.
    function _price(uint256 id, Model storage model, uint128 inRate, uint128 outRate, uint128 fixedPrice) private {
        Price[] storage prices = model.prices;
        Price memory price = Price(uint64(block.timestamp), inRate, outRate, fixedPrice);
        uint256 count = prices.length;
        if (count == 0 || prices[count - 1].since < price.since) prices.push(price);
        else prices[count - 1] = price;
        emit ModelPriceChanged(id, inRate, outRate, fixedPrice);
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
