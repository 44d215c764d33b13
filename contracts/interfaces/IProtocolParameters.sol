// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

/// @title The rules that a vote may change, each within its bounds, each version readable for ever.
/// @notice A receipt names the version it was priced under; that version's values never change again.
interface IProtocolParameters {
    /// @dev Shares of a price in ppm; they sum to 1,000,000.
    struct Split {
        uint32 burn;
        uint32 treasury;
        uint32 modelOwner;
        uint32 operator;
        uint32 stakers;
        uint32 data;
    }

    /// @dev What a value counts: parts of a million, wei of OPEN, seconds, things, or an account as a number.
    enum Kind {
        Ppm,
        Wei,
        Seconds,
        Count,
        Account
    }

    /// @dev A parameter at construction: its key, kind, first value and bounds (both included).
    struct Parameter {
        bytes32 key;
        Kind kind;
        uint208 value;
        uint208 min;
        uint208 max;
    }

    event SplitChanged(uint64 indexed version, Split split);
    event ParameterChanged(uint64 indexed version, bytes32 indexed key, uint256 value);

    /// @notice The split's shares sum to `sum`, not to 1,000,000.
    error ProtocolParametersSplitSum(uint256 sum);
    error ProtocolParametersUnknownKey(bytes32 key);
    error ProtocolParametersOutOfBounds(bytes32 key, uint256 value, uint256 min, uint256 max);
    error ProtocolParametersDuplicateKey(bytes32 key);
    error ProtocolParametersUnknownVersion(uint64 version, uint64 latest);
    /// @notice Gradient and span weights must make 1,000,000, and retrieval's is taken out of gradient's.
    error ProtocolParametersLaneWeights(uint256 gradient, uint256 span, uint256 retrieval);
    /// @notice No value of this kind can be as great as the upper bound `max`, or the bounds leave no value.
    error ProtocolParametersBadBounds(bytes32 key, Kind kind, uint256 min, uint256 max);
    /// @notice Stake could leave before the last word on what it answers for: an epoch and all its windows must fit.
    error ProtocolParametersWindows(uint256 unbondingPeriod, uint256 needed);
    error ProtocolParametersBatch(uint256 keys, uint256 values, uint256 limit);

    /// @notice The version in force; the first is 1 and each change adds one.
    function version() external view returns (uint64);

    /// @notice The split in force at `atVersion`.
    function splitAt(uint64 atVersion) external view returns (Split memory);

    /// @notice The value in force of `key` (keccak256 of its name).
    function value(bytes32 key) external view returns (uint256);

    /// @notice The value of `key` at `atVersion`.
    function valueAt(bytes32 key, uint64 atVersion) external view returns (uint256);

    /// @notice The bounds of `key`, both included.
    function boundsOf(bytes32 key) external view returns (uint256 min, uint256 max);

    /// @notice What the values of `key` count.
    function kindOf(bytes32 key) external view returns (Kind);

    /// @notice Every key, in the order of the deployment; the set never changes.
    function keys() external view returns (bytes32[] memory);

    /// @notice Seconds of an epoch; part of what the unbonding period must cover.
    function epochLength() external view returns (uint64);

    /// @notice The account that earns the treasury's share: the value of the key "treasury".
    function treasury() external view returns (address);

    /// @notice Changes the split; only by a passed vote.
    function setSplit(Split calldata split) external;

    /// @notice Changes one parameter within its bounds; only by a passed vote.
    function setValue(bytes32 key, uint256 newValue) external;

    /// @notice Changes several parameters in one version, such as the lane weights, which are then checked together;
    /// only by a passed vote.
    function setValues(bytes32[] calldata changed, uint256[] calldata newValues) external;
}
