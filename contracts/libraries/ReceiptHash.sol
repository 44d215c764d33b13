// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

/// @dev One answered request, signed by its node. Field meanings and order: docs/SPEC.md, protocol/receipt.py.
struct Receipt {
    bytes32 requestId;
    bytes32 channelId;
    uint64 seq;
    uint256 modelId;
    uint256 datanetVersionKey;
    bytes32 promptDigest;
    bytes32 outputRoot;
    bytes32 attributionRoot;
    bytes32 methodId;
    bytes32 profileId;
    uint64 parametersVersion;
    uint32 promptTokens;
    uint32 outputTokens;
    uint128 price;
    uint128 cumulative;
    address node;
    uint64 requestedAt;
    uint64 issuedAt;
}

/// @title EIP-712 struct hash of a receipt. Python twin: protocol/receipt.py.
library ReceiptHash {
    bytes32 internal constant TYPEHASH = keccak256(
        "Receipt(bytes32 requestId,bytes32 channelId,uint64 seq,uint256 modelId,uint256 datanetVersionKey,"
        "bytes32 promptDigest,bytes32 outputRoot,bytes32 attributionRoot,bytes32 methodId,bytes32 profileId,"
        "uint64 parametersVersion,uint32 promptTokens,uint32 outputTokens,uint128 price,uint128 cumulative,"
        "address node,uint64 requestedAt,uint64 issuedAt)"
    );

    /// @dev Every field is one static word, so the struct's own encoding is the field list EIP-712 asks for.
    function hashStruct(Receipt calldata receipt) internal pure returns (bytes32) {
        return keccak256(abi.encode(TYPEHASH, receipt));
    }
}
