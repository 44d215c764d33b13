// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

/// @title Own stake that is spoken for, in two amounts that take turns, whatever number of locks there is.
/// @dev New locks join `newer`; one period after its first lock it becomes `older`, and one more period later it is
/// free. So a lock holds for at least one and at most two periods. The times are kept with the amounts: a
/// changed period never shortens a lock.
library StakeLocks {
    struct Locks {
        uint128 older;
        uint128 newer;
        uint64 olderUntil;
        uint64 newerUntil;
        uint64 rotateAt;
    }

    function held(Locks memory locks) internal view returns (uint256) {
        uint256 older = block.timestamp < locks.olderUntil ? locks.older : 0;
        uint256 newer = block.timestamp < locks.newerUntil ? locks.newer : 0;
        return older + newer;
    }

    function add(Locks storage self, uint256 amount, uint256 period) internal {
        Locks memory locks = self;
        // While older locks still hold, newer ones stay where they are, or the older would end early.
        if (block.timestamp >= locks.rotateAt && block.timestamp >= locks.olderUntil) {
            locks.older = block.timestamp < locks.newerUntil ? locks.newer : 0;
            locks.olderUntil = locks.newerUntil;
            locks.newer = 0;
            locks.newerUntil = uint64(block.timestamp + 2 * period);
            locks.rotateAt = uint64(block.timestamp + period);
        } else if (block.timestamp >= locks.newerUntil) {
            locks.newer = 0;
        }
        locks.newer = SafeCast.toUint128(locks.newer + amount);
        locks.newerUntil = uint64(Math.max(locks.newerUntil, block.timestamp + period));
        self.older = locks.older;
        self.newer = locks.newer;
        self.olderUntil = locks.olderUntil;
        self.newerUntil = locks.newerUntil;
        self.rotateAt = locks.rotateAt;
    }

    /// @dev Lowers what is held to `limit`, from what would be free first.
    function reduceTo(Locks storage self, uint256 limit) internal {
        uint256 excess = Math.saturatingSub(held(self), limit);
        if (excess == 0) return;
        uint256 older = block.timestamp < self.olderUntil ? self.older : 0;
        uint256 fromOlder = Math.min(excess, older);
        self.older = uint128(older - fromOlder);
        // The excess is at most what both hold, so newer covers what older does not.
        self.newer -= uint128(excess - fromOlder);
    }
}
