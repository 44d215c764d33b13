"""A channel's vouchers as this node handles them: what the payer should sign next, what it signed, what a
key signs.

Only the best voucher of a channel is kept, since a later one covers all that an earlier one did.
"""

from __future__ import annotations

from collections.abc import Callable

from node.chain.signer import recover_digest, sign_digest
from node.failpoints import failpoint
from node.log import get_logger
from node.payments.channels import Channels
from node.payments.credit import SessionLimit
from node.payments.session import Sessions
from node.payments.vouchers import (
    Authority,
    SignedVoucher,
    VoucherReused,
    check_authority,
    check_content,
    check_time,
)
from node.store.channels import ChannelStore, StoredChannel, StoredVoucher
from protocol.eip712 import Domain, typed_digest
from protocol.hashing import Keccak, sha256
from protocol.receipt import Voucher, hash_voucher

log = get_logger("vouchers")


class Vouchers:
    """Accepts vouchers from payers and signs those of session keys."""

    def __init__(
        self,
        channels: Channels,
        store: ChannelStore,
        sessions: Sessions,
        domain: Domain,
        keccak: Keccak,
        clock: Callable[[], int],
        validity_seconds: int,
        claim_margin_seconds: int,
    ) -> None:
        self._channels = channels
        self._store = store
        self._sessions = sessions
        self._domain = domain
        self._keccak = keccak
        self._clock = clock
        self._validity = validity_seconds
        self._margin = claim_margin_seconds

    def digest(self, voucher: Voucher) -> bytes:
        """The 32 bytes that a voucher's signer signs."""
        return typed_digest(self._domain, hash_voucher(voucher, self._keccak), self._keccak)

    def needed_until(self) -> int:
        """Until when a voucher taken now must stay claimable (unix seconds)."""
        return self._clock() + self._margin

    def next(self, channel_id: bytes) -> Voucher:
        """What the payer should sign now: it acknowledges every receipt of the channel so far."""
        issued = self._channels.issued(channel_id)
        return Voucher(
            channel_id, issued.cumulative, issued.count, issued.root, self._clock() + self._validity
        )

    def best(self, channel_id: bytes) -> StoredVoucher | None:
        return self._store.find_voucher(channel_id)

    def authorise(self, signed: SignedVoucher, channel: StoredChannel) -> str:
        """Who signed a voucher; raises where that is neither the payer nor a session signer within its
        cap.
        """
        signer = recover_digest(self.digest(signed.voucher), signed.signature)
        session = None
        if signer != channel.payer:
            session = self._channels.session_limit(channel.channel_id, signer)
        check_authority(signed.voucher, Authority(signer, channel.payer, session), self._clock())
        return signer

    def accept(
        self, signed: SignedVoucher, channel: StoredChannel, opens: bytes | None = None
    ) -> StoredVoucher:
        """Check a payer's voucher and keep it if it is the best of its channel.

        `opens` is the request it comes with. A voucher opens one request only: it becomes public when it is
        claimed, and must not let a stranger spend the payer's credit. Raises one of the errors in
        `node.payments.vouchers`.
        """
        voucher = signed.voucher
        signer = self.authorise(signed, channel)
        check_time(voucher, self.needed_until())
        best = self.best(channel.channel_id)
        check_content(
            voucher,
            self._channels.issued(channel.channel_id, voucher.receipt_count),
            acknowledged=0 if best is None else best.cumulative,
        )
        # Malleable signatures of one voucher are one voucher: what is spent is the digest and its signer.
        spent = sha256(self.digest(voucher) + bytes.fromhex(signer[2:]))
        if not self._store.spend_voucher(spent, opens):
            raise VoucherReused("this voucher has opened another request; sign one with another validBefore")
        return self._keep(voucher, signer, signed.signature)

    def sign_for(self, session_id: bytes) -> StoredVoucher | None:
        """Sign the next voucher of a session's channel, up to the cap that its wallet set on chain.

        None where the cap or the expiry forbids it: the receipts stay owed, and their payer can still sign.
        """
        session = self._sessions.find(session_id)
        voucher = self.next(session.channel_id)
        best = self.best(session.channel_id)
        if (
            best is not None
            and best.cumulative >= voucher.cumulative
            and best.valid_before > self.needed_until()
        ):
            return best
        limit = self._channels.session_limit(session.channel_id, session.signer)
        if limit is None or not _within(voucher, limit, self._clock()):
            log.warning("session_cannot_sign", signer=session.signer, cumulative=voucher.cumulative)
            return None
        signature = sign_digest(self._sessions.private_key(session_id), self.digest(voucher))
        failpoint("voucher.signed")
        return self._keep(voucher, session.signer, signature)

    def sign_outstanding(self) -> None:
        """Sign for every session that a kill or a spent cap kept from acknowledging its own receipts."""
        for session_id in self._channels.unacknowledged_sessions():
            self.sign_for(session_id)

    def _keep(self, voucher: Voucher, signer: str, signature: bytes) -> StoredVoucher:
        stored = StoredVoucher(
            voucher.channel_id,
            voucher.cumulative,
            voucher.receipt_count,
            voucher.receipts_root,
            voucher.valid_before,
            signer,
            signature,
        )
        self._store.put_voucher(stored)
        return stored


def _within(voucher: Voucher, limit: SessionLimit, now: int) -> bool:
    return voucher.cumulative <= limit.cap and now < limit.expires_at
