// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {IEpochSettlement} from "../interfaces/IEpochSettlement.sol";
import {IGuardian} from "../interfaces/IGuardian.sol";
import {IInferenceConsumer} from "../interfaces/IInferenceConsumer.sol";
import {IInferenceGateway} from "../interfaces/IInferenceGateway.sol";
import {IModelRegistry} from "../interfaces/IModelRegistry.sol";
import {INodeStaking} from "../interfaces/INodeStaking.sol";
import {IOpenToken} from "../interfaces/IOpenToken.sol";
import {IProtocolParameters} from "../interfaces/IProtocolParameters.sol";
import {BoundedBytes} from "../libraries/BoundedBytes.sol";
import {Receipt} from "../libraries/ReceiptHash.sol";

/// @title Escrow of contracts' requests. Immutable and without owner; a pause stops new requests and nothing else.
/// @dev The requester's code runs last, when all money has moved and all state is written, with a gas limit fixed at the
/// request and without its return data being copied.
contract InferenceGateway is IInferenceGateway, ReentrancyGuardTransient {
    using SafeERC20 for IOpenToken;

    /// @dev Whatever is in it, money in escrow is free again after this.
    uint64 public constant MAX_DURATION = 30 days;
    /// @dev For making the call (a cold account's 2,600) and for the event after one that used up all it was given.
    uint256 private constant CALL_RESERVE = 10_000;
    bytes32 private constant TAG_ASK = keccak256("openledger.ask");
    bytes32 private constant TAG_REQUEST = keccak256("openledger.request");
    bytes32 private constant KEY_MAX_CALLBACK_GAS = keccak256("maxCallbackGas");

    struct Result {
        bytes32 receiptHash;
        bytes outputCid;
    }

    IOpenToken public immutable token;
    address public immutable distributor;
    IEpochSettlement public immutable settlement;
    INodeStaking public immutable staking;
    IModelRegistry public immutable models;
    IProtocolParameters public immutable parameters;
    IGuardian public immutable guardian;

    /// @inheritdoc IInferenceGateway
    uint256 public requestCount;

    mapping(bytes32 id => Request) private _requests;
    mapping(bytes32 id => Result) private _results;

    constructor(
        IOpenToken token_,
        address distributor_,
        IEpochSettlement settlement_,
        INodeStaking staking_,
        IModelRegistry models_,
        IProtocolParameters parameters_,
        IGuardian guardian_
    ) {
        token = token_;
        distributor = distributor_;
        settlement = settlement_;
        staking = staking_;
        models = models_;
        parameters = parameters_;
        guardian = guardian_;
    }

    /// @inheritdoc IInferenceGateway
    /// @dev Not guarded, so that a consumer may ask again from its callback; `fulfil` has written all it will by then.
    function request(
        address node,
        uint256 modelId,
        bytes calldata promptCid,
        uint128 maxPrice,
        uint64 deadline,
        uint32 callbackGas
    ) external returns (bytes32 id) {
        _checkTerms(node, modelId, maxPrice, deadline, callbackGas);
        BoundedBytes.checkCid(promptCid);
        // All that was asked is in the id: after a reorganisation a receipt answers the same question or none.
        id = keccak256(
            abi.encode(
                TAG_ASK,
                block.chainid,
                address(this),
                ++requestCount,
                msg.sender,
                node,
                modelId,
                keccak256(promptCid),
                maxPrice,
                deadline,
                callbackGas
            )
        );
        Request storage asked = _requests[id];
        (asked.requester, asked.deadline, asked.callbackGas) = (msg.sender, deadline, callbackGas);
        (asked.node, asked.maxPrice) = (node, SafeCast.toUint96(maxPrice));
        (asked.modelId, asked.requestedAt) = (SafeCast.toUint64(modelId), SafeCast.toUint40(block.timestamp));
        (asked.parametersVersion, asked.status) = (SafeCast.toUint48(parameters.version()), Status.Pending);
        emit InferenceRequested(id, node, msg.sender, modelId, promptCid, maxPrice, deadline, callbackGas);
        token.safeTransferFrom(msg.sender, address(this), maxPrice);
    }

    /// @inheritdoc IInferenceGateway
    function fulfil(bytes32 id, bytes calldata outputCid, Receipt calldata receipt, bytes calldata signature)
        external
        nonReentrant
        returns (bool delivered)
    {
        Request memory asked = _pending(id);
        require(block.timestamp < asked.deadline, InferenceGatewayDeadlinePassed(id, asked.deadline));
        // The receipt does not name the CID, so that only the node itself may pair the two.
        require(staking.isSigner(asked.node, msg.sender), InferenceGatewayNotNode(id, msg.sender, asked.node));
        BoundedBytes.checkCid(outputCid);
        _checkReceipt(id, asked, receipt);
        _checkPrice(id, asked, receipt);
        _checkSignature(id, receipt, signature);
        bytes32 receiptHash = settlement.receiptHash(receipt);
        asked.price = uint96(receipt.price);
        (_requests[id].status, _requests[id].price) = (Status.Fulfilled, asked.price);
        _results[id] = Result(receiptHash, outputCid);
        emit InferenceFulfilled(
            id,
            asked.node,
            asked.requester,
            asked.price,
            settlement.currentEpoch(),
            receiptHash,
            outputCid,
            receipt
        );
        _settle(asked);
        return _deliver(id, asked, outputCid, receiptHash);
    }

    /// @inheritdoc IInferenceGateway
    function refund(bytes32 id) external nonReentrant {
        Request memory asked = _pending(id);
        require(block.timestamp >= asked.deadline, InferenceGatewayDeadlineNotPassed(id, asked.deadline));
        _requests[id].status = Status.Refunded;
        emit InferenceRefunded(id, asked.requester, asked.maxPrice);
        token.safeTransfer(asked.requester, asked.maxPrice);
    }

    /// @inheritdoc IInferenceGateway
    function getRequest(bytes32 id) external view returns (Request memory) {
        return _requests[id];
    }

    /// @inheritdoc IInferenceGateway
    function resultOf(bytes32 id)
        external
        view
        returns (bytes memory outputCid, bytes32 receiptHash, uint128 price)
    {
        Result storage result = _results[id];
        return (result.outputCid, result.receiptHash, _requests[id].price);
    }

    /// @inheritdoc IInferenceGateway
    function receiptRequestId(bytes32 id) public pure returns (bytes32) {
        return keccak256(abi.encode(TAG_REQUEST, id, keccak256("")));
    }

    function _checkTerms(address node, uint256 modelId, uint128 maxPrice, uint64 deadline, uint32 callbackGas)
        private
        view
    {
        require(!guardian.isPaused(address(this)), InferenceGatewayPaused());
        require(maxPrice != 0, InferenceGatewayZeroPrice());
        uint256 latest = block.timestamp + MAX_DURATION;
        require(
            block.timestamp < deadline && deadline <= latest,
            InferenceGatewayDeadlineOutOfBounds(deadline, block.timestamp, latest)
        );
        uint256 limit = parameters.value(KEY_MAX_CALLBACK_GAS);
        require(callbackGas <= limit, InferenceGatewayCallbackGasTooHigh(callbackGas, limit));
        require(staking.isRegistered(node), InferenceGatewayUnknownNode(node));
        require(
            models.statusOf(modelId) == IModelRegistry.Status.Live, InferenceGatewayModelNotLive(modelId)
        );
    }

    function _pending(bytes32 id) private view returns (Request memory asked) {
        asked = _requests[id];
        require(asked.status != Status.None, InferenceGatewayUnknownRequest(id));
        require(asked.status == Status.Pending, InferenceGatewayNotPending(id, asked.status));
    }

    function _checkReceipt(bytes32 id, Request memory asked, Receipt calldata receipt) private pure {
        require(
            receipt.channelId == id && receipt.requestId == receiptRequestId(id),
            InferenceGatewayOtherRequest(id, receipt.channelId, receipt.requestId)
        );
        require(receipt.node == asked.node, InferenceGatewayOtherNode(id, receipt.node));
        require(receipt.modelId == asked.modelId, InferenceGatewayOtherModel(id, receipt.modelId));
        require(
            receipt.seq == 1 && receipt.cumulative == receipt.price,
            InferenceGatewayNotOneShot(id, receipt.seq, receipt.cumulative, receipt.price)
        );
        // Prices and splits are read at `requestedAt`, so that the node may not choose it.
        require(
            receipt.requestedAt == asked.requestedAt && asked.requestedAt <= receipt.issuedAt
                && receipt.issuedAt < asked.deadline,
            InferenceGatewayOtherTime(id, receipt.requestedAt, receipt.issuedAt)
        );
        require(
            receipt.parametersVersion == asked.parametersVersion,
            InferenceGatewayOtherParameters(id, receipt.parametersVersion)
        );
    }

    /// @dev Nobody signs a voucher for this price, so that it is held to the registry's here.
    function _checkPrice(bytes32 id, Request memory asked, Receipt calldata receipt) private view {
        require(receipt.price <= asked.maxPrice, InferenceGatewayOverPrice(id, receipt.price, asked.maxPrice));
        IModelRegistry.Price memory rates = models.priceAt(asked.modelId, asked.requestedAt);
        uint256 quote = Math.ceilDiv(uint256(receipt.promptTokens) * rates.inRate, 1_000)
            + Math.ceilDiv(uint256(receipt.outputTokens) * rates.outRate, 1_000) + rates.fixedPrice;
        require(receipt.price <= quote, InferenceGatewayOverQuote(id, receipt.price, quote));
    }

    function _checkSignature(bytes32 id, Receipt calldata receipt, bytes calldata signature) private view {
        (address signer,,) = ECDSA.tryRecoverCalldata(settlement.receiptDigest(receipt), signature);
        require(
            signer != address(0) && staking.isSigner(receipt.node, signer), InferenceGatewayBadSignature(id, signer)
        );
    }

    function _settle(Request memory asked) private {
        if (asked.price != 0) {
            staking.lockForFees(asked.node, asked.price);
            token.safeTransfer(distributor, asked.price);
            settlement.fund(asked.node, asked.price);
        }
        uint256 surplus = asked.maxPrice - asked.price;
        if (surplus != 0) token.safeTransfer(asked.requester, surplus);
    }

    function _deliver(bytes32 id, Request memory asked, bytes calldata outputCid, bytes32 receiptHash)
        private
        returns (bool success)
    {
        address requester = asked.requester;
        uint256 limit = asked.callbackGas;
        if (limit == 0 || requester.code.length == 0) return false;
        bytes memory data =
            abi.encodeCall(IInferenceConsumer.onInference, (id, outputCid, receiptHash, asked.price));
        uint256 available = gasleft();
        // A call gets at most 63/64 of what is left (EIP-150), silently: the node could otherwise let it starve.
        require(
            available - available / 64 >= limit + CALL_RESERVE,
            InferenceGatewayGasTooLow(available, limit + CALL_RESERVE)
        );
        // No output area: a requester cannot make the node pay for copying what it returns.
        assembly ("memory-safe") {
            success := call(limit, requester, 0, add(data, 0x20), mload(data), 0, 0)
        }
        emit InferenceDelivered(id, success);
    }
}
