// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

import {IGuardian} from "./IGuardian.sol";
import {INodeStaking} from "./INodeStaking.sol";
import {IProtocolParameters} from "./IProtocolParameters.sol";
import {IRewardDistributor} from "./IRewardDistributor.sol";
import {OpenSumTree} from "../libraries/OpenSumTree.sol";
import {Receipt} from "../libraries/ReceiptHash.sol";

/// @title From the claims of an epoch to a final root of what everyone has earned.
/// @notice In an epoch channels fund nodes. When it is over each node states who earns its funds, then one bonded node
/// commits the roots of all statements. A commitment adds to the last one exactly what was stated, which is checked
/// here, so that over-allocation is impossible even if nobody watches. It is final after the challenge window.
interface IEpochSettlement {
    /// @dev Who may fund, judge (void what is proven false) and hold (delay finality while a dispute is open).
    struct Links {
        address channels;
        address gateway;
        INodeStaking staking;
        IProtocolParameters parameters;
        IGuardian guardian;
        IRewardDistributor distributor;
        address[] judges;
        address[] holders;
    }

    /// @dev In seconds. `abandonedAfter` is how long after an epoch's grace its unstated funds stay their node's.
    struct Settings {
        uint64 genesis;
        uint64 epochLength;
        uint64 abandonedAfter;
    }

    struct Statement {
        bytes32 root;
        bytes32 receiptsRoot;
        uint128 total;
        uint32 count;
        uint64 publishedAt;
        bool voided;
    }

    /// @dev `cumRoot` binds, by its record, its count and `total`: all that was ever earned, this epoch included.
    struct Commitment {
        uint64 epoch;
        bytes32 prevCumRoot;
        bytes32 entryRoot;
        bytes32 cumRoot;
        uint128 total;
        bytes dataCid;
    }

    struct CommitmentRecord {
        bytes32 entryRoot;
        bytes32 cumRoot;
        uint128 total;
        address committer;
        uint64 committedAt;
        uint64 finalAt;
        bool isFinal;
    }

