"""Structured logging to standard error: event name plus key/values, one line each, as text or JSON.

Keys, passphrases, prompts and completions are never logged; `redact` is the net under callers that forget.
"""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog

SECRET_NAMES = frozenset(
    {"password", "passphrase", "private_key", "secret", "api_key", "token", "authorization", "mnemonic"}
    | {"prompt", "completion", "messages"}
)


def redact(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replaces the value of every field that is named like a secret or like a user's text."""
    for name in SECRET_NAMES & event.keys():
        event[name] = "[redacted]"
    return event


def configure(level: str = "info", as_json: bool = False, stream: TextIO | None = None) -> None:
    """Sets the process-wide format once, at start. `level` is a name of the standard library's levels."""
    out = stream if stream is not None else sys.stderr
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer(colors=out.isatty())
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.dict_tracebacks if as_json else structlog.processors.format_exc_info,
            redact,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(out),
        cache_logger_on_first_use=False,
    )


def get_logger(name: str) -> structlog.typing.FilteringBoundLogger:
    """A logger that adds `component=name` to each line."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger(component=name)
    return logger
