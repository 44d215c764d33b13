// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

import {IFaultJudge} from "./IFaultJudge.sol";
import {OpenSumTree} from "../libraries/OpenSumTree.sol";
import {Receipt} from "../libraries/ReceiptHash.sol";

/// @title What the judges of attribution reports share: a receipt in its node's own statement, opened to its report.
/// @notice A proven fault voids the whole statement, so a node vouches for every receipt in it.
interface IReportJudge is IFaultJudge {
    /// @dev A receipt of the statement of (epoch, receipt.node), and what its attributionRoot is made of.
    struct Stated {
        uint64 epoch;
        Receipt receipt;
        OpenSumTree.SumProof place;
        bytes32 entriesRoot;
        bytes32 gradientHash;
        bytes32 spanHash;
        bytes32 retrievalHash;
        bytes32 influenceHash;
    }

    error ReportJudgeNotStated(uint64 epoch, address node);
    error ReportJudgeNotTheReport(bytes32 opened, bytes32 attributionRoot);
    error ReportJudgeNotTheList(bytes32 opened, bytes32 expected);
    /// @notice The row, entry or token chunk is not where the proof says it is.
    error ReportJudgeNotProven();
    /// @notice The evidence is true, and there is nothing wrong with it.
    error ReportJudgeNoFault();
}
