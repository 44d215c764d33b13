// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {IEpochSettlement} from "../interfaces/IEpochSettlement.sol";
import {IFaultJudge} from "../interfaces/IFaultJudge.sol";
import {INodeStaking} from "../interfaces/INodeStaking.sol";
import {IProtocolParameters} from "../interfaces/IProtocolParameters.sol";

/// @title Base of the judges of objective faults. Holds no money; what is proven is void and slashed at once.
abstract contract FaultJudge is IFaultJudge {
    bytes32 private constant TAG_SEAL = keccak256("openledger.seal");
    bytes32 private constant FAULT_SLASH_PPM = keccak256("faultSlashPpm");
    uint256 internal constant TOTAL_PPM = 1_000_000;

    INodeStaking public immutable staking;
    IEpochSettlement public immutable settlement;
    IProtocolParameters public immutable parameters;

    /// @inheritdoc IFaultJudge
    mapping(bytes32 digest => uint256 blockNumber) public sealedAt;

    constructor(INodeStaking staking_, IEpochSettlement settlement_, IProtocolParameters parameters_) {
        staking = staking_;
        settlement = settlement_;
        parameters = parameters_;
    }

    /// @inheritdoc IFaultJudge
    function seal(bytes32 digest) external {
        // A digest that someone else sealed first seals the same call of the same challenger.
        if (sealedAt[digest] != 0) return;
        sealedAt[digest] = block.number;
        emit Sealed(digest, block.number);
    }

    /// @inheritdoc IFaultJudge
    function sealDigest(address challenger, bytes calldata proof) public pure returns (bytes32) {
        return keccak256(abi.encode(TAG_SEAL, challenger, keccak256(proof)));
    }

    /// @dev Voids the statement and slashes its node. A statement is void once and never stated again, so it is slashed
    /// once for all its faults; the settlement refuses one that is final, void or absent.
    function _punishStatement(uint64 epoch, address node, bytes32 kind) internal {
        settlement.voidStatement(epoch, node);
        _punish(epoch, node, kind);
    }

    /// @dev Voids the commitment, and those built on it, and slashes its committer. The next commitment of the epoch can
    /// be proven wrong again.
    function _punishCommitment(uint64 epoch, bytes32 kind) internal {
        address committer = settlement.getCommitment(epoch).committer;
        settlement.voidCommitment(epoch);
        _punish(epoch, committer, kind);
    }

    /// @dev Slashes the share of `node`'s stake that the parameter `shareKey` (ppm) says.
    function _slash(address node, bytes32 shareKey) internal returns (address beneficiary, uint256 slashed) {
        uint256 share = parameters.value(shareKey);
        uint256 amount = Math.mulDiv(staking.slashableStake(node), share, TOTAL_PPM);
        beneficiary = _beneficiary();
        slashed = staking.slash(node, SafeCast.toUint128(amount), beneficiary);
    }

    function _punish(uint64 epoch, address node, bytes32 kind) private {
        (address beneficiary, uint256 slashed) = _slash(node, FAULT_SLASH_PPM);
        // Without the challenger, so that one fault has one id whoever proves it.
        bytes32 faultId = keccak256(abi.encode(kind, epoch, node));
        emit FaultProven(faultId, kind, node, epoch, beneficiary, slashed);
    }

    function _beneficiary() private view returns (address) {
        uint256 sealedIn = sealedAt[sealDigest(msg.sender, msg.data)];
        return sealedIn != 0 && sealedIn < block.number ? msg.sender : address(0);
    }
}
