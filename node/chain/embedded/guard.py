"""Who may talk to the server at all. It unlocks accounts, so no web page that the user visits may.

A page can send requests to 127.0.0.1 in two ways: from its own origin (stopped by the Origin check and by
demanding a JSON content type, which browsers do not send across origins unasked), and by DNS rebinding
(stopped by the Host check). Browser extensions are installed by the user and pass.
"""

from dataclasses import dataclass
from urllib.parse import urlsplit

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})
EXTENSION_SCHEMES = frozenset({"chrome-extension", "moz-extension", "safari-web-extension"})
ALLOWED_METHODS = "POST, OPTIONS"


@dataclass(frozen=True)
class Guard:
    """Allow-lists of host names (without port) and of web origins (scheme://host:port)."""

    hosts: frozenset[str] = LOOPBACK_HOSTS
    origins: frozenset[str] = frozenset()

    def refusal(self, host: str | None, origin: str | None) -> str | None:
        """Why a request is refused, or None."""
        if _hostname(host) not in self.hosts:
            return "host not allowed"
        if origin is not None and not self._allows(origin):
            return "origin not allowed"
        return None

    def _allows(self, origin: str) -> bool:
        return origin in self.origins or origin.partition("://")[0] in EXTENSION_SCHEMES

    def cors_headers(self, origin: str | None) -> dict[str, str]:
        """The headers that let an allowed page read the answer; none for anyone else."""
        if origin is None or not self._allows(origin):
            return {}
        return {
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Allow-Methods": ALLOWED_METHODS,
            "Access-Control-Allow-Headers": "content-type",
            "Vary": "Origin",
        }


def _hostname(host: str | None) -> str | None:
    try:
        return urlsplit(f"//{host}").hostname if host else None
    except ValueError:
        return None
