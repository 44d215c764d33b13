// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

/// @title The exact score of a row of an attribution index under the code of an answer.
/// @dev Code: checkpoints u8, width u32, losses u16, a weight u32 for each checkpoint and one for the losses where there
/// are any, int8 numbers by checkpoint, then those of the losses. Record: row u32, flags u8, for each checkpoint a
/// magnitude u16 and its sign bits, then, where there are losses, their magnitude u16 and the losses, four bits each plus
/// 8. Python twin: protocol/query_code.py; both are held to tests/vectors.
library ScoreMath {
    bytes32 internal constant TAG_INDEX_ROW = keccak256("openledger.index_row");
    uint256 internal constant INFORMATIVE = 1;
    uint256 internal constant DECOY = 2;
    uint256 private constant HEAD_BYTES = 7;
    uint256 private constant ROW_BYTES = 5;
    uint256 private constant MAX_CODE_BYTES = 2 ** 18;
    /// @dev The same byte, or pair of bytes, over a whole word.
    uint256 private constant BYTES = type(uint256).max / 255;
    uint256 private constant PAIRS = type(uint256).max / 65_535;
    /// @dev Bit 7 of the first byte, bit 6 of the second, …, again from the ninth on.
    uint256 private constant DIAGONAL = 0x8040201008040201 * (type(uint256).max / type(uint64).max);

    struct Shape {
        uint256 checkpoints;
        uint256 width;
        uint256 losses;
    }

    function payload(bytes calldata record) internal pure returns (bytes32) {
        return keccak256(bytes.concat(TAG_INDEX_ROW, record));
    }

    function rowOf(bytes calldata record) internal pure returns (uint256) {
        return uint32(bytes4(record[:4]));
    }

    /// @dev Whether a row may earn: not one of those that questions do not predict, and not a decoy.
    function isEarning(bytes calldata record) internal pure returns (bool) {
        return uint8(record[4]) & (INFORMATIVE | DECOY) == INFORMATIVE;
    }

    /// @dev The score of a record; `fits` is false where the code is malformed or the record of another shape.
    function scoreOf(bytes calldata code, bytes calldata record) internal pure returns (bool fits, int256 score) {
        Shape memory shape;
        (fits, shape) = _shapeOf(code);
        uint256 size = 2 + shape.width / 8;
        uint256 tail = ROW_BYTES + shape.checkpoints * size;
        if (!fits || record.length != tail + (shape.losses == 0 ? 0 : 2 + shape.losses / 2)) return (false, 0);
        uint256 numbers = _numbersFrom(shape);
        for (uint256 i = 0; i < shape.checkpoints; ++i) {
            bytes calldata part = record[ROW_BYTES + i * size:];
            uint256 start = numbers + i * shape.width;
            int256 sum = _signedSum(code[start:start + shape.width], part[2:size]);
            score += int256(_weightAt(code, i) * uint16(bytes2(part[:2]))) * sum;
        }
        if (shape.losses != 0) {
            bytes calldata losses = record[tail:];
            int256 sum = _lossSum(code[numbers + shape.checkpoints * shape.width:], losses[2:]);
            score += int256(_weightAt(code, shape.checkpoints) * uint16(bytes2(losses[:2]))) * sum;
        }
    }

    function _shapeOf(bytes calldata code) private pure returns (bool, Shape memory shape) {
        if (code.length <= HEAD_BYTES || code.length > MAX_CODE_BYTES) return (false, shape);
        shape = Shape(uint8(code[0]), uint32(bytes4(code[1:5])), uint16(bytes2(code[5:7])));
        if (shape.checkpoints == 0 || shape.checkpoints > 16) return (false, shape);
        if (shape.width == 0 || shape.width > 65_536 || shape.width % 64 != 0) return (false, shape);
        if (shape.losses > 256 || shape.losses % 2 != 0) return (false, shape);
        return (code.length == _numbersFrom(shape) + shape.checkpoints * shape.width + shape.losses, shape);
    }

    /// @dev Where the int8 numbers begin, after head and weights.
    function _numbersFrom(Shape memory shape) private pure returns (uint256) {
        return HEAD_BYTES + 4 * (shape.checkpoints + (shape.losses == 0 ? 0 : 1));
    }

    function _weightAt(bytes calldata code, uint256 place) private pure returns (uint256) {
        return uint32(bytes4(code[HEAD_BYTES + 4 * place:]));
    }

    /// @dev Sum of the int8 numbers, each with the sign that its bit says (1 is plus): 32 numbers a step. Biased by 128
    /// they are plain bytes, so that those with a set bit add up by pairs within one word.
    function _signedSum(bytes calldata values, bytes calldata signs) private pure returns (int256) {
        uint256 all = 0;
        uint256 plus = 0;
        uint256 count = 0;
        // Neither sums of at most 65,536 bytes nor products within a word overflow.
        unchecked {
            for (uint256 i = 0; i < values.length; i += 32) {
                uint256 word;
                uint256 bits;
                assembly ("memory-safe") {
                    word := calldataload(add(values.offset, i))
                    bits := shr(224, calldataload(add(signs.offset, shr(3, i))))
                }
                word ^= BYTES << 7;
                // Each byte of bits into the lowest byte of eight, then over all eight, then one bit of each.
                bits = (bits & 0xff000000) << 168 | (bits & 0xff0000) << 112 | (bits & 0xff00) << 56 | (bits & 0xff);
                bits = bits * (type(uint64).max / 255) & DIAGONAL;
                uint256 ones = (bits + BYTES * 0x7f) >> 7 & BYTES;
                all += _sumOfBytes(word);
                plus += _sumOfBytes(word & ones * 0xff);
                count += _sumOfBytes(ones);
            }
            return int256(2 * plus) - int256(all) - 128 * (int256(2 * count) - int256(values.length));
        }
    }

    function _sumOfBytes(uint256 word) private pure returns (uint256) {
        unchecked {
            return ((word & PAIRS * 255) + (word >> 8 & PAIRS * 255)) * PAIRS >> 240;
        }
    }

    function _lossSum(bytes calldata values, bytes calldata losses) private pure returns (int256 sum) {
        // At most 256 products of 4 and 8 bits.
        unchecked {
            for (uint256 i = 0; i < losses.length; ++i) {
                uint256 pair = uint8(losses[i]);
                sum += (int256(pair >> 4) - 8) * int8(uint8(values[2 * i]));
                sum += (int256(pair & 15) - 8) * int8(uint8(values[2 * i + 1]));
            }
        }
    }
}
