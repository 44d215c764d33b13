// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

import {AccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";
import {IProtocolParameters} from "../interfaces/IProtocolParameters.sol";

/// @title Who may call the suite's restricted functions. The timelock is the only admin, from the first block for ever.
/// @notice A vote may let others change parameters too: each of them only after a delay of its own, in which whoever holds
/// the guardian's role may cancel. Wiring a target's functions anew waits out the target's admin delay, even for a vote.
contract OpenAccessManager is AccessManager {
    /// @notice May change parameters within their bounds.
    uint64 public constant PARAMETERS_ROLE = 1;
    /// @notice May cancel what holders of PARAMETERS_ROLE scheduled, and nothing else.
    uint64 public constant GUARDIAN_ROLE = 2;

    /// @dev Seconds. `execution` is the least delay of any member other than the timelock; `grant` that of becoming
    /// one; `admin` that of wiring the parameters' functions to other roles.
    struct Delays {
        uint32 execution;
        uint32 grant;
        uint32 admin;
    }

    address public immutable timelock;
    uint32 public immutable minExecutionDelay;

    error OpenAccessManagerOnlyAdmin(address timelock, address account);
    error OpenAccessManagerDelayTooShort(uint64 roleId, address account, uint32 delay, uint32 least);
    error OpenAccessManagerAdminIsFixed(uint64 roleId);
    error OpenAccessManagerOpenToAll(address target, bytes4 selector);
    error OpenAccessManagerZeroDelay();

    constructor(address timelock_, address guardian, address parameters, Delays memory delays)
        AccessManager(timelock_)
    {
        require(delays.execution != 0 && delays.grant != 0 && delays.admin != 0, OpenAccessManagerZeroDelay());
        timelock = timelock_;
        minExecutionDelay = delays.execution;
        _setTargetFunctionRole(parameters, IProtocolParameters.setSplit.selector, PARAMETERS_ROLE);
        _setTargetFunctionRole(parameters, IProtocolParameters.setValue.selector, PARAMETERS_ROLE);
        _setTargetFunctionRole(parameters, IProtocolParameters.setValues.selector, PARAMETERS_ROLE);
        _setTargetAdminDelay(parameters, delays.admin);
        _setRoleGuardian(PARAMETERS_ROLE, GUARDIAN_ROLE);
        _setGrantDelay(PARAMETERS_ROLE, delays.grant);
        _grantRole(PARAMETERS_ROLE, timelock_, 0, 0);
        _grantRole(GUARDIAN_ROLE, guardian, 0, delays.execution);
        emit RoleLabel(PARAMETERS_ROLE, "parameters");
        emit RoleLabel(GUARDIAN_ROLE, "guardian");
    }

    /// @dev Delays set at construction hold from the first block; a later change waits.
    function minSetback() public view override returns (uint32) {
        return address(this).code.length == 0 ? 0 : super.minSetback();
    }

    function _grantRole(uint64 roleId, address account, uint32 grantDelay, uint32 executionDelay)
        internal
        override
        returns (bool)
    {
        if (address(this).code.length != 0 && account != timelock) {
            require(roleId != ADMIN_ROLE, OpenAccessManagerOnlyAdmin(timelock, account));
            require(
                executionDelay >= minExecutionDelay,
                OpenAccessManagerDelayTooShort(roleId, account, executionDelay, minExecutionDelay)
            );
        }
        return super._grantRole(roleId, account, grantDelay, executionDelay);
    }

    function _setRoleAdmin(uint64 roleId, uint64) internal pure override {
        revert OpenAccessManagerAdminIsFixed(roleId);
    }

    function _setTargetFunctionRole(address target, bytes4 selector, uint64 roleId) internal override {
        require(roleId != PUBLIC_ROLE, OpenAccessManagerOpenToAll(target, selector));
        super._setTargetFunctionRole(target, selector, roleId);
    }
}
