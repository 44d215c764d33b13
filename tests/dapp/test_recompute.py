"""The button that recomputes: what agrees and what does not, in words, and no script from what is shown."""

from collections.abc import Callable
from typing import Any

import pytest

from node.attribution.findings import Finding
from tests.dapp.conftest import Visit, World
from tests.dapp.test_wallet import expect
from tests.node.api import samples

pytestmark = pytest.mark.browser

AGREEING = Finding("spans", True, "2 equal", "2 equal")
LYING = Finding("gradient units", False, "row 4: 10", "row 4: <b>9</b>")
UNTOLD = Finding("tokens", None, "shown", "not shown")


@pytest.fixture
def page(world: World, visit: Callable[..., Visit]) -> Any:
    return visit(f"{world.url}/answers/0x{samples.REQUEST_ID.hex()}").page


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        ((AGREEING,), "All 1 findings agree"),
        ((AGREEING, LYING), "1 of 2 findings disagree"),
        ((AGREEING, UNTOLD), "not all of it can be told"),
    ],
)
def test_the_button_says_what_agrees(
    page: Any, world: World, found: tuple[Finding, ...], verdict: str
) -> None:
    """SPEC 5.171"""
    world.rechecks.found = found
    page.click("#recompute")
    expect(page.locator("#recompute-verdict")).to_contain_text(verdict)
    lines = page.locator("#recompute-findings tbody tr")
    expect(lines).to_have_count(len(found))
    for place, one in enumerate(found):
        expect(lines.nth(place)).to_contain_text(one.found)
        expect(lines.nth(place)).to_have_attribute(
            "data-agrees", {True: "true", False: "false", None: "null"}[one.agrees]
        )


def test_a_reply_that_is_none_is_said_to_be_and_may_be_asked_for_again(page: Any, world: World) -> None:
    """SPEC 5.171"""
    world.rechecks.found = (AGREEING,)
    page.route("**/recompute", lambda route: route.fulfill(status=200, body="no json"), times=1)
    page.click("#recompute")
    expect(page.locator("#recompute-verdict")).to_contain_text("could not be computed")
    expect(page.locator("#recompute-findings")).to_be_hidden()
    page.click("#recompute")
    expect(page.locator("#recompute-verdict")).to_contain_text("All 1 findings agree")
