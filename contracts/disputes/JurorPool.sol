// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {IJurorPool} from "../interfaces/IJurorPool.sol";
import {INodeStaking} from "../interfaces/INodeStaking.sol";
import {IProtocolParameters} from "../interfaces/IProtocolParameters.sol";
import {DisputeRules} from "../libraries/DisputeRules.sol";
import {StakeTree} from "../libraries/StakeTree.sol";

/// @title The jurors and their weights. Holds no money.
/// @dev A weight may lag behind its stake. An attempt that lands on one that is too great is lost, so nobody is drawn by
/// stake that is gone; one that is too small costs only its juror. Attempts are lost on whoever is not eligible, so
/// becoming ineligible after the seed is known can only give one's seat away.
contract JurorPool is IJurorPool {
    using StakeTree for StakeTree.Tree;

    uint256 private constant TOTAL_PPM = 1_000_000;
    uint256 private constant PERIOD_BLOCKS = 32;
    /// @dev Blocks that a scheduled draw must have left in its period.
    uint256 private constant DRAW_BLOCKS = 4;
    bytes32 private constant MIN_STAKE = keccak256("minJurorStake");

    INodeStaking public immutable staking;
    IProtocolParameters public immutable parameters;
    address public immutable committee;

    /// @dev `since` is the first period in which the juror can be drawn from the seat.
    struct Seat {
        address juror;
        uint64 since;
    }

    StakeTree.Tree private _weights;
    mapping(uint256 seat => Seat) private _seats;
    /// @dev One more than the seat; 0 for a stranger.
    mapping(address juror => uint256 place) private _places;
    uint256 private _seatCount;
    uint256[] private _freeSeats;

    constructor(INodeStaking staking_, IProtocolParameters parameters_, address committee_) {
        staking = staking_;
        parameters = parameters_;
        committee = committee_;
    }

    /// @inheritdoc IJurorPool
    function enrol() external returns (uint256 seat) {
        require(_places[msg.sender] == 0, JurorPoolAlreadyEnrolled(msg.sender));
        uint256 minimum = parameters.value(MIN_STAKE);
        uint256 stake = staking.ownStake(msg.sender);
        uint256 weight = _weigh(stake, minimum);
        require(weight != 0, JurorPoolStakeTooLow(msg.sender, stake, minimum));
        seat = _takeSeat();
        _seats[seat] = Seat(msg.sender, uint64(_period() + 1));
        _places[msg.sender] = seat + 1;
        _weights.set(seat, weight, _period());
        emit JurorEnrolled(msg.sender, seat, weight);
    }

    /// @inheritdoc IJurorPool
    function leave() external {
        _remove(msg.sender, _seatOf(msg.sender));
    }

    /// @inheritdoc IJurorPool
    function sync(address juror) external {
        uint256 seat = _seatOf(juror);
        _refresh(juror, seat, _weigh(staking.ownStake(juror), parameters.value(MIN_STAKE)));
    }

    /// @inheritdoc IJurorPool
    function draw(bytes32 seed, uint256 seats, Parties calldata parties, uint256 riskPpm)
        external
        returns (address[] memory jurors, uint128[] memory atRisk)
    {
        require(msg.sender == committee, JurorPoolNotCommittee(msg.sender));
        jurors = new address[](seats);
        atRisk = new uint128[](seats);
        uint256 total = _weights.total(_period());
        uint256 attempts = total == 0 ? 0 : seats * DisputeRules.ATTEMPTS_PER_SEAT;
        uint256 filled = 0;
        for (uint256 attempt = 0; attempt < attempts && filled < seats; ++attempt) {
            (address juror, uint256 stake) = _land(DisputeRules.drawPoint(seed, attempt, total), parties);
            uint128 risk = SafeCast.toUint128(Math.mulDiv(stake, riskPpm, TOTAL_PPM));
            if (juror == address(0) || staking.freeStake(juror) < risk) continue;
            (jurors[filled], atRisk[filled]) = (juror, risk);
            ++filled;
        }
        if (filled < seats) return (new address[](0), new uint128[](0));
        _lock(jurors, atRisk);
    }

    /// @inheritdoc IJurorPool
    function isEligible(address juror, Parties calldata parties) public view returns (bool) {
        return juror != parties.node && juror != parties.challenger && staking.nodeOf(juror) != parties.node
            && staking.nodeOf(parties.challenger) != juror && staking.sharesOf(parties.node, juror) == 0
            && staking.pastStakeOf(parties.node, juror, parties.since) == 0;
    }

    /// @inheritdoc IJurorPool
    function nextDrawBlock() external view returns (uint256 next) {
        next = block.number + 1;
        uint256 end = (next / PERIOD_BLOCKS + 1) * PERIOD_BLOCKS;
        if (next + DRAW_BLOCKS >= end) return end;
    }

    /// @inheritdoc IJurorPool
    function hashOf(uint256 drawBlock) external view returns (bytes32) {
        return drawBlock / PERIOD_BLOCKS == _period() ? blockhash(drawBlock) : bytes32(0);
    }

    /// @inheritdoc IJurorPool
    function totalWeight() external view returns (uint256) {
        return _weights.total(_period());
    }

    /// @inheritdoc IJurorPool
    function weightOf(address juror) external view returns (uint256) {
        uint256 place = _places[juror];
        return place == 0 ? 0 : _weights.latestOf(place - 1);
    }

    /// @inheritdoc IJurorPool
    function jurorAt(uint256 point) external view returns (address) {
        if (point >= _weights.total(_period())) return address(0);
        (uint256 seat,) = _weights.find(point, _period());
        return _seats[seat].juror;
    }

    /// @dev The juror an attempt lands on, with its stake; zero when the attempt is lost.
    function _land(uint256 point, Parties calldata parties) private view returns (address juror, uint256 stake) {
        uint256 period = _period();
        (uint256 place, uint256 weight) = _weights.find(point, period);
        Seat memory seat = _seats[place];
        if (seat.juror == address(0) || seat.since > period) return (address(0), 0);
        stake = staking.ownStake(seat.juror);
        if (_weigh(stake, parameters.value(MIN_STAKE)) < weight) return (address(0), 0);
        return isEligible(seat.juror, parties) ? (seat.juror, stake) : (address(0), 0);
    }

    /// @dev Once for each juror, however many seats it holds: it loses once.
    function _lock(address[] memory jurors, uint128[] memory atRisk) private {
        for (uint256 i = 0; i < jurors.length; ++i) {
            uint256 j = 0;
            while (jurors[j] != jurors[i]) ++j;
            if (j == i && atRisk[i] != 0) staking.lock(jurors[i], atRisk[i]);
        }
    }

    function _refresh(address juror, uint256 seat, uint256 weight) private {
        if (weight == 0) return _remove(juror, seat);
        _weights.set(seat, weight, _period());
        emit JurorWeightChanged(juror, seat, weight);
    }

    function _remove(address juror, uint256 seat) private {
        _weights.set(seat, 0, _period());
        delete _seats[seat];
        delete _places[juror];
        _freeSeats.push(seat);
        emit JurorLeft(juror, seat);
    }

    function _takeSeat() private returns (uint256 seat) {
        uint256 free = _freeSeats.length;
        if (free == 0) {
            require(_seatCount < StakeTree.CAPACITY, JurorPoolFull(StakeTree.CAPACITY));
            return _seatCount++;
        }
        seat = _freeSeats[free - 1];
        _freeSeats.pop();
    }

    function _seatOf(address juror) private view returns (uint256) {
        uint256 place = _places[juror];
        require(place != 0, JurorPoolNotEnrolled(juror));
        return place - 1;
    }

    function _period() private view returns (uint256) {
        return block.number / PERIOD_BLOCKS;
    }

    function _weigh(uint256 stake, uint256 minimum) private pure returns (uint256) {
        return stake < minimum ? 0 : stake / DisputeRules.WEIGHT_UNIT;
    }
}
