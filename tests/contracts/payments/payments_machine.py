"""A model of channels and requests that says, of every call, whether it succeeds or which error it meets.

It knows amounts, times and signers and nothing of hashes or storage; the machine that drives it beside the
contracts is test_payments_machine.py.
"""

from dataclasses import dataclass, field

MIN_DELAY = 60


@dataclass
class Purse:
    """One channel: amounts in wei, times in seconds; `signers` holds (cap, expiry) by actor."""

    payer: str
    payee: str
    salt: bytes
    id: bytes = b""
    delay: int = MIN_DELAY
    deposited: int = 0
    claimed: int = 0
    ready_at: int = 0
    highest_signed: int = 0
    signers: dict[str, tuple[int, int]] = field(default_factory=dict)

    def refuses_claim(self, signer: str, sender: str, cumulative: int, valid_before: int, now: int) -> str:
        if sender != self.payee:
            return "PaymentChannelsNotPayee"
        return self.refuses_voucher(signer, cumulative, valid_before, now)

    def refuses_voucher(self, signer: str, cumulative: int, valid_before: int, now: int) -> str:
        if now >= valid_before:
            return "PaymentChannelsVoucherExpired"
        if signer == self.payer:
            return ""
        if signer not in self.signers:
            return "PaymentChannelsUnknownSigner"
        cap, expiry = self.signers[signer]
        if now >= expiry:
            return "PaymentChannelsSignerExpired"
        return "PaymentChannelsOverCap" if cumulative > cap else ""

    def covers(self, cumulative: int) -> int:
        """What a voucher would move now."""
        return max(0, min(cumulative, self.deposited) - self.claimed)

    def take(self, cumulative: int) -> int:
        moved = self.covers(cumulative)
        self.claimed += moved
        self.highest_signed = max(self.highest_signed, cumulative)
        return moved

    def refuses_signer(self, sender: str, signer: str, cap: int, expiry: int, now: int) -> str:
        if sender != self.payer:
            return "PaymentChannelsNotPayer"
        if now >= expiry:
            return "PaymentChannelsSignerExpired"
        held = self.signers.get(signer, (0, 0))
        return "PaymentChannelsSignerCannotShrink" if cap < held[0] or expiry < held[1] else ""

    def refuses_withdraw(self, sender: str, now: int) -> str:
        if sender != self.payer:
            return "PaymentChannelsNotPayer"
        if not self.ready_at:
            return "PaymentChannelsWithdrawNotRequested"
        return "PaymentChannelsWithdrawTooEarly" if now < self.ready_at else ""

    def withdraw(self) -> int:
        amount = self.deposited - self.claimed
        self.deposited, self.ready_at = self.claimed, 0
        return amount


@dataclass
class Question:
    """One request at the gateway."""

    requester: str
    highest: int
    deadline: int
    state: str = "pending"

    def refuses_answer(self, sender: str, price: int, now: int) -> str:
        if self.state != "pending":
            return "InferenceGatewayNotPending"
        if now >= self.deadline:
            return "InferenceGatewayDeadlinePassed"
        if sender != "node":
            return "InferenceGatewayNotNode"
        return "InferenceGatewayOverPrice" if price > self.highest else ""

    def refuses_refund(self, now: int) -> str:
        if self.state != "pending":
            return "InferenceGatewayNotPending"
        return "InferenceGatewayDeadlineNotPassed" if now < self.deadline else ""
