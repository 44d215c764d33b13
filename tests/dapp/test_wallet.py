"""A person with a browser and a wallet: each action changes the chain, a refusal changes nothing."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from node.api.display import amount
from protocol.parameters import DEFAULTS, Split
from tests.dapp.conftest import OPEN, Visit, Wallet, World

pytestmark = pytest.mark.browser

SHOTS = os.environ.get("OPENLEDGER_SCREENSHOTS")
TARGET = Split(50_000, 50_000, 150_000, 100_000, 100_000, 550_000)


def expect(subject: Any) -> Any:
    from playwright.sync_api import expect as playwright_expect

    playwright_expect.set_options(timeout=20_000)
    return playwright_expect(subject)


def shoot(visit: Visit, name: str) -> None:
    """Keeps a picture where someone wants to look."""
    if SHOTS:
        visit.page.screenshot(path=str(Path(SHOTS) / f"{name}.png"), full_page=True)


def connect(visit: Visit) -> None:
    visit.page.click("#connect")
    visit.page.click('[data-rdns="org.example.test"]')
    expect(visit.page.locator("#account")).to_be_visible()


def toast(visit: Visit, state: str) -> Any:
    return visit.page.locator(f'.toast[data-state="{state}"]').last


def staked(world: World) -> int:
    functions = world.contract("NodeStaking").functions
    return int(functions.stakeOf(world.operator.address, world.user.address).call())


def propose(world: World) -> int:
    """The operator opens a proposal to give contributors more; voting is open when this returns."""
    governor, parameters = world.contract("OpenGovernor"), world.contract("ProtocolParameters")
    calldata = parameters.encode_abi("setSplit", args=[TARGET.parts])
    description = (
        f"Give contributors 55 per cent\nTheir data is what answers. Take {world.web3.eth.block_number}."
    )
    arguments = [parameters.address], [0], [calldata], description
    digest = world.web3.keccak(text=description)
    number: int = governor.functions.getProposalId(*arguments[:3], digest).call()
    world.send(world.operator, governor.functions.propose(*arguments))
    world.rpc("evm_increaseTime", 5)
    world.rpc("evm_mine")
    return number


def test_the_picker_lists_wallets_and_their_names_stay_text(
    world: World, visit: Callable[..., Visit]
) -> None:
    """SPEC 10.8"""
    opened = visit(world.url + "/stake")
    opened.page.click("#connect")
    expect(opened.page.locator("#wallets button")).to_have_count(2)
    expect(opened.page.locator("#wallets")).to_contain_text("Other <b>Wallet</b>")
    expect(opened.page.locator("#wallets b")).to_have_count(0)
    shoot(opened, "picker")


def test_an_older_wallet_is_found_too(world: World, visit: Callable[..., Visit]) -> None:
    """SPEC 10.8"""
    opened = visit(world.url + "/stake", legacy=True)
    opened.page.click("#connect")
    opened.page.click('[data-rdns="legacy"]')
    expect(opened.page.locator("#account")).to_be_visible()


def test_declining_to_connect_is_no_error(world: World, visit: Callable[..., Visit], wallet: Wallet) -> None:
    """SPEC 10.9"""
    wallet.declines.add("eth_requestAccounts")
    opened = visit(world.url + "/stake")
    opened.page.click("#connect")
    opened.page.click('[data-rdns="org.example.test"]')
    expect(toast(opened, "declined")).to_contain_text("Nothing was sent")
    expect(opened.page.locator('.toast[data-state="failed"]')).to_have_count(0)


def test_staking_adds_the_chain_signs_a_permit_and_stakes(
    world: World, visit: Callable[..., Visit], wallet: Wallet
) -> None:
    """SPEC 10.11, SPEC 10.12"""
    before = staked(world)
    opened = visit(world.url + "/stake")
    connect(opened)
    expect(opened.page.locator("#network")).to_contain_text("Wrong network")
    opened.page.fill("#stake-amount", "250.5")
    opened.page.click("#stake")
    expect(toast(opened, "confirmed").filter(has_text="Stake: confirmed in block")).to_be_visible()
    assert staked(world) == before + 250 * OPEN + OPEN // 2
    assert wallet.calls.index("wallet_addEthereumChain") < wallet.calls.index("eth_signTypedData_v4")
    assert wallet.calls.count("eth_sendTransaction") == 1
    allowance = world.contract("OpenToken").functions.allowance(
        world.user.address, world.contract("NodeStaking").address
    )
    assert allowance.call() == 0
    expect(opened.page.locator("#staked")).to_have_text("250.5")
    expect(opened.page.locator(".earners")).to_contain_text("250.5")
    expect(opened.page.locator("#network")).to_have_text("OpenLedger test")
    shoot(opened, "staked")


@pytest.mark.parametrize(
    "declined", ["wallet_addEthereumChain", "eth_signTypedData_v4", "eth_sendTransaction"]
)
def test_declining_at_any_step_stakes_nothing(
    world: World, visit: Callable[..., Visit], wallet: Wallet, declined: str
) -> None:
    """SPEC 10.9"""
    wallet.declines.add(declined)
    before = staked(world)
    opened = visit(world.url + "/stake")
    connect(opened)
    opened.page.fill("#stake-amount", "10")
    opened.page.click("#stake")
    expect(toast(opened, "declined")).to_contain_text("you declined in your wallet")
    expect(opened.page.locator("#stake")).to_be_enabled()
    assert staked(world) == before
    assert "eth_sendTransaction" not in wallet.calls or declined == "eth_sendTransaction"


@pytest.mark.parametrize(
    "amount", ["", "0", "-1", "1e3", "1.0000000000000000001", "abc", "999999999999999999999999999999"]
)
def test_an_amount_that_is_none_never_reaches_the_wallet(
    world: World, visit: Callable[..., Visit], wallet: Wallet, amount: str
) -> None:
    """SPEC 10.12"""
    opened = visit(world.url + "/stake")
    connect(opened)
    opened.page.fill("#stake-amount", amount)
    opened.page.click("#stake")
    expect(opened.page.locator("#stake-error")).to_contain_text("Enter a positive amount")
    assert "eth_signTypedData_v4" not in wallet.calls


def test_what_the_contract_would_refuse_is_told_before_anyone_pays(
    world: World, visit: Callable[..., Visit], wallet: Wallet
) -> None:
    """SPEC 10.11"""
    opened = visit(world.url + "/stake")
    connect(opened)
    opened.page.fill("#stake-amount", "1000000")
    opened.page.click("#stake")
    expect(toast(opened, "failed")).to_contain_text("ERC20InsufficientBalance")
    assert "eth_sendTransaction" not in wallet.calls


def test_delegating_and_voting_change_the_chain_and_the_vote_is_shown(
    world: World, visit: Callable[..., Visit], wallet: Wallet
) -> None:
    """SPEC 10.13, SPEC 10.14"""
    wallet.known.add(world.chain.chain_id)
    token, governor = world.contract("OpenToken"), world.contract("OpenGovernor")
    opened = visit(world.url + "/governance")
    connect(opened)
    expect(opened.page.locator("#delegate-hint")).to_be_visible()
    opened.page.click("#delegate")
    expect(opened.page.locator("#delegate-of")).to_have_text("yourself")
    assert token.functions.delegates(world.user.address).call() == world.user.address
    power = token.functions.getVotes(world.user.address).call()
    assert power == token.functions.balanceOf(world.user.address).call() > 0

    number = propose(world)
    opened.page.reload()
    item = opened.page.locator(f'[data-proposal="{number}"]')
    expect(item.locator(".countdown")).to_contain_text("Voting ends in")
    expect(item).to_contain_text("ProtocolParameters.setSplit")
    item.get_by_role("radio", name="For").check()
    item.get_by_label("Reason").fill("Their data is what answers.")
    item.get_by_role("button", name="Vote").click()
    expect(item.locator(".voted")).to_be_visible()
    assert governor.functions.hasVoted(number, world.user.address).call()
    _, in_favour, _ = governor.functions.proposalVotes(number).call()
    assert in_favour == power
    expect(item.locator(".tally")).to_contain_text(f"For{amount(power)}")
    shoot(opened, "voted")
    assert world.contract("ProtocolParameters").functions.version().call() == DEFAULTS.version


def test_declining_a_vote_casts_none(world: World, visit: Callable[..., Visit], wallet: Wallet) -> None:
    """SPEC 10.9, SPEC 10.14"""
    wallet.known.add(world.chain.chain_id)
    wallet.declines.add("eth_sendTransaction")
    number = propose(world)
    opened = visit(world.url + "/governance")
    connect(opened)
    item = opened.page.locator(f'[data-proposal="{number}"]')
    item.get_by_role("radio", name="Against").check()
    item.get_by_role("button", name="Vote").click()
    expect(toast(opened, "declined")).to_be_visible()
    expect(item.locator(".voted")).to_be_hidden()
    assert not world.contract("OpenGovernor").functions.hasVoted(number, world.user.address).call()


def test_a_wallet_that_stays_on_another_chain_signs_nothing(
    world: World, visit: Callable[..., Visit], wallet: Wallet
) -> None:
    """SPEC 10.11"""
    wallet.declines.add("wallet_switchEthereumChain")
    opened = visit(world.url + "/governance")
    connect(opened)
    # The page fills it in once it has read the chain.
    expect(opened.page.locator("#delegatee")).to_have_value(wallet.account.address)
    opened.page.click("#delegate")
    expect(toast(opened, "declined")).to_be_visible()
    assert "eth_sendTransaction" not in wallet.calls
    assert wallet.chain_id == 1


def test_an_address_that_is_none_is_named(world: World, visit: Callable[..., Visit], wallet: Wallet) -> None:
    """SPEC 10.13"""
    opened = visit(world.url + "/governance")
    connect(opened)
    opened.page.fill("#delegatee", "0x12")
    opened.page.click("#delegate")
    expect(opened.page.locator("#delegate-error")).to_contain_text("40 hexadecimal digits")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", ["/", "/answers", "/answer", "/earnings", "/governance", "/stake"])
def test_every_page_fits_a_small_screen(
    world: World, visit: Callable[..., Visit], path: str, scheme: str
) -> None:
    """SPEC 10.15"""
    from tests.node.api.samples import REQUEST_ID

    where = f"/answers/0x{REQUEST_ID.hex()}" if path == "/answer" else path
    opened = visit(world.url + where, color_scheme=scheme)
    opened.page.set_viewport_size({"width": 320, "height": 640})
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= 320
    shoot(opened, f"small-{scheme}-{path.strip('/') or 'front'}")


def test_without_javascript_every_page_still_says_what_it_has(world: World, browser: Any) -> None:
    """SPEC 10.1"""
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    for path, said in (
        ("/", "From a datapoint"),
        ("/governance", "parameters in force"),
        ("/stake", "Nodes"),
    ):
        page.goto(world.url + path)
        expect(page.locator("main")).to_contain_text(said)
        expect(page.locator("#connect")).to_be_hidden()
    context.close()
