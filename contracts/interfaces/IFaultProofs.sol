// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

import {Receipt} from "../libraries/ReceiptHash.sol";

/// @title F7, equivocation: one transaction, no bond, a wrong proof reverts. Rewards as IFaultJudge says.
interface IFaultProofs {
    event EquivocationProven(
        address indexed node, bytes32 indexed faultId, address indexed beneficiary, bytes32 hashA, bytes32 hashB, uint256 slashed
    );

    error FaultProofsNodesDiffer(address nodeA, address nodeB);
    error FaultProofsSameReceipt(bytes32 receiptHash);
    /// @notice The receipts share neither the request nor the place in a channel.
    error FaultProofsNoConflict(bytes32 requestIdA, bytes32 requestIdB);
    error FaultProofsNotSigner(address node, address signer);
    error FaultProofsAlreadyProven(bytes32 faultId);

    /// @notice Slashes a node that signed two different receipts for one request, or for one place of one channel.
    /// Its statements stand: two answers to one request do not make either of them wrong.
    function proveEquivocation(
        Receipt calldata a,
        bytes calldata signatureA,
        Receipt calldata b,
        bytes calldata signatureB
    ) external returns (uint256 slashed);

    /// @notice Whether a fault has been proven; its id does not depend on who proves it.
    function isProven(bytes32 faultId) external view returns (bool);
}
