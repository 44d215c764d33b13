// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

/// @title Base models and the models served upon them: terms, lineage, price, status.
interface IModelRegistry {
    /// @dev Draft <-> Live; either -> Retired, for ever. Only live models are served.
    enum Status {
        None,
        Draft,
        Live,
        Retired
    }

    struct BaseModel {
        address registrant;
        uint64 registeredAt;
        bytes32 fingerprint;
        bytes32 tokenizerDigest;
        bytes metadataCid;
    }

    /// @dev Rates are wei per 1000 tokens, `fixedPrice` wei per request. `datanetVersionKey` is (id << 64 | version),
    /// or 0 for a bare base model. `parents` earn `royaltiesPpm` of the model owner's share.
    struct ModelTerms {
        string name;
        uint256 baseId;
        uint256 datanetVersionKey;
        bytes bundleCid;
        bytes32 recipeDigest;
        bytes32 indexDigest;
        uint128 inRate;
        uint128 outRate;
        uint128 fixedPrice;
        uint256[] parents;
        uint32[] royaltiesPpm;
        uint32 minSpanTokens;
    }

    /// @dev The price of requests from `since` on.
    struct Price {
        uint64 since;
        uint128 inRate;
        uint128 outRate;
        uint128 fixedPrice;
    }

    event BaseRegistered(uint256 indexed id, bytes32 indexed fingerprint, bytes32 tokenizerDigest, bytes metadataCid);
    event ModelRegistered(
        uint256 indexed id,
        address indexed owner,
        uint256 indexed datanetVersionKey,
        uint256 baseId,
        string name,
        uint64 version,
        string licence
    );
    event ModelStatusChanged(uint256 indexed id, Status status);
    event ModelPriceChanged(uint256 indexed id, uint128 inRate, uint128 outRate, uint128 fixedPrice);

    error ModelRegistryPaused();
    error ModelRegistryUnknownBase(uint256 baseId);
    error ModelRegistryUnknownModel(uint256 id);
    error ModelRegistryUnknownName(string name, uint64 version);
    error ModelRegistryUnknownDatanetVersion(uint256 datanetVersionKey);
    /// @notice A row of the version was proven to be revoked.
    error ModelRegistryVersionFlagged(uint256 datanetVersionKey, uint64 flaggedAt);
    error ModelRegistryZeroDigest();
    /// @notice A model with a Datanet version needs a span threshold of at least 1.
    error ModelRegistryNoSpanThreshold();
    error ModelRegistryBaseAlreadyRegistered(bytes32 fingerprint, uint256 id);
    /// @notice A name belongs to whoever registered it first; later registrations of its owner are its versions.
    error ModelRegistryNameTaken(string name, address owner);
    error ModelRegistryNotOwner(uint256 id, address caller, address owner);
    error ModelRegistryRoyaltiesMismatch(uint256 parents, uint256 royalties);
    error ModelRegistryTooManyParents(uint256 parents, uint256 limit);
    error ModelRegistryRoyaltiesTooHigh(uint256 sumPpm, uint256 limitPpm);
    error ModelRegistryRetired(uint256 id);
    error ModelRegistryNoStatus(uint256 id);
    error ModelRegistryNoPriceAt(uint256 id, uint64 time, uint64 firstSince);

    /// @notice Registers a base model by the digest of its weights, once; ids count from 1.
    function registerBase(bytes32 fingerprint, bytes32 tokenizerDigest, bytes calldata metadataCid)
        external
        returns (uint256 id);

    /// @notice Registers a model owned by the caller, as live or as a draft; ids count from 1. Terms but the price never
    /// change. The Datanet's licence of this moment is kept with it.
    function registerModel(ModelTerms calldata terms, bool live) external returns (uint256 id);

    /// @notice Makes a model live, a draft again, or retired; owner only; retired is for ever.
    function setStatus(uint256 id, Status status) external;

    /// @notice Changes the price of requests to come; owner only. Receipts carry the price they were made at.
    function setPrice(uint256 id, uint128 inRate, uint128 outRate, uint128 fixedPrice) external;

    function modelCount() external view returns (uint256);

    function baseCount() external view returns (uint256);

    /// @notice Reverts for an unknown id.
    function getBase(uint256 id) external view returns (BaseModel memory);

    /// @notice The id of a fingerprint's base model, 0 when there is none.
    function baseIdOf(bytes32 fingerprint) external view returns (uint256);

    /// @notice A model's status alone. Reverts for an unknown id.
    function statusOf(uint256 id) external view returns (Status);

    /// @notice The price of requests made at `time`. Reverts for a time before the model was registered.
    function priceAt(uint256 id, uint64 time) external view returns (Price memory);

    /// @notice The licence of the model's Datanet when the model was registered; empty for a bare base.
    function licenceOf(uint256 id) external view returns (string memory);

    /// @notice What a proof about spans needs of a model; zero for an unknown id.
    function spanRule(uint256 id)
        external
        view
        returns (uint256 datanetVersionKey, bytes32 tokenizerDigest, uint32 minSpanTokens);

    /// @notice What the model registered of its attribution index; zero for an unknown id.
    function indexDigest(uint256 id) external view returns (bytes32);

    /// @notice Reverts for an unknown id. The terms carry the price in force now.
    function getModel(uint256 id)
        external
        view
        returns (address owner, Status status, ModelTerms memory terms, uint64 registeredAt);

    /// @notice The model of `name` and `version`; version 0 means the latest. Reverts when there is none.
    function modelByName(string calldata name, uint64 version) external view returns (uint256 id);
}