    event EpochFunded(uint64 indexed epoch, address indexed node, uint128 amount);
    event FundsRolledOver(uint64 indexed fromEpoch, uint64 indexed toEpoch, address indexed node, uint128 amount);
    event FundsSwept(uint64 indexed epoch, address indexed node, address indexed treasury, uint128 amount);
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
        bytes32 entryRoot,
        bytes32 cumRoot,
        uint128 total,
        bytes dataCid
    );
    event StatementVoided(uint64 indexed epoch, address indexed node, address indexed judge);
    /// @notice The commitment of `epoch` and all that were built on it are void.
    event CommitmentVoided(uint64 indexed epoch, address indexed judge);
    event EpochHeld(uint64 indexed epoch, address indexed holder, uint256 holds, uint256 until);
    event EpochReleased(uint64 indexed epoch, address indexed holder, uint256 holds);
    event EpochFinalized(uint64 indexed epoch, bytes32 cumRoot, uint128 total);
    event ReceiptSubmitted(
        bytes32 indexed requestId, bytes32 indexed channelId, address indexed node, bytes32 receiptHash, Receipt receipt
    );

    error EpochSettlementNotStarted(uint64 genesis);
    error EpochSettlementZeroLength();
    error EpochSettlementZeroAddress();
    error EpochSettlementAbandonedTooSoon(uint64 abandonedAfter, uint64 epochLength);
    error EpochSettlementNotAbandoned(uint64 epoch, address node, uint64 since);
    error EpochSettlementNotHeld(uint64 epoch);
    error EpochSettlementNotJudge(address caller);
    error EpochSettlementNotHolder(address caller);
    error EpochSettlementNotChallengeable(uint64 epoch, address node);
    error EpochSettlementHeld(uint64 epoch, uint256 holds, uint256 until);
    error EpochSettlementWindowOver(uint64 epoch, uint64 until);
    error EpochSettlementPaused();
    error EpochSettlementNotChannels(address caller);
    error EpochSettlementEpochNotOver(uint64 epoch, uint64 current);
    error EpochSettlementNodeNotRegistered(address node);
    error EpochSettlementAlreadyStated(uint64 epoch, address node);
    error EpochSettlementNothingFunded(uint64 epoch, address node);
    error EpochSettlementStatementTotal(uint64 epoch, address node, uint256 stated, uint256 funded);
    /// @notice The epoch takes no statements any more; its unstated funds roll over.
    error EpochSettlementClosed(uint64 epoch);
    error EpochSettlementStillOpen(uint64 epoch);
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

    /// @notice Records `amount` that the channels or the gateway have just moved to the distributor in a node's name.
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

    /// @notice Moves the calling node's unstated funds of a closed epoch, or those of its voided statement, to the
    /// current one.
    function rollover(uint64 epoch) external;

    /// @notice Pays to the treasury what a node has neither stated nor rolled over for `abandonedAfter` seconds after
    /// the epoch's grace; by anyone.
    function sweep(uint64 epoch, address node) external;

    /// @notice Commits the next stated epoch; by a node or its signer, whose own stake is locked as the bond.
    function commit(Commitment calldata commitment) external;

    /// @notice Makes a commitment final once its window is over, its predecessor is final and nothing holds it; by
    /// anyone.
    function finalize(uint64 epoch) external;

    /// @notice Voids a node's statement and the commitment that includes it; judges only, and not once final. After a
    /// commitment of the epoch was voided, only until the first one's window ends, except for a holder's verdict.
    function voidStatement(uint64 epoch, address node) external;

    /// @notice Voids a commitment and all that were built on it; judges only, and not once final.
    function voidCommitment(uint64 epoch) external;

    /// @notice Delays an epoch's finality by an open dispute, begun in time, until its release and at most for the
    /// unbonding period: after that no stake would answer for the verdict. Holders only.
    function hold(uint64 epoch) external;

    /// @notice Ends a `hold`.
    function release(uint64 epoch) external;

    /// @notice Puts one signed receipt on record.
    function submitReceipt(Receipt calldata receipt, bytes calldata signature) external;

    function currentEpoch() external view returns (uint64);

    function genesis() external view returns (uint64);

    function epochLength() external view returns (uint64);

    function isJudge(address account) external view returns (bool);

    function isHolder(address account) external view returns (bool);

    /// @notice Open holds; they count while now < `until`.
    function holdsOn(uint64 epoch) external view returns (uint256 count, uint64 until);

    /// @notice Whether an epoch takes no statements any more.
    function isClosed(uint64 epoch) external view returns (bool);

    /// @notice Whether a node's statement stands and its epoch is not final.
    function isStanding(uint64 epoch, address node) external view returns (bool);

    /// @notice Whether a fault in a node's standing statement can still be shown or disputed.
    function isChallengeable(uint64 epoch, address node) external view returns (bool);

    /// @notice What the commitment of `epoch` builds on; all zero for the first and for none.
    function previousCommitment(uint64 epoch) external view returns (CommitmentRecord memory);

    /// @notice How long unstated funds stay their node's, in seconds after their epoch's grace.
    function abandonedAfter() external view returns (uint64);

    /// @notice What was moved in `node`'s name during `epoch`, less what rolled over or was swept.
    function funded(uint64 epoch, address node) external view returns (uint256);

    /// @notice How many nodes that an epoch funded have not stated it.
    function waitingFor(uint64 epoch) external view returns (uint256 nodes);

    /// @notice The sum of an epoch's standing statements.
    function statedTotal(uint64 epoch) external view returns (uint256);

    function getStatement(uint64 epoch, address node) external view returns (Statement memory);

    /// @notice The stated epoch that must be committed next; `exists` is false when none waits.
    function nextToCommit() external view returns (bool exists, uint64 epoch);

    /// @notice All zero for an epoch without commitment, or with a voided one.
    function getCommitment(uint64 epoch) external view returns (CommitmentRecord memory);

    /// @notice The last commitment, final or not; all zero before the first.
    function latestCommitted() external view returns (uint64 epoch, bytes32 cumRoot, uint128 total);

    /// @notice The last final commitment; all zero before the first.
    function latestFinal() external view returns (uint64 epoch, bytes32 cumRoot, uint128 total);

    /// @notice Whether `receipt` is among those that its node stated for `epoch`, now final.
    function verifyReceipt(Receipt calldata receipt, uint64 epoch, OpenSumTree.SumProof calldata proof)
        external
        view
        returns (bool);

    /// @notice The EIP-712 struct hash of a receipt.
    function receiptHash(Receipt calldata receipt) external view returns (bytes32);

    /// @notice The EIP-712 digest that a receipt's signature covers.
    function receiptDigest(Receipt calldata receipt) external view returns (bytes32);
}
