"""A live answer: every reader sees the same answer, whenever it comes."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.serving.live import Finished, LiveAnswer, Token

END = Finished("stop", 1, 3, 5)


async def read(live: LiveAnswer) -> list[Token | Finished]:
    return [event async for event in live.follow()]


@given(count=st.integers(0, 12), joins=st.lists(st.integers(0, 12), max_size=6))
@settings(deadline=None)
def test_readers_that_join_anywhere_get_the_same_answer(count: int, joins: list[int]) -> None:
    """SPEC 4.34"""

    async def run() -> list[list[Token | Finished]]:
        live = LiveAnswer()
        readers = []
        for place in range(13):
            readers += [asyncio.create_task(read(live)) for join in joins if join == place]
            if place < count:
                live.append(Token(str(place), place))
            await asyncio.sleep(0)
        live.finish(END)
        readers.append(asyncio.create_task(read(live)))
        return await asyncio.gather(*readers)

    expected = [*(Token(str(place), place) for place in range(count)), END]
    assert all(seen == expected for seen in asyncio.run(run()))


async def test_a_reader_that_leaves_stops_nothing() -> None:
    """SPEC 4.34"""
    live = LiveAnswer()
    leaver, stayer = live.follow(), asyncio.create_task(read(live))
    live.append(Token("a", 1))
    assert await anext(leaver) == Token("a", 1)
    await leaver.aclose()
    live.append(Token("b", 2))
    live.finish(END)
    assert await stayer == [Token("a", 1), Token("b", 2), END]


async def test_an_error_reaches_every_reader_after_the_tokens_before_it() -> None:
    """SPEC 4.34"""
    live = LiveAnswer()
    live.append(Token("a", 1))
    live.finish(RuntimeError("gone"))
    live.finish(END)
    reader = live.follow()
    assert await anext(reader) == Token("a", 1)
    with pytest.raises(RuntimeError, match="gone"):
        await anext(reader)
