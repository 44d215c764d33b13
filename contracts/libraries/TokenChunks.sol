// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

import {OpenMerkle} from "./OpenMerkle.sol";

/// @dev 32 token ids of an output, big-endian, and their place among its chunks.
struct OutputChunk {
    bytes32[4] ids;
    OpenMerkle.Proof proof;
}

/// @dev 32 token ids of a row: chunk `place` of a row of `length` tokens.
struct RowChunk {
    uint256 row;
    uint256 place;
    uint256 length;
    bytes32[4] ids;
    OpenMerkle.Proof proof;
}

/// @title Token ids in chunks of 32, the unit that a span is checked against. Python twin: protocol/tokens.py.
library TokenChunks {
    bytes32 internal constant TAG_CHUNK = keccak256("openledger.chunk");
    bytes32 internal constant TAG_OUTPUT = keccak256("openledger.output");
    bytes32 internal constant TAG_ROW_CHUNK = keccak256("openledger.row_chunk");

    /// @dev Digest of one token sequence: the root over its chunks, and how many tokens it has.
    function outputRoot(bytes32 chunksRoot, uint256 count) internal pure returns (bytes32) {
        return keccak256(abi.encode(TAG_OUTPUT, chunksRoot, count));
    }

    function isIn(OutputChunk calldata chunk, bytes32 chunksRoot) internal pure returns (bool) {
        return OpenMerkle.verify(keccak256(abi.encode(TAG_CHUNK, chunk.ids)), chunk.proof, chunksRoot);
    }

    function isIn(RowChunk calldata chunk, bytes32 chunksRoot) internal pure returns (bool) {
        bytes32 payload =
            keccak256(abi.encode(TAG_ROW_CHUNK, chunk.row, chunk.place, chunk.length, chunk.ids));
        return OpenMerkle.verify(payload, chunk.proof, chunksRoot);
    }

    /// @dev The token at `place` of the whole sequence, which must be within this chunk.
    function idAt(bytes32[4] calldata ids, uint256 place) internal pure returns (uint256) {
        return uint32(uint256(ids[place % 32 / 8]) >> (224 - place % 8 * 32));
    }
}
