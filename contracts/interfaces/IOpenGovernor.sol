// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

import {IGovernor} from "@openzeppelin/contracts/governance/IGovernor.sol";

/// @title What the suite's own contracts ask of the governor, which is OpenZeppelin's with their functions' names.
interface IOpenGovernor {
    function state(uint256 proposalId) external view returns (IGovernor.ProposalState);

    /// @notice The second whose balances and stakes a proposal's votes weigh.
    function proposalSnapshot(uint256 proposalId) external view returns (uint256);

    function proposalDetails(uint256 proposalId)
        external
        view
        returns (address[] memory targets, uint256[] memory values, bytes[] memory calldatas, bytes32 descriptionHash);

    /// @notice Cancels a proposal at any time before its execution; the guardian contract may, or the proposer while
    /// the vote has not begun.
    function cancel(uint256 proposalId) external;

    /// @notice Called by the voting power after a staker's own vote, which may have made the quorum.
    function tallyUpdated(uint256 proposalId) external;
}
