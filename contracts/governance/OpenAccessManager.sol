// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

import {AccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";

/// @title Who may call the suite's restricted functions: the timelock, its only admin from the first block.
contract OpenAccessManager is AccessManager {
    constructor(address timelock) AccessManager(timelock) {}
}
