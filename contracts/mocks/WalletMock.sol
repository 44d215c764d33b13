// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

/// @title A contract account whose owner signs for it by ERC-1271 and acts through it. Never deployed with the suite.
contract WalletMock is IERC1271 {
    address public immutable owner;

    error WalletMockNotOwner(address caller);
    error WalletMockFailed(bytes reason);

    constructor(address owner_) {
        owner = owner_;
    }

    function isValidSignature(bytes32 hash, bytes calldata signature) external view returns (bytes4) {
        (address signer,,) = ECDSA.tryRecoverCalldata(hash, signature);
        return signer == owner ? IERC1271.isValidSignature.selector : bytes4(0xffffffff);
    }

    function act(address target, bytes calldata data) external {
        require(msg.sender == owner, WalletMockNotOwner(msg.sender));
        // slither-disable-next-line low-level-calls
        (bool success, bytes memory reason) = target.call(data);
        require(success, WalletMockFailed(reason));
    }
}
