// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

import {Receipt} from "../libraries/ReceiptHash.sol";

/// @title Inference for contracts: pay into escrow and ask, be answered by the node, or be refunded.
/// @notice A request is a channel of one answer: the node's receipt has channelId = id, requestId = receiptRequestId(id),
/// seq = 1 and cumulative = price. The payment earns exactly as a claimed voucher does.
interface IInferenceGateway {
    enum Status {
        None,
        Pending,
        Fulfilled,
        Refunded
    }

    /// @dev `price` is 0 until fulfilled; `requestedAt` and `parametersVersion` are what the receipt must name.
    struct Request {
        address requester;
        uint64 deadline;
        uint32 callbackGas;
        address node;
        uint96 maxPrice;
        uint64 modelId;
        uint40 requestedAt;
        uint48 parametersVersion;
        uint96 price;
        Status status;
    }

    event InferenceRequested(
        bytes32 indexed id,
        address indexed node,
        address indexed requester,
        uint256 modelId,
        bytes promptCid,
        uint128 maxPrice,
        uint64 deadline,
        uint32 callbackGas
    );
    event InferenceFulfilled(
        bytes32 indexed id,
        address indexed node,
        address indexed requester,
        uint128 price,
        uint64 epoch,
        bytes32 receiptHash,
        bytes outputCid,
        Receipt receipt
    );
    /// @notice The requester's callback ran and returned, or failed; either way the result stays readable.
    event InferenceDelivered(bytes32 indexed id, bool success);
    event InferenceRefunded(bytes32 indexed id, address indexed requester, uint128 amount);

    error InferenceGatewayPaused();
    error InferenceGatewayZeroPrice();
    error InferenceGatewayDeadlineOutOfBounds(uint64 deadline, uint256 now, uint256 latest);
    error InferenceGatewayCallbackGasTooHigh(uint32 callbackGas, uint256 limit);
    error InferenceGatewayUnknownNode(address node);
    error InferenceGatewayModelNotLive(uint256 modelId);
    error InferenceGatewayUnknownRequest(bytes32 id);
    error InferenceGatewayNotPending(bytes32 id, Status status);
    error InferenceGatewayDeadlinePassed(bytes32 id, uint64 deadline);
    error InferenceGatewayDeadlineNotPassed(bytes32 id, uint64 deadline);
    error InferenceGatewayNotNode(bytes32 id, address caller, address node);
    error InferenceGatewayOtherRequest(bytes32 id, bytes32 channelId, bytes32 requestId);
    error InferenceGatewayOtherNode(bytes32 id, address node);
    error InferenceGatewayOtherModel(bytes32 id, uint256 modelId);
    error InferenceGatewayNotOneShot(bytes32 id, uint64 seq, uint128 cumulative, uint128 price);
    error InferenceGatewayOverPrice(bytes32 id, uint128 price, uint128 maxPrice);
    /// @notice More than the registry's price at the time of the request makes of the receipt's tokens.
    error InferenceGatewayOverQuote(bytes32 id, uint128 price, uint256 quote);
    error InferenceGatewayOtherTime(bytes32 id, uint64 requestedAt, uint64 issuedAt);
    error InferenceGatewayOtherParameters(bytes32 id, uint64 parametersVersion);
    error InferenceGatewayBadSignature(bytes32 id, address signer);
    /// @notice The transaction must bring enough gas for the whole callback.
    error InferenceGatewayGasTooLow(uint256 available, uint256 needed);

    /// @notice Escrows the caller's `maxPrice` OPEN for `node` to answer the prompt at `promptCid` with a model, while
    /// now < deadline. A caller with code is called back with `callbackGas`, at most the parameter "maxCallbackGas".
    function request(
        address node,
        uint256 modelId,
        bytes calldata promptCid,
        uint128 maxPrice,
        uint64 deadline,
        uint32 callbackGas
    ) external returns (bytes32 id);

    /// @notice Answers a pending request; by its node or a signer of it, with a receipt that such a one has signed. The
    /// receipt's price goes to the reward distributor in the node's name, the rest back to the requester.
    /// @return delivered Whether a callback ran and returned.
    function fulfil(bytes32 id, bytes calldata outputCid, Receipt calldata receipt, bytes calldata signature)
        external
        returns (bool delivered);

    /// @notice Pays an unanswered request's escrow back to its requester once now >= deadline; anyone may.
    function refund(bytes32 id) external;

    function requestCount() external view returns (uint256);

    /// @notice All zero for an unknown id.
    function getRequest(bytes32 id) external view returns (Request memory);

    /// @notice A fulfilled request's answer, whether or not its callback went well; empty before.
    function resultOf(bytes32 id) external view returns (bytes memory outputCid, bytes32 receiptHash, uint128 price);

    /// @notice The `requestId` of the receipt for a request: that of the idempotency key "" in channel `id`.
    function receiptRequestId(bytes32 id) external view returns (bytes32);
}
