// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

/// @title What the judges of objective faults share: one transaction, no bond; a wrong proof reverts.
/// @notice Half of what a proof slashes is burnt. The other half goes to its prover only if the prover sealed this very
/// proof in an earlier block; else it is burnt as well, so that whoever copies a proof from the mempool gains nothing.
interface IFaultJudge {
    event Sealed(bytes32 indexed digest, uint256 blockNumber);
    /// @notice `kind` is the tag of the fault, `faultId` binds it to its epoch and node and not to its prover. `slashed`
    /// is in wei; `beneficiary` is 0 where all of it was burnt.
    event FaultProven(
        bytes32 indexed faultId,
        bytes32 indexed kind,
        address indexed node,
        uint64 epoch,
        address beneficiary,
        uint256 slashed
    );

    /// @notice Records the digest of a proof to come; the first record of a digest stays.
    function seal(bytes32 digest) external;

    /// @notice The digest that seals the call `proof` (its whole calldata) for `challenger`.
    function sealDigest(address challenger, bytes calldata proof) external pure returns (bytes32);

    /// @notice The block in which a digest was sealed; 0 for never.
    function sealedAt(bytes32 digest) external view returns (uint256 blockNumber);
}
