// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {Checkpoints} from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";
import {IProtocolParameters} from "../interfaces/IProtocolParameters.sol";

/// @title The parameters that votes change. Restricted functions obey the access manager, so the timelock alone.
contract ProtocolParameters is IProtocolParameters, AccessManaged {
    using Checkpoints for Checkpoints.Trace208;

    uint256 private constant TOTAL_PPM = 1_000_000;
    uint256 private constant MAX_BATCH = 16;
    bytes32 private constant TREASURY = keccak256("treasury");
    bytes32 private constant GRADIENT = keccak256("gradientWeight");
    bytes32 private constant SPAN = keccak256("spanWeight");
    bytes32 private constant RETRIEVAL = keccak256("retrievalWeight");

    struct Bounds {
        uint208 min;
        uint208 max;
        bool known;
    }

    /// @inheritdoc IProtocolParameters
    uint64 public version;

    mapping(uint64 version => Split) private _splits;
    mapping(bytes32 key => Bounds) private _bounds;
    /// @dev Checkpoint keys are versions.
    mapping(bytes32 key => Checkpoints.Trace208) private _values;

    constructor(address accessManager, Split memory split, Parameter[] memory parameters)
        AccessManaged(accessManager)
    {
        _checkSplit(split);
        version = 1;
        _splits[1] = split;
        emit SplitChanged(1, split);
        for (uint256 i = 0; i < parameters.length; ++i) {
            Parameter memory parameter = parameters[i];
            require(!_bounds[parameter.key].known, ProtocolParametersDuplicateKey(parameter.key));
            _bounds[parameter.key] = Bounds(parameter.min, parameter.max, true);
            _write(1, parameter.key, parameter.value);
        }
        require(_bounds[TREASURY].known, ProtocolParametersUnknownKey(TREASURY));
        _checkLanes();
    }

    /// @inheritdoc IProtocolParameters
    function setSplit(Split calldata split) external restricted {
        _checkSplit(split);
        uint64 next = ++version;
        _splits[next] = split;
        emit SplitChanged(next, split);
    }

    /// @inheritdoc IProtocolParameters
    function setValue(bytes32 key, uint256 newValue) external restricted {
        _write(_nextVersion(), key, newValue);
        _checkLanes();
    }

    /// @inheritdoc IProtocolParameters
    function setValues(bytes32[] calldata keys, uint256[] calldata newValues) external restricted {
        require(
            keys.length == newValues.length && keys.length <= MAX_BATCH,
            ProtocolParametersBatch(keys.length, newValues.length, MAX_BATCH)
        );
        uint64 next = _nextVersion();
        for (uint256 i = 0; i < keys.length; ++i) {
            _write(next, keys[i], newValues[i]);
        }
        _checkLanes();
    }

    /// @inheritdoc IProtocolParameters
    function splitAt(uint64 atVersion) external view returns (Split memory) {
        _checkVersion(atVersion);
        return _splits[atVersion];
    }

    /// @inheritdoc IProtocolParameters
    function value(bytes32 key) external view returns (uint256) {
        return _valueOf(key).latest();
    }

    /// @inheritdoc IProtocolParameters
    function valueAt(bytes32 key, uint64 atVersion) external view returns (uint256) {
        _checkVersion(atVersion);
        return _valueOf(key).upperLookupRecent(uint48(atVersion));
    }

    /// @inheritdoc IProtocolParameters
    function boundsOf(bytes32 key) external view returns (uint256 min, uint256 max) {
        _valueOf(key); // reverts for an unknown key
        return (_bounds[key].min, _bounds[key].max);
    }

    /// @inheritdoc IProtocolParameters
    function treasury() external view returns (address) {
        return address(uint160(_values[TREASURY].latest()));
    }

    function _nextVersion() private returns (uint64 next) {
        next = ++version;
        _splits[next] = _splits[next - 1];
    }

    function _write(uint64 atVersion, bytes32 key, uint256 newValue) private {
        Bounds memory bounds = _bounds[key];
        require(bounds.known, ProtocolParametersUnknownKey(key));
        require(
            bounds.min <= newValue && newValue <= bounds.max,
            ProtocolParametersOutOfBounds(key, newValue, bounds.min, bounds.max)
        );
        _values[key].push(uint48(atVersion), SafeCast.toUint208(newValue));
        emit ParameterChanged(atVersion, key, newValue);
    }

    function _valueOf(bytes32 key) private view returns (Checkpoints.Trace208 storage) {
        require(_bounds[key].known, ProtocolParametersUnknownKey(key));
        return _values[key];
    }

    function _checkVersion(uint64 atVersion) private view {
        require(atVersion != 0 && atVersion <= version, ProtocolParametersUnknownVersion(atVersion, version));
    }

    /// @dev Weights that do not add up would stop every node from reading the rules.
    function _checkLanes() private view {
        uint256 gradient = _valueOf(GRADIENT).latest();
        uint256 span = _valueOf(SPAN).latest();
        uint256 retrieval = _valueOf(RETRIEVAL).latest();
        require(
            gradient + span == TOTAL_PPM && retrieval <= gradient,
            ProtocolParametersLaneWeights(gradient, span, retrieval)
        );
    }

    function _checkSplit(Split memory split) private pure {
        uint256 sum = uint256(split.burn) + split.treasury + split.modelOwner + split.operator + split.stakers;
        sum += split.data;
        require(sum == TOTAL_PPM, ProtocolParametersSplitSum(sum));
    }
}
