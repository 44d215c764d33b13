// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {IEpochSettlement} from "../interfaces/IEpochSettlement.sol";
import {IFaultProofs} from "../interfaces/IFaultProofs.sol";
import {INodeStaking} from "../interfaces/INodeStaking.sol";
import {IProtocolParameters} from "../interfaces/IProtocolParameters.sol";
import {Receipt} from "../libraries/ReceiptHash.sol";
import {FaultJudge} from "./FaultJudge.sol";

/// @title Judge of equivocation (F7). A signature is a fault by itself, so nothing is void: the node alone pays.
contract FaultProofs is IFaultProofs, FaultJudge {
    bytes32 private constant TAG_REQUEST_FAULT = keccak256("openledger.fault_request");
    bytes32 private constant TAG_SEQ_FAULT = keccak256("openledger.fault_seq");
    bytes32 private constant SLASH_PPM = keccak256("equivocationSlashPpm");

    /// @inheritdoc IFaultProofs
    mapping(bytes32 faultId => bool) public isProven;

    constructor(INodeStaking staking_, IEpochSettlement settlement_, IProtocolParameters parameters_)
        FaultJudge(staking_, settlement_, parameters_)
    {}

    /// @inheritdoc IFaultProofs
    function proveEquivocation(
        Receipt calldata a,
        bytes calldata signatureA,
        Receipt calldata b,
        bytes calldata signatureB
    ) external returns (uint256 slashed) {
        require(a.node == b.node, FaultProofsNodesDiffer(a.node, b.node));
        bytes32 hashA = settlement.receiptHash(a);
        bytes32 hashB = settlement.receiptHash(b);
        require(hashA != hashB, FaultProofsSameReceipt(hashA));
        bytes32 faultId = _faultId(a, b);
        require(!isProven[faultId], FaultProofsAlreadyProven(faultId));
        _checkSigned(a, signatureA);
        _checkSigned(b, signatureB);
        isProven[faultId] = true;
        address beneficiary;
        (beneficiary, slashed) = _slash(a.node, SLASH_PPM);
        emit EquivocationProven(a.node, faultId, beneficiary, hashA, hashB, slashed);
    }

    /// @dev Without the challenger, so that one fault is slashed once whoever proves it.
    function _faultId(Receipt calldata a, Receipt calldata b) private pure returns (bytes32) {
        if (a.requestId == b.requestId) return keccak256(abi.encode(TAG_REQUEST_FAULT, a.node, a.requestId));
        require(
            a.channelId == b.channelId && a.seq == b.seq, FaultProofsNoConflict(a.requestId, b.requestId)
        );
        return keccak256(abi.encode(TAG_SEQ_FAULT, a.node, a.channelId, a.seq));
    }

    function _checkSigned(Receipt calldata receipt, bytes calldata signature) private view {
        (address signer,,) = ECDSA.tryRecover(settlement.receiptDigest(receipt), signature);
        require(
            signer != address(0) && staking.wasSigner(receipt.node, signer),
            FaultProofsNotSigner(receipt.node, signer)
        );
    }
}
