// SPDX-License-Identifier: MIT
pragma solidity ^0.8.27;

import {Test} from "forge-std/Test.sol";
import {INodeStaking} from "../../contracts/interfaces/INodeStaking.sol";
import {IOpenToken} from "../../contracts/interfaces/IOpenToken.sol";
import {IProtocolParameters} from "../../contracts/interfaces/IProtocolParameters.sol";
import {ParametersMock} from "../../contracts/mocks/ParametersMock.sol";
import {NodeStaking} from "../../contracts/staking/NodeStaking.sol";
import {OpenToken} from "../../contracts/token/OpenToken.sol";

/// @dev Three nodes that are also each other's stakers, a slasher and a locker; ghosts count what went in and out.
contract StakingActors is Test {
    address public constant CHALLENGER = address(0xC4A1);
    uint64 private constant UNBONDING = 1_000;

    OpenToken public immutable token = new OpenToken(address(this));
    NodeStaking public immutable staking;
    address[3] public actors = [address(0xA11CE), address(0xB0B), address(0xCA401)];
    uint256[] public tickets;
    uint256 public rewardsIn;
    uint256 public rewardsOut;
    uint256 public slashed;
    uint256 public burnt;
    uint256 public paid;
    uint256 public priceFalls;
    mapping(string rule => uint256) public done;

    constructor() {
        ParametersMock parameters = new ParametersMock();
        parameters.set(keccak256("unbondingPeriod"), UNBONDING);
        parameters.set(keccak256("stakeToFees"), 10);
        parameters.set(keccak256("signerRevokeDelay"), 100);
        parameters.set(keccak256("rewardDrip"), 500);
        address[] memory us = new address[](1);
        us[0] = address(this);
        staking = new NodeStaking(
            IOpenToken(address(token)), IProtocolParameters(address(parameters)), INodeStaking.Roles(address(this), us, us)
        );
        token.approve(address(staking), type(uint256).max);
        for (uint256 i = 0; i < actors.length; ++i) {
            token.transfer(actors[i], 1_000_000 ether);
            vm.prank(actors[i]);
            token.approve(address(staking), type(uint256).max);
        }
    }

    /// @dev Counts a rule's success, and a fall of the delegation pool's share price that no slash explains.
    modifier counted(string memory rule, uint256 nodeSeed) {
        (uint256 tokens, uint256 shares) = _pool(actors[nodeSeed % 3]);
        _;
        (uint256 tokensNow, uint256 sharesNow) = _pool(actors[nodeSeed % 3]);
        bool isFall = (tokensNow + 1) * (shares + 1_000) < (tokens + 1) * (sharesNow + 1_000);
        if (isFall && tokensNow != 0 && keccak256(bytes(rule)) != keccak256("slash")) ++priceFalls;
        ++done[rule];
    }

    function stake(uint256 nodeSeed, uint256 who, uint96 amount) external counted("stake", nodeSeed) {
        vm.prank(actors[who % 3]);
        staking.stake(actors[nodeSeed % 3], uint128(bound(amount, 1 ether, 10_000 ether)));
    }

    function unbond(uint256 nodeSeed, uint256 who, uint256 part) external counted("unbond", nodeSeed) {
        (address node, address staker) = (actors[nodeSeed % 3], actors[who % 3]);
        uint256 shares = bound(part, 1, staking.sharesOf(node, staker));
        vm.prank(staker);
        tickets.push(staking.unbond(node, shares));
    }

    function withdraw(uint256 place) external counted("withdraw", 0) {
        uint256 ticket = tickets[place % tickets.length];
        vm.prank(staking.getTicket(ticket).staker);
        staking.withdraw(ticket);
    }

    function addRewards(uint256 nodeSeed, uint96 amount) external counted("addRewards", nodeSeed) {
        uint128 reward = uint128(bound(amount, 1, 1_000 ether));
        staking.addRewards(actors[nodeSeed % 3], reward);
        rewardsIn += reward;
    }

    function claimRewards(uint256 nodeSeed, uint256 who) external counted("claimRewards", nodeSeed) {
        vm.prank(actors[who % 3]);
        rewardsOut += staking.claimRewards(actors[nodeSeed % 3]);
    }

    function slash(uint256 nodeSeed, uint96 amount) external counted("slash", nodeSeed) {
        slashed += staking.slash(actors[nodeSeed % 3], uint128(bound(amount, 1, 200 ether)), CHALLENGER);
    }

    function collectBounty() external counted("collectBounty", 0) {
        uint256 held = token.balanceOf(CHALLENGER);
        staking.collectBounty(CHALLENGER);
        paid += token.balanceOf(CHALLENGER) - held;
    }

    function burnSlashed() external counted("burnSlashed", 0) {
        uint256 supply = token.totalSupply();
        staking.burnSlashed();
        burnt += supply - token.totalSupply();
    }

    function lock(uint256 nodeSeed, uint96 amount) external counted("lock", nodeSeed) {
        staking.lock(actors[nodeSeed % 3], uint128(bound(amount, 1, 500 ether)));
    }

    function pass(uint16 seconds_) external {
        vm.warp(block.timestamp + 1 + seconds_ % 700);
        ++done["pass"];
    }

    function principal() external view returns (uint256 sum) {
        for (uint256 i = 0; i < 3; ++i) {
            INodeStaking.Pool memory own = staking.ownPool(actors[i]);
            INodeStaking.Pool memory delegated = staking.delegationPool(actors[i]);
            sum += uint256(own.tokens) + own.unbondingTokens + delegated.tokens + delegated.unbondingTokens;
        }
    }

    function _pool(address node) private view returns (uint256 tokens, uint256 shares) {
        INodeStaking.Pool memory pool = staking.delegationPool(node);
        return (pool.tokens, pool.shares);
    }
}

