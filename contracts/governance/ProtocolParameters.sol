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

    bytes32 private constant CHALLENGE = keccak256("challengeWindow");
    bytes32 private constant RESPONSE = keccak256("responseWindow");
    bytes32 private constant COMMITTEE = keccak256("committeeWindow");
    bytes32 private constant APPEAL = keccak256("appealWindow");
    bytes32 private constant UNBONDING = keccak256("unbondingPeriod");

    struct Rule {
        Kind kind;
        bool known;
        uint208 min;
        uint208 max;
    }

    /// @dev What `value` reads: one slot, since every claim and commitment reads some.
    struct Current {
        uint208 value;
        bool known;
    }

    /// @inheritdoc IProtocolParameters
    uint64 public immutable epochLength;
    /// @inheritdoc IProtocolParameters
    uint64 public version;

    bytes32[] private _keys;
    mapping(uint64 version => Split) private _splits;
    mapping(bytes32 key => Rule) private _rules;
    mapping(bytes32 key => Current) private _current;
    /// @dev Checkpoint keys are versions.
    mapping(bytes32 key => Checkpoints.Trace208) private _values;

    constructor(address accessManager, uint64 epochLength_, Split memory split, Parameter[] memory parameters)
        AccessManaged(accessManager)
    {
        epochLength = epochLength_;
        _checkSplit(split);
        version = 1;
        _splits[1] = split;
        emit SplitChanged(1, split);
        for (uint256 i = 0; i < parameters.length; ++i) {
            _define(parameters[i]);
        }
        require(_rules[TREASURY].kind == Kind.Account, ProtocolParametersUnknownKey(TREASURY));
        _checkTogether();
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
        _checkTogether();
    }

    /// @inheritdoc IProtocolParameters
    function setValues(bytes32[] calldata changed, uint256[] calldata newValues) external restricted {
        require(
            changed.length == newValues.length && changed.length <= MAX_BATCH,
            ProtocolParametersBatch(changed.length, newValues.length, MAX_BATCH)
        );
        uint64 next = _nextVersion();
        for (uint256 i = 0; i < changed.length; ++i) {
            _write(next, changed[i], newValues[i]);
        }
        _checkTogether();
    }

    /// @inheritdoc IProtocolParameters
    function splitAt(uint64 atVersion) external view returns (Split memory) {
        _checkVersion(atVersion);
        return _splits[atVersion];
    }

    /// @inheritdoc IProtocolParameters
    function value(bytes32 key) external view returns (uint256) {
        return _latest(key);
    }

    /// @inheritdoc IProtocolParameters
    function valueAt(bytes32 key, uint64 atVersion) external view returns (uint256) {
        _checkVersion(atVersion);
        require(_rules[key].known, ProtocolParametersUnknownKey(key));
        return _values[key].upperLookupRecent(uint48(atVersion));
    }

    /// @inheritdoc IProtocolParameters
    function boundsOf(bytes32 key) external view returns (uint256 min, uint256 max) {
        require(_rules[key].known, ProtocolParametersUnknownKey(key));
        return (_rules[key].min, _rules[key].max);
    }

    /// @inheritdoc IProtocolParameters
    function kindOf(bytes32 key) external view returns (Kind) {
        require(_rules[key].known, ProtocolParametersUnknownKey(key));
        return _rules[key].kind;
    }

    /// @inheritdoc IProtocolParameters
    function keys() external view returns (bytes32[] memory) {
        return _keys;
    }

    /// @inheritdoc IProtocolParameters
    function treasury() external view returns (address) {
        return address(uint160(_latest(TREASURY)));
    }

    function _nextVersion() private returns (uint64 next) {
        next = ++version;
        _splits[next] = _splits[next - 1];
    }

    function _define(Parameter memory parameter) private {
        (bytes32 key, Kind kind) = (parameter.key, parameter.kind);
        require(!_rules[key].known, ProtocolParametersDuplicateKey(key));
        require(
            parameter.min <= parameter.max && parameter.max <= _greatestOf(kind),
            ProtocolParametersBadBounds(key, kind, parameter.min, parameter.max)
        );
        _rules[key] = Rule(kind, true, parameter.min, parameter.max);
        _keys.push(key);
        _write(1, key, parameter.value);
    }

    function _write(uint64 atVersion, bytes32 key, uint256 newValue) private {
        Rule memory rule = _rules[key];
        require(rule.known, ProtocolParametersUnknownKey(key));
        require(
            rule.min <= newValue && newValue <= rule.max,
            ProtocolParametersOutOfBounds(key, newValue, rule.min, rule.max)
        );
        _values[key].push(uint48(atVersion), SafeCast.toUint208(newValue));
        _current[key] = Current(uint208(newValue), true);
        emit ParameterChanged(atVersion, key, newValue);
    }

    function _latest(bytes32 key) private view returns (uint256) {
        Current memory current = _current[key];
        require(current.known, ProtocolParametersUnknownKey(key));
        return current.value;
    }

    function _checkVersion(uint64 atVersion) private view {
        require(atVersion != 0 && atVersion <= version, ProtocolParametersUnknownVersion(atVersion, version));
    }

    /// @dev What single bounds cannot say.
    function _checkTogether() private view {
        // Weights that do not add up would stop every node from reading the rules.
        (uint256 gradient, uint256 span, uint256 retrieval) = (_latest(GRADIENT), _latest(SPAN), _latest(RETRIEVAL));
        require(
            gradient + span == TOTAL_PPM && retrieval <= gradient,
            ProtocolParametersLaneWeights(gradient, span, retrieval)
        );
        uint256 needed = _latest(CHALLENGE) + _latest(RESPONSE) + 2 * _latest(COMMITTEE) + _latest(APPEAL) + epochLength;
        uint256 unbonding = _latest(UNBONDING);
        require(unbonding >= needed, ProtocolParametersWindows(unbonding, needed));
    }

    function _greatestOf(Kind kind) private pure returns (uint256) {
        if (kind == Kind.Ppm) return TOTAL_PPM;
        if (kind == Kind.Wei) return type(uint128).max;
        if (kind == Kind.Seconds) return type(uint32).max;
        if (kind == Kind.Count) return type(uint64).max;
        return type(uint160).max;
    }

    function _checkSplit(Split memory split) private pure {
        uint256 sum = uint256(split.burn) + split.treasury + split.modelOwner + split.operator + split.stakers;
        sum += split.data;
        require(sum == TOTAL_PPM, ProtocolParametersSplitSum(sum));
    }
}
