"""Log lines carry names and values, and never secrets."""

import io
import json
from collections.abc import Iterator

import pytest
import structlog

from node.log import SECRET_NAMES, configure, get_logger


@pytest.fixture(autouse=True)
def defaults() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def lines(as_json: bool, level: str = "info") -> tuple[io.StringIO, object]:
    stream = io.StringIO()
    configure(level, as_json, stream)
    return stream, get_logger("test")


def test_a_json_line_has_event_level_time_and_values() -> None:
    """SPEC 0.58"""
    stream, log = lines(True)
    log.info("epoch_posted", epoch=7)  # type: ignore[attr-defined]
    body = json.loads(stream.getvalue())
    assert (body["event"], body["level"], body["epoch"], body["component"]) == (
        "epoch_posted",
        "info",
        7,
        "test",
    )
    assert body["timestamp"].endswith("Z")


@pytest.mark.parametrize("as_json", [True, False])
@pytest.mark.parametrize("name", sorted(SECRET_NAMES))
def test_a_field_named_like_a_secret_is_never_written(as_json: bool, name: str) -> None:
    """SPEC 0.58"""
    stream, log = lines(as_json)
    log.info("event", **{name: "hunter2"})  # type: ignore[attr-defined]
    assert "hunter2" not in stream.getvalue()
    assert "[redacted]" in stream.getvalue()


def test_lines_below_the_level_are_not_written() -> None:
    """SPEC 0.58"""
    stream, log = lines(True, "warning")
    log.info("quiet")  # type: ignore[attr-defined]
    log.warning("loud")  # type: ignore[attr-defined]
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["loud"]


def test_an_exception_is_one_line_of_json() -> None:
    """SPEC 0.58"""
    stream, log = lines(True)
    try:
        raise ValueError("broken")
    except ValueError:
        log.exception("failed")  # type: ignore[attr-defined]
    body = json.loads(stream.getvalue())
    assert body["exception"][0]["exc_type"] == "ValueError"
