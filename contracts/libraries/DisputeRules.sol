// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/// @dev A vote, or what a round decided; None is no vote and no decision. Unable is a vote that decides nothing.
enum Verdict {
    None,
    NotGuilty,
    Guilty,
    Unable
}

/// @title What votes decide and who is paid for them. Python twin: protocol/disputes.py; same vectors.
/// @dev A seat earns the same for either verdict, or fees would pull the votes: half of the bond at most, and no more
/// than half of the reward that a slash gives, or gave, or would have given.
library DisputeRules {
    bytes32 internal constant TAG_DISPUTE = keccak256("openledger.dispute");
    bytes32 internal constant TAG_DRAW = keccak256("openledger.draw");
    bytes32 internal constant TAG_VOTE = keccak256("openledger.vote");
    uint256 internal constant FIRST_SEATS = 5;
    uint256 internal constant APPEAL_SEATS = 10;
    uint256 internal constant ATTEMPTS_PER_SEAT = 16;
    /// @dev Stake by unit of weight.
    uint256 internal constant WEIGHT_UNIT = 10 ether;
    /// @dev The jurors of a round without a verdict share this part of a bond.
    uint256 private constant IDLE_DIVISOR = 10;

    /// @dev Revealed votes by seat; `seats` is 0 for a round that was never drawn.
    struct Tally {
        uint8 seats;
        uint8 guilty;
        uint8 notGuilty;
    }

    /// @dev `reward` is half of the slash, of the one that was due where none was made.
    struct Case {
        uint256 bond;
        uint256 reward;
        Tally first;
        Tally second;
        bool appealed;
        bool responded;
    }

    /// @dev Wei to each side, per coherent seat of each round, and to the burn.
    struct Payout {
        uint256 challenger;
        uint256 node;
        uint256 appellant;
        uint256 responder;
        uint256 firstFee;
        uint256 secondFee;
        uint256 burnt;
    }

    /// @dev Without the challenger: one receipt is disputed once.
    function disputeId(uint64 epoch, address node, bytes32 receiptHash) internal pure returns (bytes32) {
        return keccak256(abi.encode(TAG_DISPUTE, epoch, node, receiptHash));
    }

    function drawSeed(bytes32 blockHash, bytes32 id, uint256 round) internal pure returns (bytes32) {
        return keccak256(abi.encode(TAG_DRAW, blockHash, id, round));
    }

    /// @dev Names its juror, so that a copied commitment can never be revealed.
    function voteDigest(bytes32 id, uint256 round, address juror, Verdict verdict, bytes32 salt)
        internal
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(TAG_VOTE, id, round, juror, verdict, salt));
    }

    function drawPoint(bytes32 seed, uint256 attempt, uint256 total) internal pure returns (uint256) {
        return uint256(keccak256(abi.encode(seed, attempt))) % total;
    }

    /// @dev Guilty by two thirds of all seats; not guilty when as many voted and found less.
    function verdictOf(Tally memory tally) internal pure returns (Verdict) {
        uint256 quorum = Math.ceilDiv(2 * uint256(tally.seats), 3);
        if (tally.seats == 0 || uint256(tally.guilty) + tally.notGuilty < quorum) return Verdict.None;
        return tally.guilty >= quorum ? Verdict.Guilty : Verdict.NotGuilty;
    }

    /// @dev The appeal's, or the first round's where the appeal decided nothing.
    function finalVerdict(Case memory ended) internal pure returns (Verdict) {
        Verdict second = ended.appealed ? verdictOf(ended.second) : Verdict.None;
        return second == Verdict.None ? verdictOf(ended.first) : second;
    }

    /// @dev Sums to the bonds, and to the reward where the node is guilty.
    function payout(Case memory ended) internal pure returns (Payout memory out) {
        Verdict verdict = finalVerdict(ended);
        if (verdict == Verdict.None) {
            out.firstFee = _perSeat(ended.bond / IDLE_DIVISOR, ended.first);
            out.challenger = ended.bond - out.firstFee * _coherent(ended.first, verdict);
            return out;
        }
        out.firstFee = _perSeat(Math.min(ended.bond / 2, ended.reward / 2), ended.first);
        uint256 paid = out.firstFee * _coherent(ended.first, verdict);
        if (verdict == Verdict.Guilty) out.challenger = ended.bond + ended.reward - paid;
        else out.node = ended.bond - paid;
        if (ended.appealed) _appealPayout(ended, out);
    }

    function _appealPayout(Case memory ended, Payout memory out) private pure {
        Verdict decided = verdictOf(ended.second);
        uint256 staked = ended.responded ? ended.bond : 0;
        bool isIdle = decided == Verdict.None;
        out.secondFee = _perSeat(isIdle ? ended.bond / IDLE_DIVISOR : ended.bond, ended.second);
        uint256 rest = 2 * ended.bond - out.secondFee * _coherent(ended.second, decided);
        if (isIdle) {
            (out.appellant, out.responder) = (rest, staked);
        } else if (decided != verdictOf(ended.first)) {
            out.appellant = rest + staked;
        } else {
            uint256 prize = ended.responded ? rest / 2 : 0;
            (out.responder, out.burnt) = (staked + prize, rest - prize);
        }
    }

    /// @dev Seats that are paid: those that said what was decided, or all that judged where nothing was.
    function _coherent(Tally memory tally, Verdict verdict) private pure returns (uint256) {
        if (verdict == Verdict.None) return uint256(tally.guilty) + tally.notGuilty;
        return verdict == Verdict.Guilty ? tally.guilty : tally.notGuilty;
    }

    function _perSeat(uint256 amount, Tally memory tally) private pure returns (uint256) {
        return tally.seats == 0 ? 0 : amount / tally.seats;
    }
}
