// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

import {DisputeRules, Verdict} from "../libraries/DisputeRules.sol";
import {StakeTree} from "../libraries/StakeTree.sol";

/// @title Exposes the rules of disputes, so that tests hold them to the vectors. Never deployed with the suite.
contract DisputesMock {
    using StakeTree for StakeTree.Tree;

    StakeTree.Tree private _tree;

    function set(uint256 seat, uint256 weight, uint256 period) external {
        _tree.set(seat, weight, period);
    }

    function total(uint256 period) external view returns (uint256) {
        return _tree.total(period);
    }

    function latestOf(uint256 seat) external view returns (uint256) {
        return _tree.latestOf(seat);
    }

    function find(uint256 point, uint256 period) external view returns (uint256 seat, uint256 weight) {
        return _tree.find(point, period);
    }

    function disputeId(uint64 epoch, address node, bytes32 receiptHash) external pure returns (bytes32) {
        return DisputeRules.disputeId(epoch, node, receiptHash);
    }

    function drawSeed(bytes32 blockHash, bytes32 id, uint256 round) external pure returns (bytes32) {
        return DisputeRules.drawSeed(blockHash, id, round);
    }

    function drawPoint(bytes32 seed, uint256 attempt, uint256 sum) external pure returns (uint256) {
        return DisputeRules.drawPoint(seed, attempt, sum);
    }

    function voteDigest(bytes32 id, uint256 round, address juror, Verdict verdict, bytes32 salt)
        external
        pure
        returns (bytes32)
    {
        return DisputeRules.voteDigest(id, round, juror, verdict, salt);
    }

    function verdictOf(DisputeRules.Tally memory tally) external pure returns (Verdict) {
        return DisputeRules.verdictOf(tally);
    }

    function payout(DisputeRules.Case memory ended) external pure returns (Verdict, DisputeRules.Payout memory) {
        return (DisputeRules.finalVerdict(ended), DisputeRules.payout(ended));
    }
}
