// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

import {Test} from "forge-std/Test.sol";
import {StakeLocks} from "../../contracts/libraries/StakeLocks.sol";

/// @title Laws of locks: `test_` for drawn states, `check_` proven by halmos for every state, amount and time.
contract StakeLocksTest is Test {
    using StakeLocks for StakeLocks.Locks;

    StakeLocks.Locks private _locks;

    function test_aSlashLeavesNoMoreThanItsLimit(StakeLocks.Locks memory before, uint64 time, uint128 limit) external {
        _reduce(before, time, limit);
    }

    function check_aSlashLeavesNoMoreThanItsLimit(StakeLocks.Locks memory before, uint64 time, uint128 limit) external {
        _reduce(before, time, limit);
    }

    function test_aLockShortensNoOther(StakeLocks.Locks memory before, uint64 time, uint64 later, uint96 amount, uint32 period)
        external
    {
        _add(before, time, later, amount, period);
    }

    function check_aLockShortensNoOther(StakeLocks.Locks memory before, uint64 time, uint64 later, uint96 amount, uint32 period)
        external
    {
        _add(before, time, later, amount, period);
    }

    /// @dev What is held afterwards is what was held or the limit, whichever is less.
    function _reduce(StakeLocks.Locks memory before, uint64 time, uint128 limit) private {
        vm.warp(time);
        uint256 held = StakeLocks.held(before);
        _locks = before;
        _locks.reduceTo(limit);
        assert(StakeLocks.held(_locks) == (held < limit ? held : limit));
    }

    /// @dev At every later time at least what was held anyway, and the new amount with it for a whole period.
    function _add(StakeLocks.Locks memory before, uint64 time, uint64 later, uint96 amount, uint32 period) private {
        vm.assume(later >= time && time < type(uint64).max / 2 && before.newer < type(uint96).max);
        vm.warp(later);
        uint256 held = StakeLocks.held(before);
        vm.warp(time);
        _locks = before;
        _locks.add(amount, period);
        vm.warp(later);
        uint256 fresh = later < uint256(time) + period ? amount : 0;
        assert(StakeLocks.held(_locks) >= held + fresh);
    }
}
