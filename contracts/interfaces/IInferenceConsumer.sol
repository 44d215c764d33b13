// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

/// @title What a contract implements that wants its answers delivered.
interface IInferenceConsumer {
    /// @notice Called once by the gateway with the gas that the request paid for. The money has moved by then and a
    /// revert undoes nothing: the answer stays readable at the gateway. Must refuse any other caller.
    /// @param id The request, as `IInferenceGateway.request` returned it.
    /// @param outputCid Where the answer is.
    /// @param receiptHash The EIP-712 struct hash of the node's signed receipt.
    /// @param price What the answer cost, in wei of OPEN; the rest of the escrow has just been paid back.
    function onInference(bytes32 id, bytes calldata outputCid, bytes32 receiptHash, uint128 price) external;
}
