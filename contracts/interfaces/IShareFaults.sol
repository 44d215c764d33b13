// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

import {IReportJudge} from "./IReportJudge.sol";
import {OpenMerkle} from "../libraries/OpenMerkle.sol";
import {OpenSumTree} from "../libraries/OpenSumTree.sol";
import {Lists} from "../libraries/ReportShares.sol";
import {Row} from "../libraries/RowHash.sol";

/// @title F3, an entry pays a row that it may not, and F4, the shares do not follow from the lists.
interface IShareFaults is IReportJudge {
    /// @dev A leaf of the report's entriesRoot; the last one is the unattributed part, all zero but `ppm`.
    struct Entry {
        uint256 lane;
        uint256 row;
        address owner;
        uint256 ppm;
        OpenSumTree.SumProof place;
    }

    /// @notice F3: the entry's row is not in the receipt's version: its index is past the last.
    function proveForeignRow(Stated calldata stated, Entry calldata entry) external;

    /// @notice F3: the entry's row, as the version's rowsRoot holds it, is not canonical, not granted, of another owner,
    /// or was revoked in time before the request.
    function proveWrongRow(
        Stated calldata stated,
        Entry calldata entry,
        Row calldata row,
        OpenMerkle.Proof calldata proof
    ) external;

    /// @notice F3: the receipt names another Datanet version than its model registered, or an unknown model.
    function proveWrongVersion(Stated calldata stated) external;

    /// @notice F4: the lists make no shares, or there is no such version of the parameters (`entry` is not looked at
    /// then); or the number of shares that they make, or the one at the entry's place, is not what the report says.
    function proveWrongShares(Stated calldata stated, Lists calldata lists, Entry calldata entry) external;
}
