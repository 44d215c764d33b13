// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

import {OpenSumTree} from "../libraries/OpenSumTree.sol";
import {Receipt} from "../libraries/ReceiptHash.sol";

/// @title Questions about what stands under a published root, for data that was not handed out.
/// @notice Someone bonds a question for one leaf of a statement or commitment. Anyone answers it with the leaf and its
/// proof, which pays the bond to whom was asked. If nobody has when the window is over, the statement or commitment is
/// void and whoever published it slashed. A question holds the epoch open, so it always has an end before finality.
interface IDataChallenges {
    /// @dev Line and Receipt ask a node about its statement, Entry and Cumulative a committer about its commitment.
    enum Kind {
        Line,
        Receipt,
        Entry,
        Cumulative
    }

    /// @dev None -> Open -> Answered, Withheld or Moot; Withheld and Moot -> Open when the root is published again.
    enum Status {
        None,
        Open,
        Answered,
        Withheld,
        Moot
    }

    /// @dev `root` is the root asked about.
    struct Challenge {
        bytes32 root;
        address node;
        uint64 epoch;
        Kind kind;
        Status status;
        address challenger;
        uint64 answerBy;
        uint32 index;
        uint128 bond;
        uint32 slashPpm;
    }

    struct Line {
        address earner;
        bytes32 requestId;
        uint128 amount;
    }

    event DataChallenged(
        bytes32 indexed id,
        uint64 indexed epoch,
        address indexed node,
        Kind kind,
        uint32 index,
        address challenger,
        uint64 answerBy
    );
    event DataAnswered(bytes32 indexed id, address indexed responder, uint128 bond);
    event DataWithheld(bytes32 indexed id, address indexed node, uint256 slashed);
    event DataMoot(bytes32 indexed id);

    error DataChallengesNotChallengeable(uint64 epoch, address node);
    error DataChallengesAlreadyAsked(bytes32 id);
    error DataChallengesIndexPastCount(uint32 index, uint32 count);
    error DataChallengesTooManyOpen(address account, uint256 open, uint256 limit);
    error DataChallengesNotOpen(bytes32 id, Status status);
    error DataChallengesWrongKind(bytes32 id, Kind kind);
    error DataChallengesTooLate(bytes32 id, uint64 answerBy);
    error DataChallengesTooEarly(bytes32 id, uint64 answerBy);
    error DataChallengesWrongIndex(bytes32 id, uint256 index, uint32 expected);
    /// @notice The path leads to another root, count or total than the published ones.
    error DataChallengesWrongProof(bytes32 id, bytes32 root);
    error DataChallengesWrongReceipt(bytes32 id, bytes32 requestId, address node);
    error DataChallengesNotSigner(address node, address signer);

    /// @notice Asks for leaf `index` of the statement of (epoch, node), or of the commitment of `epoch` by `node`; takes
    /// dataBond from the caller. What was answered is not asked again.
    function challenge(uint64 epoch, address node, Kind kind, uint32 index) external returns (bytes32 id);

    /// @notice Shows the line, and a stated receipt of its request that the node's signer signed.
    function answerLine(
        bytes32 id,
        Line calldata line,
        OpenSumTree.SumProof calldata lineProof,
        Receipt calldata receipt,
        OpenSumTree.SumProof calldata receiptProof,
        bytes calldata signature
    ) external;

    /// @notice Shows the receipt, signed by the node's signer.
    function answerReceipt(
        bytes32 id,
        Receipt calldata receipt,
        OpenSumTree.SumProof calldata proof,
        bytes calldata signature
    ) external;

    /// @notice Shows the entry (earner, node, amount).
    function answerEntry(
        bytes32 id,
        address earner,
        address node,
        uint128 amount,
        OpenSumTree.SumProof calldata proof
    ) external;

    /// @notice Shows what `account` has earned in all.
    function answerCumulative(
        bytes32 id,
        address account,
        uint128 amount,
        OpenSumTree.SumProof calldata proof
    ) external;

    /// @notice Shows, by any leaf, that the tree has no leaf of the index asked for. Not for lines, whose count is public.
    function answerPastEnd(bytes32 id, bytes32 key, uint256 amount, OpenSumTree.SumProof calldata proof) external;

    /// @notice Ends an unanswered challenge after its window, or any whose root another judge has voided. By anyone.
    function conclude(bytes32 id) external returns (Status status);

    /// @notice All zero for an unknown id.
    function getChallenge(bytes32 id) external view returns (Challenge memory);

    /// @notice The root that a challenge would ask about now; zero where there is none to ask about.
    function rootOf(uint64 epoch, address node, Kind kind) external view returns (bytes32);

    function openOn(uint64 epoch, address node) external view returns (uint256);

    function openBy(address challenger) external view returns (uint256);

    function challengeId(uint64 epoch, address node, Kind kind, uint32 index, bytes32 root)
        external
        pure
        returns (bytes32);
}
