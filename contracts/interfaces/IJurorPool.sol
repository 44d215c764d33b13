// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

/// @title Evaluators who stand ready to judge, drawn by their own stake.
/// @notice An evaluator stakes to its own address in NodeStaking and enrols here. Weight is own stake in tens of OPEN;
/// seats are drawn with replacement, so that splitting a stake over accounts changes nothing. Changes take effect with
/// the next period of blocks and a draw uses a seed of its own period, so nobody who knows a seed can change its draw.
interface IJurorPool {
    /// @dev Whom a draw must leave out. `since` is a past second: who staked on the node then is left out as well.
    struct Parties {
        address node;
        address challenger;
        uint64 since;
    }

    event JurorEnrolled(address indexed juror, uint256 indexed seat, uint256 weight);
    event JurorWeightChanged(address indexed juror, uint256 indexed seat, uint256 weight);
    event JurorLeft(address indexed juror, uint256 indexed seat);

    error JurorPoolStakeTooLow(address juror, uint256 stake, uint256 minimum);
    error JurorPoolAlreadyEnrolled(address juror);
    error JurorPoolNotEnrolled(address juror);
    error JurorPoolFull(uint256 capacity);
    error JurorPoolNotCommittee(address caller);

    /// @notice Enters the caller with the weight of its own stake, which must be at least minJurorStake.
    function enrol() external returns (uint256 seat);

    /// @notice Takes the caller out of all later draws; duties that it was drawn for remain.
    function leave() external;

    /// @notice Sets a juror's weight to what its stake is now; takes out one whose stake fell below the minimum.
    function sync(address juror) external;

    /// @notice Draws `seats` jurors (one may hold several) and locks what each has at risk: `riskPpm` of its own stake.
    /// Both lists are empty when not enough could be drawn. Only by the committee.
    function draw(bytes32 seed, uint256 seats, Parties calldata parties, uint256 riskPpm)
        external
        returns (address[] memory jurors, uint128[] memory atRisk);

    /// @notice Whether `juror` may judge between these parties: it is neither of them, nor signs for the node, nor stakes
    /// or staked on it, nor is the challenger its signer.
    function isEligible(address juror, Parties calldata parties) external view returns (bool);

    /// @notice A block of the near future that leaves time to draw in its period.
    function nextDrawBlock() external view returns (uint256);

    /// @notice The hash of a past block of this period; zero for any other.
    function hashOf(uint256 drawBlock) external view returns (bytes32);

    /// @notice Sum of the weights in force.
    function totalWeight() external view returns (uint256);

    /// @notice The weight of a juror from the next period on; 0 for a stranger.
    function weightOf(address juror) external view returns (uint256);

    /// @notice Who sits where `point` lands among the weights in force; zero past their sum.
    function jurorAt(uint256 point) external view returns (address);
}
