// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

import {EarnerAccounts} from "../libraries/EarnerAccounts.sol";
import {Flaw, LaneLists, Match} from "../libraries/LaneLists.sol";
import {OpenMerkle} from "../libraries/OpenMerkle.sol";
import {OpenSumTree} from "../libraries/OpenSumTree.sol";
import {Receipt, ReceiptHash} from "../libraries/ReceiptHash.sol";
import {Lists, ReportShares, Share} from "../libraries/ReportShares.sol";
