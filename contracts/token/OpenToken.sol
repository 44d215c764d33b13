// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Burnable} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Burnable.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import {ERC20Votes} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Votes.sol";
import {ERC3009} from "@openzeppelin/contracts/token/ERC20/extensions/draft-ERC3009.sol";
import {Votes} from "@openzeppelin/contracts/governance/utils/Votes.sol";
import {Nonces} from "@openzeppelin/contracts/utils/Nonces.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {Time} from "@openzeppelin/contracts/utils/types/Time.sol";

/// @title OPEN: pays for inference, is earned by those who made it possible, is staked, and votes.
/// @notice Fixed supply, burnable, with permits, transfers by authorization and votes of its own. No owner, no minting
/// after construction.
/// @dev ERC-3009 with free nonces, as x402 payers draw them at random; OpenZeppelin's ERC20TransferAuthorization wants
/// them in sequence and would refuse those payers. The `bytes` forms are for contract accounts.
contract OpenToken is ERC20, ERC20Burnable, ERC20Permit, ERC20Votes, ERC3009 {
    uint256 public constant INITIAL_SUPPLY = 1_000_000_000 ether;

    constructor(address recipient) ERC20("OpenLedger", "OPEN") ERC20Permit("OpenLedger") {
        _mint(recipient, INITIAL_SUPPLY);
    }

    /// @notice `transferWithAuthorization` with a signature of either kind; see `_requireSigned`.
    function transferWithAuthorization(
        address from,
        address to,
        uint256 value,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        bytes calldata signature
    ) external {
        _requireSigned(
            from,
            keccak256(
                abi.encode(TRANSFER_WITH_AUTHORIZATION_TYPEHASH, from, to, value, validAfter, validBefore, nonce)
            ),
            signature
        );
        _transferWithAuthorization(from, to, value, validAfter, validBefore, nonce);
    }

    /// @notice `receiveWithAuthorization` with a signature of either kind; see `_requireSigned`.
    function receiveWithAuthorization(
        address from,
        address to,
        uint256 value,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        bytes calldata signature
    ) external {
        _requireSigned(
            from,
            keccak256(
                abi.encode(RECEIVE_WITH_AUTHORIZATION_TYPEHASH, from, to, value, validAfter, validBefore, nonce)
            ),
            signature
        );
        require(to == msg.sender, ERC20InvalidReceiver(to));
        _transferWithAuthorization(from, to, value, validAfter, validBefore, nonce);
    }

    /// @notice `cancelAuthorization` with a signature of either kind; see `_requireSigned`.
    function cancelAuthorization(address authorizer, bytes32 nonce, bytes calldata signature) external {
        _requireSigned(
            authorizer, keccak256(abi.encode(CANCEL_AUTHORIZATION_TYPEHASH, authorizer, nonce)), signature
        );
        _cancelAuthorization(authorizer, nonce);
    }

    /// @inheritdoc Votes
    /// @dev Seconds, because block numbers mean little on a rollup; the governor follows the token's clock.
    function clock() public view override returns (uint48) {
        return Time.timestamp();
    }

    /// @inheritdoc Votes
    function CLOCK_MODE() public pure override returns (string memory) {
        return "mode=timestamp";
    }

    /// @inheritdoc ERC20Permit
    /// @dev A permit and a delegation by signature draw from one nonce: using either spoils the other's next one.
    function nonces(address owner) public view override(ERC20Permit, Nonces) returns (uint256) {
        return super.nonces(owner);
    }

    /// @dev By the account's own key, or by its ERC-1271 word. The key comes first: an account that has delegated its
    /// code (EIP-7702) to something without ERC-1271 would otherwise be shut out of its own money here.
    function _requireSigned(address account, bytes32 structHash, bytes calldata signature) private view {
        bytes32 digest = _hashTypedDataV4(structHash);
        (address recovered,,) = ECDSA.tryRecoverCalldata(digest, signature);
        require(
            (recovered == account && recovered != address(0))
                || SignatureChecker.isValidERC1271SignatureNowCalldata(account, digest, signature),
            ERC3009InvalidSignature()
        );
    }

    function _update(address from, address to, uint256 value) internal override(ERC20, ERC20Votes) {
        super._update(from, to, value);
    }
}
