// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

import {Verdict} from "../libraries/DisputeRules.sol";
import {OpenSumTree} from "../libraries/OpenSumTree.sol";
import {Receipt} from "../libraries/ReceiptHash.sol";

/// @title Judgement by re-execution, for what no proof can decide: gradient scores, outputs, prompts.
/// @notice A challenger puts a bond on one stated receipt being wrong. Five jurors, drawn by stake, re-execute it,
/// commit to a verdict and reveal it. The loser may appeal once, to ten. Two thirds of all seats are needed to find
/// guilty: then the statement is void and its node slashed. Whatever anyone does or leaves undone, `settle` ends a
/// dispute after its last window.
/// @dev With T = openedAt, W = committeeWindow, A = appealWindow, all fixed at opening:
///   [T, T+W/4) draw · [., T+W/2) commit · [T+W/2, T+W) reveal · [T+W, T+W+A/2) the loser appeals with two bonds ·
///   until T+W+A the winner may stake one · the second round runs likewise from that stake, or from T+W+A.
interface ICommittee {
    /// @dev Open -> Appealed, Guilty, NotGuilty, NoVerdict, Moot; Appealed -> Guilty, NotGuilty, Moot; no other.
    enum Status {
        None,
        Open,
        Appealed,
        Guilty,
        NotGuilty,
        NoVerdict,
        Moot
    }

    /// @dev Whoever staked for a side gets back what the side gets. `drawBlock` is 0 while no draw is scheduled.
    struct Dispute {
        address node;
        uint64 epoch;
        Status status;
        address challenger;
        uint40 openedAt;
        uint40 drawBlock;
        uint128 bond;
        uint32 committeeWindow;
        uint32 appealWindow;
        uint32 faultSlashPpm;
        uint32 jurorSlashPpm;
        address appellant;
        uint40 respondedAt;
        address responder;
        uint128 firstFee;
        uint128 secondFee;
    }

    /// @dev Votes by seat; `jurors` are distinct.
    struct Round {
        uint8 seats;
        uint8 guilty;
        uint8 notGuilty;
        address[] jurors;
    }

    struct Ballot {
        bytes32 commitment;
        uint128 atRisk;
        uint8 seats;
        Verdict verdict;
        bool isPaid;
    }

    event DisputeOpened(
        bytes32 indexed id,
        uint64 indexed epoch,
        address indexed node,
        address challenger,
        Receipt receipt,
        uint128 bond,
        bytes claimCid
    );
    event DrawScheduled(bytes32 indexed id, uint256 indexed round, uint256 drawBlock);
    event JurorsDrawn(bytes32 indexed id, uint256 indexed round, address[] jurors);
    event VoteCommitted(bytes32 indexed id, uint256 indexed round, address indexed juror, bytes32 commitment);
    event VoteRevealed(bytes32 indexed id, uint256 indexed round, address indexed juror, Verdict verdict, uint256 seats);
    event DisputeAppealed(bytes32 indexed id, address indexed appellant, uint256 amount);
    event AppealAnswered(bytes32 indexed id, address indexed responder, uint256 amount);
    event DisputeSettled(bytes32 indexed id, Status status, uint256 slashed, uint256 burnt);
    event AbsentJurorSlashed(bytes32 indexed id, uint256 indexed round, address indexed juror, uint256 slashed);
    event FeeClaimed(bytes32 indexed id, uint256 indexed round, address indexed juror, uint256 amount);

    error CommitteeNotChallengeable(uint64 epoch, address node);
    error CommitteeNotStated(bytes32 receiptHash, bytes32 receiptsRoot);
    error CommitteeAlreadyDisputed(bytes32 id);
    /// @notice The dispute's status does not allow the call.
    error CommitteeWrongStatus(bytes32 id, Status status);
    error CommitteeTooEarly(bytes32 id, uint256 since);
    error CommitteeTooLate(bytes32 id, uint256 until);
    error CommitteeAlreadyDrawn(bytes32 id, uint256 round);
    error CommitteeNotDrawn(bytes32 id, uint256 round);
    error CommitteeDrawPending(bytes32 id, uint256 drawBlock);
    error CommitteeNotSeated(bytes32 id, uint256 round, address juror);
    error CommitteeAlreadyCommitted(bytes32 id, address juror);
    error CommitteeBadCommitment(bytes32 id, address juror, bytes32 commitment);
    error CommitteeAlreadyRevealed(bytes32 id, address juror);
    error CommitteeBadVerdict(Verdict verdict);
    /// @notice The first round reached no verdict, so there is no loser.
    error CommitteeNoVerdict(bytes32 id);
    error CommitteeNotParty(bytes32 id, address caller, address party);
    error CommitteeAlreadyAnswered(bytes32 id);
    error CommitteeNothingEarned(bytes32 id, uint256 round, address juror);

    /// @notice Disputes the receipt that `proof` shows in the statement of (epoch, node); takes disputeBond from the
    /// caller. `claimCid` tells jurors where to look; they judge the whole receipt.
    function open(
        uint64 epoch,
        address node,
        Receipt calldata receipt,
        OpenSumTree.SumProof calldata proof,
        bytes calldata claimCid
    ) external returns (bytes32 id);

    /// @notice Draws the round's jurors from the hash of the scheduled block, or schedules a later block when there is
    /// none yet, its hash is out of reach, too few jurors could be drawn, or all jurors together have staked less than a
    /// guilty node would lose. By anyone.
    function draw(bytes32 id) external;

    /// @notice Commits the calling juror to H(TAG_VOTE, id, round, juror, verdict, salt).
    function commitVote(bytes32 id, bytes32 commitment) external;

    function revealVote(bytes32 id, Verdict verdict, bytes32 salt) external;

    /// @notice The loser of the first round, or its signer, stakes two bonds on a second round of ten seats.
    function appeal(bytes32 id) external;

    /// @notice The winner of the first round, or its signer, stakes one bond: for half of what the loser loses if it
    /// wins again. Staking nothing loses nothing.
    function answerAppeal(bytes32 id) external;

    /// @notice Ends a dispute whose last window is over, or whose statement another judge has voided. By anyone.
    function settle(bytes32 id) external returns (Status status);

    /// @notice Pays a juror of an ended dispute for its seats; by anyone.
    function claimFee(bytes32 id, uint256 round, address juror) external returns (uint256 amount);

    /// @notice All zero for an unknown id.
    function getDispute(bytes32 id) external view returns (Dispute memory);

    function getRound(bytes32 id, uint256 round) external view returns (Round memory);

    function getBallot(bytes32 id, uint256 round, address juror) external view returns (Ballot memory);

    /// @notice What the dispute's votes say now, appeal included.
    function verdictOf(bytes32 id) external view returns (Verdict);

    /// @notice When a round begins; 0 for an unknown dispute, or a second round that nobody asked for.
    function roundStart(bytes32 id, uint256 round) external view returns (uint256);

    /// @notice From when on `settle` ends the dispute as its votes stand now; 0 when it has ended or never began.
    function settleableAt(bytes32 id) external view returns (uint256);

    /// @notice What `claimFee` would pay now.
    function feeOf(bytes32 id, uint256 round, address juror) external view returns (uint256);

    function disputeId(uint64 epoch, address node, bytes32 receiptHash) external pure returns (bytes32);
}
