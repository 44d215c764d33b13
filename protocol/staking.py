"""The arithmetic of stake: shares of a pool, rewards that flow, locks that take turns.

Twin of contracts/libraries/ShareMath.sol, RewardDrip.sol and StakeLocks.sol; times are unix seconds.
"""

from dataclasses import dataclass, replace

VIRTUAL_SHARES = 1_000


def to_shares_down(amount: int, tokens: int, shares: int) -> int:
    """The shares that `amount` more tokens buy of a pool of `tokens` and `shares`."""
    return amount * (shares + VIRTUAL_SHARES) // (tokens + 1)


def to_tokens_down(part: int, tokens: int, shares: int) -> int:
    """The tokens that `part` of all `shares` takes out: the last take all, others leave a wei or more."""
    if part == shares:
        return tokens
    return min(part * (tokens + 1) // (shares + VIRTUAL_SHARES), tokens - 1)


@dataclass(frozen=True, slots=True)
class Drip:
    """Rewards of a node's stakers on their way: `left` flows evenly from `last` to `until`."""

    left: int = 0
    last: int = 0
    until: int = 0

    def due(self, now: int) -> int:
        """What has flowed since `last`."""
        if now >= self.until:
            return self.left
        return self.left * (now - self.last) // (self.until - self.last)

    def taken(self, amount: int, now: int) -> "Drip":
        """After what was due went to the stakers."""
        return replace(self, left=self.left - amount, last=now)

    def paused(self, now: int) -> "Drip":
        """Nobody was staked since `last`: the rest of the time begins now."""
        if self.left == 0:
            return self
        return replace(self, last=now, until=self.until + now - self.last)

    def added(self, amount: int, period: int, now: int) -> "Drip":
        """After a reward came, what was due being taken; the time left is the mean by amount, rounded towards
        what it was.
        """
        left = self.left + amount
        rest = self.until - self.last if self.left else period
        moved = amount * abs(period - rest) // left
        return Drip(left, now, now + (rest + moved if period >= rest else rest - moved))


@dataclass(frozen=True, slots=True)
class Locks:
    """Own stake that is spoken for; each amount holds for one to two periods."""

    older: int = 0
    newer: int = 0
    older_until: int = 0
    newer_until: int = 0
    rotate_at: int = 0

    def held(self, now: int) -> int:
        """What is locked now."""
        return self._older(now) + self._newer(now)

    def added(self, amount: int, period: int, now: int) -> "Locks":
        """After a lock of `amount` under `period`."""
        if now >= self.rotate_at and now >= self.older_until:
            turned = Locks(self._newer(now), 0, self.newer_until, now + 2 * period, now + period)
        else:
            turned = replace(self, newer=self._newer(now))
        return replace(turned, newer=turned.newer + amount, newer_until=max(turned.newer_until, now + period))

    def reduced_to(self, limit: int, now: int) -> "Locks":
        """After a slash left `limit` of own stake: what would be free first goes first."""
        excess = max(0, self.held(now) - limit)
        from_older = min(excess, self._older(now))
        if excess == 0:
            return self
        return replace(self, older=self._older(now) - from_older, newer=self.newer - (excess - from_older))

    def _older(self, now: int) -> int:
        return self.older if now < self.older_until else 0

    def _newer(self, now: int) -> int:
        return self.newer if now < self.newer_until else 0