/// @title Laws of the stake, whatever its actors do. Numbers are those of the protocol's list of invariants.
contract NodeStakingInvariants is Test {
    StakingActors private actors;
    NodeStaking private staking;

    function setUp() external {
        actors = new StakingActors();
        staking = actors.staking();
        targetContract(address(actors));
    }

    /// @dev 14, 24: what it holds is principal, unclaimed rewards and what slashes left, each to the wei.
    function invariant_holdsPrincipalAndRewards() external view {
        uint256 rewards = actors.rewardsIn() - actors.rewardsOut();
        uint256 left = staking.unburnt() + staking.bountyOf(actors.CHALLENGER());
        assertEq(actors.token().balanceOf(address(staking)), actors.principal() + rewards + left);
    }

    /// @dev 15, 16: shares of the stakers are the pool's, and a pool is empty of both or of neither.
    function invariant_sharesAddUp() external view {
        for (uint256 i = 0; i < 3; ++i) {
            address node = actors.actors(i);
            INodeStaking.Pool memory pool = staking.delegationPool(node);
            uint256 sum = 0;
            for (uint256 j = 0; j < 3; ++j) {
                if (i != j) sum += staking.sharesOf(node, actors.actors(j));
            }
            assertEq(sum, pool.shares);
            assertEq(pool.tokens == 0, pool.shares == 0);
        }
    }

    /// @dev 17: nothing but a slash makes a share worth less.
    function invariant_sharePriceFallsByNothingButASlash() external view {
        assertEq(actors.priceFalls(), 0);
    }

    /// @dev 20: what is locked is there.
    function invariant_locksAreCovered() external view {
        for (uint256 i = 0; i < 3; ++i) {
            assertLe(staking.locked(actors.actors(i)), staking.ownStake(actors.actors(i)));
        }
    }

    /// @dev 21: a slash burns and pays what it took, and pays no more than half.
    function invariant_slashesAreConserved() external view {
        uint256 bounty = actors.paid() + staking.bountyOf(actors.CHALLENGER());
        assertEq(actors.burnt() + staking.unburnt() + bounty, actors.slashed());
        assertLe(bounty * 2, actors.slashed());
    }

    /// @dev 25: nobody is owed more than came in.
    function invariant_rewardsOwedAreCovered() external view {
        uint256 owed = 0;
        for (uint256 i = 0; i < 9; ++i) {
            owed += staking.pendingRewards(actors.actors(i / 3), actors.actors(i % 3));
        }
        assertLe(owed + actors.rewardsOut(), actors.rewardsIn());
    }
}
