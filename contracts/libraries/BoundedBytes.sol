// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

/// @title Length bounds of caller-given bytes, so that no event or record can be made arbitrarily dear to read.
library BoundedBytes {
    /// @dev A binary CIDv1 has 36 bytes, its base32 text 59.
    uint256 internal constant MAX_CID = 96;
    uint256 internal constant MAX_TEXT = 64;

    error BoundedBytesTooLong(uint256 length, uint256 limit);
    error BoundedBytesEmpty();

    function checkCid(bytes calldata cid) internal pure {
        _check(cid.length, MAX_CID);
    }

    function checkOptionalCid(bytes calldata cid) internal pure {
        if (cid.length != 0) _check(cid.length, MAX_CID);
    }

    function checkText(string calldata text) internal pure {
        _check(bytes(text).length, MAX_TEXT);
    }

    function _check(uint256 length, uint256 limit) private pure {
        require(length != 0, BoundedBytesEmpty());
        require(length <= limit, BoundedBytesTooLong(length, limit));
    }
}
