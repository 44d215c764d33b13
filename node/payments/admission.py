"""Who pays for a request, and whether it is let in: the check and the reservation are one transaction.

Two requests of one channel that arrive together can therefore never both be promised its last wei.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from node.errors import InvalidInput
from node.payments.acknowledge import Vouchers
from node.payments.channels import Channels
from node.payments.credit import CreditRefused, SessionLimit, check_admission, check_price_cap
from node.payments.session import Sessions, Unauthenticated
from node.payments.vouchers import SignedVoucher, VoucherNotAuthorised
from node.store.channels import StoredChannel
from node.store.database import Database
from node.store.jobs import JobStore, StoredJob


@dataclass(frozen=True)
class Payer:
    """The channel that pays, and either the session that signs for it or the voucher that came with the
    request.
    """

    channel: StoredChannel
    session_id: bytes | None
    signer: str | None
    voucher: SignedVoucher | None


class Admissions:
    """Identifies payers and reserves credit."""

    def __init__(
        self,
        database: Database,
        channels: Channels,
        sessions: Sessions,
        vouchers: Vouchers,
        willing_to_lose: int,
    ) -> None:
        self._db = database
        self._jobs = JobStore(database)
        self._channels = channels
        self._sessions = sessions
        self._vouchers = vouchers
        self._willing_to_lose = willing_to_lose

    def identify(self, api_key: str | None, voucher: SignedVoucher | None) -> Payer:
        """The payer of a request. Raises Unauthenticated where it names none, VoucherNotAuthorised and the
        like where its voucher is not the payer's."""
        if api_key is not None and voucher is not None:
            raise InvalidInput("a request is paid by an API key or by a voucher, not by both")
        if api_key is not None:
            session = self._sessions.authenticate(api_key)
            channel = self._channels.channel(session.channel_id)
            return Payer(channel, session.session_id, session.signer, None)
        if voucher is not None:
            channel = self._channels.channel(voucher.voucher.channel_id)
            # Before anything is looked up: a repeated key returns a stored answer.
            self._vouchers.authorise(voucher, channel)
            return Payer(channel, None, None, voucher)
        raise Unauthenticated("a paid request needs an API key or a voucher")

    def admit(self, job: StoredJob, payer: Payer, max_price: int | None, revives: bool) -> None:
        """Record the job with its price reserved, or raise the reason why not."""
        check_price_cap(job.reserved, max_price)
        if payer.voucher is not None:
            self._vouchers.accept(payer.voucher, payer.channel, opens=job.request_id)
        channel_id = payer.channel.channel_id
        try:
            limit = self._session_limit(payer, self._channels.session_limit)
            self._reserve(job, payer.channel, limit, revives)
        except CreditRefused:
            # What is cached may be older than a deposit or a raised cap; only the chain's own word refuses.
            limit = self._session_limit(payer, self._channels.refresh_limit)
            self._reserve(job, self._channels.refresh(channel_id), limit, revives)

    def _session_limit(
        self, payer: Payer, read: Callable[[bytes, str], SessionLimit | None]
    ) -> SessionLimit | None:
        if payer.signer is None:
            return None
        limit = read(payer.channel.channel_id, payer.signer)
        if limit is None:
            raise VoucherNotAuthorised(
                "the wallet has not authorised this API key on chain", signer=payer.signer
            )
        return limit

    def _reserve(
        self, job: StoredJob, channel: StoredChannel, session: SessionLimit | None, revives: bool
    ) -> None:
        with self._db.transaction():
            check_admission(
                self._channels.credit(channel),
                job.reserved,
                self._willing_to_lose,
                session,
                self._vouchers.needed_until(),
            )
            if revives:
                self._jobs.revive(job)
            else:
                self._jobs.insert(job)
