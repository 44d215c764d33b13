// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

/// @dev A manifest's row as its version's rowsRoot holds it: `cluster` is the index of its canonical row, `granted`
/// whether the version stands on its owner's consent.
struct Row {
    bytes32 digest;
    address owner;
    uint256 cluster;
    bool granted;
}

/// @title Payloads of the trees over rows. Python twins: protocol/manifest.py and protocol/contribution.py.
library RowHash {
    bytes32 internal constant TAG_ROW = keccak256("openledger.row");
    bytes32 internal constant TAG_BATCH_ROW = keccak256("openledger.batch_row");

    /// @dev Payload of a version's rowsRoot, in the order of the manifest's rows.
    function version(Row calldata row) internal pure returns (bytes32) {
        return keccak256(abi.encode(TAG_ROW, row));
    }

    /// @dev Payload of a contribution's batchRoot. It binds the contributor, so that a root copied from someone
    /// else's pending transaction proves nothing for its copier.
    function batch(address contributor, bytes32 digest) internal pure returns (bytes32) {
        return keccak256(abi.encode(TAG_BATCH_ROW, contributor, digest));
    }
}
