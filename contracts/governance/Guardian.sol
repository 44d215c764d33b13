// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

import {IAccessManager} from "@openzeppelin/contracts/access/manager/IAccessManager.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {IGuardian} from "../interfaces/IGuardian.sol";
import {IOpenGovernor} from "../interfaces/IOpenGovernor.sol";

/// @title Emergency brake: may pause listed modules for a while, or cancel a decision, and nothing else, for a term.
/// @dev Of any pauseLimit + coolDown seconds a module is paused for at most pauseLimit: pauses cannot be chained.
contract Guardian is IGuardian {
    uint64 private constant LONGEST_TERM = 366 days;

    struct Pause {
        uint64 until;
        uint64 nextPauseAt;
    }

    address public immutable timelock;
    IOpenGovernor public immutable governor;
    IAccessManager public immutable accessManager;
    uint64 public immutable pauseLimit;
    uint64 public immutable coolDown;

    address public guardian;
    uint64 public expiresAt;
    /// @inheritdoc IGuardian
    mapping(address module => bool) public isModule;
    /// @inheritdoc IGuardian
    mapping(address module => Pause) public pauseOf;

    constructor(Links memory links, address guardian_, uint64 term, address[] memory modules) {
        timelock = links.timelock;
        governor = IOpenGovernor(links.governor);
        accessManager = IAccessManager(links.accessManager);
        pauseLimit = links.pauseLimit;
        coolDown = links.coolDown;
        for (uint256 i = 0; i < modules.length; ++i) {
            isModule[modules[i]] = true;
        }
        _appoint(guardian_, term);
    }

    /// @inheritdoc IGuardian
    function pause(address module) external {
        _checkGuardian();
        require(isModule[module], GuardianUnknownModule(module));
        uint64 nextPauseAt = pauseOf[module].nextPauseAt;
        require(block.timestamp >= nextPauseAt, GuardianCoolingDown(module, nextPauseAt));
        uint64 end = uint64(block.timestamp) + pauseLimit;
        uint64 until = uint64(Math.min(end, expiresAt));
        pauseOf[module] = Pause(until, end + coolDown);
        emit ModulePaused(module, until, end + coolDown);
    }

    /// @inheritdoc IGuardian
    function resume(address module) external {
        if (msg.sender != timelock) _checkGuardian();
        require(isModule[module], GuardianUnknownModule(module));
        pauseOf[module].until = uint64(block.timestamp);
        emit ModuleResumed(module);
    }

    /// @inheritdoc IGuardian
    function cancelProposal(uint256 proposalId) external {
        _checkGuardian();
        (address[] memory targets,,,) = governor.proposalDetails(proposalId);
        bool elsewhere = false;
        for (uint256 i = 0; i < targets.length; ++i) {
            elsewhere = elsewhere || targets[i] != address(this);
        }
        // Or a guardian could hold its office against every vote.
        require(elsewhere, GuardianOwnReplacement(proposalId));
        governor.cancel(proposalId);
    }

    /// @inheritdoc IGuardian
    function cancelOperation(address caller, address target, bytes calldata data) external {
        _checkGuardian();
        accessManager.cancel(caller, target, data);
    }

    /// @inheritdoc IGuardian
    function appoint(address guardian_, uint64 term) external {
        require(msg.sender == timelock, GuardianNotTimelock(msg.sender));
        _appoint(guardian_, term);
    }

    /// @inheritdoc IGuardian
    function isPaused(address module) external view returns (bool) {
        return block.timestamp < pauseOf[module].until;
    }

    function _appoint(address guardian_, uint64 term) private {
        require(term <= LONGEST_TERM, GuardianTermTooLong(term, LONGEST_TERM));
        guardian = guardian_;
        expiresAt = uint64(block.timestamp) + term;
        emit GuardianAppointed(guardian_, expiresAt);
    }

    function _checkGuardian() private view {
        require(msg.sender == guardian, GuardianNotGuardian(msg.sender));
        require(block.timestamp < expiresAt, GuardianExpired(expiresAt));
    }
}
