"""The golden cases in tests/vectors: inputs and what the rules make of them, for Python and Solidity alike.

Everything is deterministic: inputs come from counters and keccak, outputs from `protocol`. Integers that may
pass 2^53-1 are decimal strings, bytes are 0x-hex, proofs have the field names of the Solidity structs.
"""
