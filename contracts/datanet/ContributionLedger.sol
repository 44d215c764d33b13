// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

import {IContributionLedger} from "../interfaces/IContributionLedger.sol";
import {IDatanetRegistry} from "../interfaces/IDatanetRegistry.sol";
import {BoundedBytes} from "../libraries/BoundedBytes.sol";

/// @title Ledger of contributions. Who may decide is the Datanet registry's to say.
contract ContributionLedger is IContributionLedger {
    IDatanetRegistry public immutable datanets;

    /// @inheritdoc IContributionLedger
    uint256 public contributionCount;

    mapping(uint256 id => Contribution) private _contributions;

    constructor(IDatanetRegistry datanets_) {
        datanets = datanets_;
    }

    /// @inheritdoc IContributionLedger
    function submit(uint256 datanetId, bytes32 batchRoot, uint32 rowCount, bytes calldata batchCid)
        external
        returns (uint256 id)
    {
        datanets.getDatanet(datanetId); // reverts for an unknown Datanet
        require(batchRoot != 0 && rowCount != 0, ContributionLedgerEmptyBatch(batchRoot, rowCount));
        BoundedBytes.checkCid(batchCid);
        id = ++contributionCount;
        Contribution storage contribution = _contributions[id];
        contribution.datanetId = datanetId;
        contribution.contributor = msg.sender;
        contribution.submittedAt = uint64(block.timestamp);
        contribution.status = Status.Submitted;
        contribution.rowCount = rowCount;
        contribution.batchRoot = batchRoot;
        contribution.batchCid = batchCid;
        emit ContributionSubmitted(id, datanetId, msg.sender, batchRoot, rowCount, batchCid);
    }

    /// @inheritdoc IContributionLedger
    function decide(uint256 contributionId, uint32 accepted, uint32 rejected, bytes calldata reasonsCid) external {
        Contribution storage contribution = _contributions[contributionId];
        uint256 datanetId = contribution.datanetId;
        require(contribution.status != Status.None, ContributionLedgerUnknown(contributionId));
        require(datanets.isCurator(datanetId, msg.sender), ContributionLedgerNotCurator(datanetId, msg.sender));
        require(
            contribution.status == Status.Submitted,
            ContributionLedgerAlreadyDecided(contributionId, contribution.decidedAt)
        );
        require(
            uint256(accepted) + rejected == contribution.rowCount,
            ContributionLedgerRowsDoNotSum(accepted, rejected, contribution.rowCount)
        );
        BoundedBytes.checkOptionalCid(reasonsCid);
        contribution.status = Status.Decided;
        contribution.curator = msg.sender;
        contribution.decidedAt = uint64(block.timestamp);
        contribution.accepted = accepted;
        contribution.rejected = rejected;
        contribution.reasonsCid = reasonsCid;
        emit ContributionDecided(contributionId, msg.sender, accepted, rejected, reasonsCid);
    }

    /// @inheritdoc IContributionLedger
    function getContribution(uint256 id) external view returns (Contribution memory contribution) {
        contribution = _contributions[id];
        require(contribution.status != Status.None, ContributionLedgerUnknown(id));
    }
}
