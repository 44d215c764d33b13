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

    /// @dev In assembly, because a batch hashes one voucher after the other: the five words as they are in the call data.
    /// Whoever uses a field reads it by its type, which refuses what does not fit.
    function hashVoucher(Voucher calldata voucher) internal pure returns (bytes32) {
        bytes32 typehash = VOUCHER_TYPEHASH;
        bytes32 digest;
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, typehash)
            calldatacopy(add(free, 0x20), voucher, 0xa0)
            digest := keccak256(free, 0xc0)
        }
        return digest;
    }
}
