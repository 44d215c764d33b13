"""Where the worker's processes say what they do: JSON lines on standard error, prompts never among them."""

from __future__ import annotations

import sys

import structlog


def log_to_stderr() -> None:
    """JSON lines with plain tracebacks; never with local variables, which hold prompts."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
