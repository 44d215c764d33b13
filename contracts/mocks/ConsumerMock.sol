// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

import {IInferenceConsumer} from "../interfaces/IInferenceConsumer.sol";
import {IInferenceGateway} from "../interfaces/IInferenceGateway.sol";
import {IOpenToken} from "../interfaces/IOpenToken.sol";

/// @title A requester that behaves as a test tells it when its answer comes. Never deployed with the suite.
contract ConsumerMock is IInferenceConsumer {
    enum Mode {
        Accept,
        Revert,
        BurnGas,
        ReturnBomb,
        RevertBomb,
        CallGateway
    }

    error ConsumerMockRefused();

    IInferenceGateway public immutable gateway;
    Mode public mode;
    bytes public next;
    uint256 public seenGas;
    bytes32 public seenId;
    bytes public answered;

    constructor(IInferenceGateway gateway_, IOpenToken token) {
        gateway = gateway_;
        token.approve(address(gateway_), type(uint256).max);
    }

    function setMode(Mode mode_, bytes calldata next_) external {
        (mode, next) = (mode_, next_);
    }

    function ask(
        address node,
        uint256 modelId,
        bytes calldata promptCid,
        uint128 maxPrice,
        uint64 deadline,
        uint32 callbackGas
    ) external returns (bytes32) {
        return gateway.request(node, modelId, promptCid, maxPrice, deadline, callbackGas);
    }

    function onInference(bytes32 id, bytes calldata, bytes32, uint128) external {
        uint256 gasAtEntry = gasleft();
        if (mode == Mode.Revert) revert ConsumerMockRefused();
        if (mode == Mode.BurnGas) {
            assembly ("memory-safe") {
                for {} 1 {} {}
            }
        }
        if (mode == Mode.ReturnBomb || mode == Mode.RevertBomb) _bomb(mode == Mode.RevertBomb);
        // slither-disable-next-line low-level-calls
        if (mode == Mode.CallGateway) (, answered) = address(gateway).call(next);
        (seenGas, seenId) = (gasAtEntry, id);
    }

    /// @dev As much memory as the call's gas can pay for.
    function _bomb(bool reverting) private pure {
        assembly ("memory-safe") {
            let size := 150000
            if reverting { revert(0, size) }
            return(0, size)
        }
    }
}
