// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

enum LabourKind {
    None,
    Cleaning,
    Review,
    Evaluation,
    Prompts,
    Retrieval,
    Recipe
}

/// @dev A piece of work at `workCid`. `parents` are accepted records of the same Datanet that it builds on; each is
/// passed `parentsPpm` of what this one earns.
struct Labour {
    uint256 datanetId;
    address account;
    LabourKind kind;
    bytes workCid;
    uint256[] parents;
    uint32[] parentsPpm;
    uint64 deadline;
}

/// @title EIP-712 struct hash of labour. Python twin: protocol/labour.py.
library LabourHash {
    bytes32 internal constant TYPEHASH = keccak256(
        "Labour(uint256 datanetId,address account,uint8 kind,bytes workCid,uint256[] parents,uint32[] parentsPpm,"
        "uint64 deadline)"
    );

    /// @dev EIP-712 hashes an array as its elements' words in a row; `encodePacked` of one array is exactly that.
    function hashStruct(Labour calldata labour) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(
                TYPEHASH,
                labour.datanetId,
                labour.account,
                labour.kind,
                keccak256(labour.workCid),
                keccak256(abi.encodePacked(labour.parents)),
                keccak256(abi.encodePacked(labour.parentsPpm)),
                labour.deadline
            )
        );
    }
}
