"""What an order asks, apart from everything around it."""

import pytest

from node.serving.order import Order
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
