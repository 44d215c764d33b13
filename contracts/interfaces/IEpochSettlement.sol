// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

import {OpenSumTree} from "../libraries/OpenSumTree.sol";
import {Receipt} from "../libraries/ReceiptHash.sol";

/// @title From the claims of an epoch to a final root of what everyone has earned.
/// @notice In an epoch channels fund nodes. When it is over each node states who earns its funds, then one bonded node
/// commits the roots of all statements. A commitment adds to the last one exactly what was stated, which is checked
/// here, so that over-allocation is impossible even if nobody watches. It is final after the challenge window.
interface IEpochSettlement {
    /// @dev All times in seconds; `bond` in wei of OPEN.
    struct Settings {
        uint64 genesis;
        uint64 epochLength;
        uint64 challengeWindow;
        uint128 bond;
    }

    struct Statement {
        bytes32 root;
        bytes32 receiptsRoot;
        uint128 total;
        uint32 count;
        uint64 publishedAt;
    }

    /// @dev `cumRoot` binds, by its record, its count and `total`: all that was ever earned, this epoch included.
    struct Commitment {
        uint64 epoch;
        bytes32 prevCumRoot;
        bytes32 receiptsRoot;
        bytes32 entryRoot;
        bytes32 cumRoot;
        uint128 total;
        bytes dataCid;
    }

    struct CommitmentRecord {
        bytes32 receiptsRoot;
        bytes32 entryRoot;
        bytes32 cumRoot;
        uint128 total;
        uint128 bond;
        address committer;
        uint64 committedAt;
        bool isFinal;
    }

    event EpochFunded(uint64 indexed epoch, address indexed node, uint128 amount);
    event FundsRolledOver(uint64 indexed fromEpoch, uint64 indexed toEpoch, address indexed node, uint128 amount);
    event StatementPublished(
        uint64 indexed epoch,
        address indexed node,
        bytes32 root,
        uint32 count,
        uint256 total,
        bytes32 receiptsRoot,
        bytes cid
    );
    event EpochCommitted(
        uint64 indexed epoch,
        address indexed committer,
        bytes32 receiptsRoot,
        bytes32 entryRoot,
        bytes32 cumRoot,
        uint128 total,
        bytes dataCid
    );
    event EpochFinalized(uint64 indexed epoch, bytes32 cumRoot, uint128 total);
    event ReceiptSubmitted(
        bytes32 indexed requestId, bytes32 indexed channelId, address indexed node, bytes32 receiptHash, Receipt receipt
    );

    error EpochSettlementNotStarted(uint64 genesis);
    error EpochSettlementBadSettings(uint64 epochLength, uint64 challengeWindow);
    error EpochSettlementNotChannels(address caller);
    error EpochSettlementEpochNotOver(uint64 epoch, uint64 current);
    error EpochSettlementNodeNotRegistered(address node);
    error EpochSettlementAlreadyStated(uint64 epoch, address node);
    error EpochSettlementNothingFunded(uint64 epoch, address node);
    error EpochSettlementStatementTotal(uint64 epoch, address node, uint256 stated, uint256 funded);
    /// @notice The epoch takes no statements any more; its unstated funds roll over.
    error EpochSettlementClosed(uint64 epoch);
    error EpochSettlementStillOpen(uint64 epoch);
    error EpochSettlementNotStaked(address node);
    /// @notice Stated epochs are committed in their order, none left out.
    error EpochSettlementOutOfOrder(uint64 epoch, uint64 expected);
    error EpochSettlementNothingStated(uint64 epoch);
    /// @notice Some funds are unstated, and nodes may still state them until `until`.
    error EpochSettlementStatementsOpen(uint64 epoch, uint64 until);
    error EpochSettlementPreviousRoot(bytes32 given, bytes32 expected);
    error EpochSettlementSolvency(uint256 total, uint256 previousTotal, uint256 stated);
    error EpochSettlementUnknownCommitment(uint64 epoch);
    error EpochSettlementAlreadyFinal(uint64 epoch);
    error EpochSettlementWindowOpen(uint64 epoch, uint64 until);
    error EpochSettlementPreviousNotFinal(uint64 epoch, uint64 previous);
    error EpochSettlementNotSigner(address node, address signer);
    error EpochSettlementReceiptKnown(bytes32 receiptHash);

    /// @notice Records `amount` that the channels have just moved to the distributor in a node's name.
    function fund(address node, uint128 amount) external returns (uint64 epoch);

    /// @notice States who earns the calling node's funds of an epoch that is over: `root` is the sum root of its lines,
    /// whose total must be exactly what was funded; the statement itself is at `cid`. By the node or its signer.
    function publishStatement(
        uint64 epoch,
        bytes32 root,
        uint32 count,
        uint256 total,
        bytes32 receiptsRoot,
        bytes calldata cid
    ) external;

    /// @notice Moves the calling node's unstated funds of a closed epoch to the current one.
    function rollover(uint64 epoch) external;

    /// @notice Commits the next stated epoch; bonded by the caller, which must be a staked node or its signer.
    function commit(Commitment calldata commitment) external;

    /// @notice Makes a commitment final once its window is over and its predecessor is final; returns the bond.
    function finalize(uint64 epoch) external;

    /// @notice Puts one signed receipt on record.
    function submitReceipt(Receipt calldata receipt, bytes calldata signature) external;

    function currentEpoch() external view returns (uint64);

    function genesis() external view returns (uint64);

    function epochLength() external view returns (uint64);

    function challengeWindow() external view returns (uint64);

    function bond() external view returns (uint128);

    /// @notice What channels moved in `node`'s name during `epoch`, less what rolled over.
    function funded(uint64 epoch, address node) external view returns (uint256);

    function fundedTotal(uint64 epoch) external view returns (uint256);

    function statedTotal(uint64 epoch) external view returns (uint256);

    function getStatement(uint64 epoch, address node) external view returns (Statement memory);

    /// @notice The stated epoch that must be committed next; `exists` is false when none waits.
    function nextToCommit() external view returns (bool exists, uint64 epoch);

    /// @notice All zero for an epoch without commitment.
    function getCommitment(uint64 epoch) external view returns (CommitmentRecord memory);

    /// @notice The last commitment, final or not; all zero before the first.
    function latestCommitted() external view returns (uint64 epoch, bytes32 cumRoot, uint128 total);

    /// @notice The last final commitment; all zero before the first.
    function latestFinal() external view returns (uint64 epoch, bytes32 cumRoot, uint128 total);

    /// @notice Whether `receipt` is among those of the final commitment of `epoch`.
    function verifyReceipt(Receipt calldata receipt, uint64 epoch, OpenSumTree.SumProof calldata proof)
        external
        view
        returns (bool);

    /// @notice The EIP-712 struct hash of a receipt.
    function receiptHash(Receipt calldata receipt) external view returns (bytes32);

    /// @notice The EIP-712 digest that a receipt's signature covers.
    function receiptDigest(Receipt calldata receipt) external view returns (bytes32);
}
