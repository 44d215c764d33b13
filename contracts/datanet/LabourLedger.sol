// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {IContributionLedger} from "../interfaces/IContributionLedger.sol";
import {IDatanetRegistry} from "../interfaces/IDatanetRegistry.sol";
import {ILabourLedger} from "../interfaces/ILabourLedger.sol";
import {INodeStaking} from "../interfaces/INodeStaking.sol";
import {IProtocolParameters} from "../interfaces/IProtocolParameters.sol";
import {BoundedBytes} from "../libraries/BoundedBytes.sol";
import {Labour, LabourHash, LabourKind} from "../libraries/LabourHash.sol";

/// @title Ledger of labour other than rows. Holds no money: it says who did what, and each version's shares.
contract LabourLedger is ILabourLedger, EIP712 {
    uint256 public constant MAX_PARENTS = 8;
    /// @dev At most half of what a record earns goes on, so that no chain of parents is longer than a share's bits.
    uint256 public constant MAX_PARENTS_PPM = 500_000;
    uint256 public constant MAX_VERSION_LABOUR = 64;
    uint256 private constant PPM = 1_000_000;
    bytes32 private constant MIN_CURATOR_STAKE = keccak256("minCuratorStake");

    struct Shares {
        uint256[] ids;
        uint32[] ppm;
    }

    IDatanetRegistry public immutable datanets;
    IContributionLedger public immutable contributions;
    INodeStaking public immutable staking;
    IProtocolParameters public immutable parameters;

    /// @inheritdoc ILabourLedger
    uint256 public labourCount;
    /// @inheritdoc ILabourLedger
    mapping(bytes32 digest => uint256 id) public labourOf;
    /// @inheritdoc ILabourLedger
    mapping(uint256 datanetId => mapping(address curator => uint256 id)) public reviewId;

    mapping(uint256 id => Record) private _records;
    mapping(uint256 datanetId => mapping(uint64 version => Shares)) private _shares;

    constructor(
        IDatanetRegistry datanets_,
        IContributionLedger contributions_,
        INodeStaking staking_,
        IProtocolParameters parameters_
    ) EIP712("OpenLedger Labour", "1") {
        datanets = datanets_;
        contributions = contributions_;
        staking = staking_;
        parameters = parameters_;
    }

    /// @inheritdoc ILabourLedger
    function accept(Labour calldata labour, bytes calldata signature) external returns (uint256 id) {
        _requireStakedCurator(labour.datanetId);
        require(labour.kind != LabourKind.None, LabourLedgerNoKind());
        require(block.timestamp < labour.deadline, LabourLedgerExpired(labour.deadline));
        BoundedBytes.checkCid(labour.workCid);
        _checkParents(labour);
        bytes32 digest = labourDigest(labour);
        require(labourOf[digest] == 0, LabourLedgerAlreadyAccepted(digest, labourOf[digest]));
        require(_isSignedBy(labour.account, digest, signature), LabourLedgerBadSignature(labour.account));
        id = ++labourCount;
        labourOf[digest] = id;
        _records[id] = Record(
            labour.datanetId,
            labour.account,
            uint64(block.timestamp),
            labour.kind,
            msg.sender,
            labour.workCid,
            labour.parents,
            labour.parentsPpm
        );
        emit LabourAccepted(id, labour.datanetId, labour.account, labour.kind, msg.sender, labour.workCid);
    }

    /// @inheritdoc ILabourLedger
    function recordReview(uint256 datanetId, address curator) external returns (uint256 id) {
        id = reviewId[datanetId][curator];
        if (id != 0) return id;
        require(contributions.rowsDecided(datanetId, curator) != 0, LabourLedgerNothingDecided(datanetId, curator));
        id = ++labourCount;
        reviewId[datanetId][curator] = id;
        Record storage record = _records[id];
        record.datanetId = datanetId;
        record.account = curator;
        record.acceptedAt = uint64(block.timestamp);
        record.kind = LabourKind.Review;
        record.curator = msg.sender;
        emit LabourAccepted(id, datanetId, curator, LabourKind.Review, msg.sender, "");
    }

    /// @inheritdoc ILabourLedger
    function fixShares(uint256 datanetId, uint64 version, uint256[] calldata ids, uint32[] calldata ppm) external {
        require(msg.sender == address(datanets), LabourLedgerNotRegistry(msg.sender));
        require(ids.length == ppm.length, LabourLedgerListMismatch(ids.length, ppm.length));
        require(ids.length <= MAX_VERSION_LABOUR, LabourLedgerTooMany(ids.length, MAX_VERSION_LABOUR));
        uint256 sum = 0;
        uint256 before = 0;
        for (uint256 i = 0; i < ids.length; ++i) {
            require(ids[i] > before, LabourLedgerNotAscending(before, ids[i]));
            _requireOf(datanetId, ids[i]);
            require(ppm[i] != 0, LabourLedgerZeroShare(ids[i]));
            before = ids[i];
            sum += ppm[i];
        }
        require(sum == PPM, LabourLedgerSharesDoNotSum(sum));
        _shares[datanetId][version] = Shares(ids, ppm);
        emit SharesFixed(datanetId, version, ids, ppm);
    }

    /// @inheritdoc ILabourLedger
    function labourDigest(Labour calldata labour) public view returns (bytes32) {
        return _hashTypedDataV4(LabourHash.hashStruct(labour));
    }

    /// @inheritdoc ILabourLedger
    function getLabour(uint256 id) external view returns (Record memory) {
        return _known(id);
    }

    /// @inheritdoc ILabourLedger
    function sharesOf(uint256 datanetId, uint64 version)
        external
        view
        returns (uint256[] memory ids, uint32[] memory ppm)
    {
        Shares storage shares = _shares[datanetId][version];
        return (shares.ids, shares.ppm);
    }

    /// @dev Plain ECDSA first: an account that carries code without ERC-1271 (EIP-7702) can still sign by its key.
    function _isSignedBy(address account, bytes32 digest, bytes calldata signature) private view returns (bool) {
        (address recovered,,) = ECDSA.tryRecoverCalldata(digest, signature);
        if (recovered != address(0) && recovered == account) return true;
        return SignatureChecker.isValidERC1271SignatureNowCalldata(account, digest, signature);
    }

    function _checkParents(Labour calldata labour) private view {
        uint256 count = labour.parents.length;
        require(count == labour.parentsPpm.length, LabourLedgerListMismatch(count, labour.parentsPpm.length));
        require(count <= MAX_PARENTS, LabourLedgerTooMany(count, MAX_PARENTS));
        uint256 sum = 0;
        for (uint256 i = 0; i < count; ++i) {
            _requireOf(labour.datanetId, labour.parents[i]);
            sum += labour.parentsPpm[i];
        }
        require(sum <= MAX_PARENTS_PPM, LabourLedgerParentsTooHigh(sum, MAX_PARENTS_PPM));
    }

    function _requireOf(uint256 datanetId, uint256 id) private view {
        uint256 found = _known(id).datanetId;
        require(found == datanetId, LabourLedgerOtherDatanet(id, found, datanetId));
    }

    function _requireStakedCurator(uint256 datanetId) private view {
        require(datanets.isCurator(datanetId, msg.sender), LabourLedgerNotCurator(datanetId, msg.sender));
        (uint256 own, uint256 required) = (staking.ownStake(msg.sender), parameters.value(MIN_CURATOR_STAKE));
        require(own >= required, LabourLedgerStakeTooLow(msg.sender, own, required));
    }

    function _known(uint256 id) private view returns (Record storage record) {
        record = _records[id];
        require(record.acceptedAt != 0, LabourLedgerUnknown(id));
    }
}
