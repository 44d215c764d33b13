// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

/// @title Parameters that a test changes at will. Never deployed with the suite.
contract ParametersMock {
    mapping(bytes32 key => uint256) public value;

    function set(bytes32 key, uint256 newValue) external {
        value[key] = newValue;
    }
}
