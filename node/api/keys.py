"""What the application carries, by typed key. Handlers take from here what they need and nothing else."""

from dataclasses import dataclass

from aiohttp import web

from node.api.limits import InFlight
from node.api.parameters import Limits
from node.api.ports import Answers, Chain, Health, Models, Network, Pipeline
from node.metrics import Registry


@dataclass(frozen=True)
class Timeouts:
    """Seconds a client may take to send its body, and to read what we write."""

    body: float
    write: float


PIPELINE = web.AppKey("pipeline", Pipeline)
MODELS = web.AppKey("models", Models)
ANSWERS = web.AppKey("answers", Answers)
NETWORK = web.AppKey("network", Network)
HEALTH = web.AppKey("health", Health)
CHAIN = web.AppKey("chain", Chain)
LIMITS = web.AppKey("limits", Limits)
IN_FLIGHT = web.AppKey("in_flight", InFlight)
TIMEOUTS = web.AppKey("timeouts", Timeouts)
METRICS = web.AppKey("metrics", Registry)
ALLOWED_HOSTS = web.AppKey("allowed_hosts", frozenset[str])
# This node's public address where the operator states one; otherwise the request's own.
PUBLIC_URL = web.AppKey("public_url", str)


def origin_of(request: web.Request) -> str:
    """Scheme and host for links, without a slash at the end."""
    return request.app[PUBLIC_URL] or str(request.url.origin())
