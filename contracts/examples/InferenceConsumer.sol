// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {IInferenceConsumer} from "../interfaces/IInferenceConsumer.sol";
import {IInferenceGateway} from "../interfaces/IInferenceGateway.sol";
import {IOpenToken} from "../interfaces/IOpenToken.sol";

/// @title Example: a contract that asks models for its users, keeps the answers and gives back what was not spent.
/// @notice Shows the three ways a request ends: the callback closes it; or, if that failed, anyone closes it from what the
/// gateway keeps; or it was refunded and its asker gets all back.
contract InferenceConsumer is IInferenceConsumer {
    using SafeERC20 for IOpenToken;

    struct Question {
        address asker;
        uint96 paid;
        bytes32 receiptHash;
        bytes answerCid;
    }

    IInferenceGateway public immutable gateway;
    IOpenToken public immutable token;
    /// @dev `onInference` uses about 130,000 with a CID of 36 bytes.
    uint32 public immutable callbackGas;

    mapping(bytes32 id => Question) private _questions;

    event Asked(bytes32 indexed id, address indexed asker);
    event Answered(bytes32 indexed id, bytes answerCid, uint256 returned);
    event Unanswered(bytes32 indexed id, uint256 returned);

    error InferenceConsumerNotGateway(address caller);
    error InferenceConsumerNotOpen(bytes32 id);
    error InferenceConsumerStillPending(bytes32 id);

    constructor(IInferenceGateway gateway_, IOpenToken token_, uint32 callbackGas_) {
        gateway = gateway_;
        token = token_;
        callbackGas = callbackGas_;
    }

    /// @notice Asks `node` with the caller's OPEN; the caller has approved this contract for `maxPrice`.
    function ask(address node, uint256 modelId, bytes calldata promptCid, uint96 maxPrice, uint64 deadline)
        external
        returns (bytes32 id)
    {
        token.safeTransferFrom(msg.sender, address(this), maxPrice);
        token.forceApprove(address(gateway), maxPrice);
        id = gateway.request(node, modelId, promptCid, maxPrice, deadline, callbackGas);
        (_questions[id].asker, _questions[id].paid) = (msg.sender, maxPrice);
        emit Asked(id, msg.sender);
    }

    /// @inheritdoc IInferenceConsumer
    function onInference(bytes32 id, bytes calldata outputCid, bytes32 receiptHash, uint128 price) external {
        require(msg.sender == address(gateway), InferenceConsumerNotGateway(msg.sender));
        _answer(id, outputCid, receiptHash, price);
    }

    /// @notice Closes a question whose callback failed or whose request was refunded; anyone may.
    function collect(bytes32 id) external {
        IInferenceGateway.Status status = gateway.getRequest(id).status;
        if (status == IInferenceGateway.Status.Fulfilled) {
            (bytes memory outputCid, bytes32 receiptHash, uint128 price) = gateway.resultOf(id);
            _answer(id, outputCid, receiptHash, price);
            return;
        }
        require(status == IInferenceGateway.Status.Refunded, InferenceConsumerStillPending(id));
        (address asker, uint256 paid) = _close(id);
        emit Unanswered(id, paid);
        token.safeTransfer(asker, paid);
    }

    /// @notice A question's asker, answer and receipt; no answer while it is open.
    function getQuestion(bytes32 id) external view returns (Question memory) {
        return _questions[id];
    }

    function _answer(bytes32 id, bytes memory outputCid, bytes32 receiptHash, uint128 price) private {
        (address asker, uint256 paid) = _close(id);
        (_questions[id].answerCid, _questions[id].receiptHash) = (outputCid, receiptHash);
        uint256 returned = paid - price;
        emit Answered(id, outputCid, returned);
        if (returned != 0) token.safeTransfer(asker, returned);
    }

    /// @dev `paid` marks a question as open, so that it is closed and repaid once.
    function _close(bytes32 id) private returns (address asker, uint256 paid) {
        Question storage question = _questions[id];
        (asker, paid) = (question.asker, question.paid);
        require(paid != 0, InferenceConsumerNotOpen(id));
        question.paid = 0;
    }
}
