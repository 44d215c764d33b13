// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

/// @dev A payment channel's fixed terms; their EIP-712 digest is the channel's id.
struct Channel {
    address payer;
    address payee;
    uint64 withdrawDelay;
    bytes32 salt;
}

/// @dev The payer's cumulative promise over a channel, acknowledging receipts 1..receiptCount.
struct Voucher {
    bytes32 channelId;
    uint128 cumulative;
    uint64 receiptCount;
    bytes32 receiptsRoot;
    uint64 validBefore;
}

/// @title EIP-712 struct hashes of channels and vouchers. Python twin: protocol/receipt.py.
library VoucherHash {
    bytes32 internal constant CHANNEL_TYPEHASH =
        keccak256("Channel(address payer,address payee,uint64 withdrawDelay,bytes32 salt)");
    bytes32 internal constant VOUCHER_TYPEHASH = keccak256(
        "Voucher(bytes32 channelId,uint128 cumulative,uint64 receiptCount,bytes32 receiptsRoot,uint64 validBefore)"
    );

    function hashChannel(Channel calldata channel) internal pure returns (bytes32) {
        return keccak256(abi.encode(CHANNEL_TYPEHASH, channel));
    }

    function hashVoucher(Voucher calldata voucher) internal pure returns (bytes32) {
        return keccak256(abi.encode(VOUCHER_TYPEHASH, voucher));
    }
}
