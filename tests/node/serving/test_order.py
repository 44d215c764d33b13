"""What an order asks, apart from everything around it."""

import json

import pytest

from node.serving.order import Order
from protocol.context import ContextRow
from protocol.sampling import Sampling


@pytest.mark.parametrize(
    ("messages", "prompt", "question"),
    [
        (None, "a prompt", "a prompt"),
        (
            (("system", "be kind"), ("user", "first"), ("assistant", "yes"), ("user", "second")),
            None,
            "second",
        ),
        ((("user", "asked"), ("assistant", "begun")), None, "asked"),
        ((("system", "alone"),), None, "alone"),
    ],
)
def test_the_question_is_what_the_user_said_last(
    messages: tuple[tuple[str, str], ...] | None, prompt: str | None, question: str
) -> None:
    """SPEC 4.164"""
    assert Order(messages, prompt, 3, Sampling()).question == question


def test_an_order_keeps_its_rows_and_one_without_reads_as_before() -> None:
    """SPEC 5.215"""
    order = Order(None, "q", 3, Sampling(), (ContextRow(7, "a row"), ContextRow(2, "b")))
    assert Order.from_json(order.to_json()) == order
    former = json.loads(order.to_json())
    del former["context"]
    assert Order.from_json(json.dumps(former)).context == ()
