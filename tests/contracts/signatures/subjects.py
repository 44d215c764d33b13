"""Everything of ours that a signature opens, each with a message that is good until it is tampered with."""

from collections.abc import Callable

from tests.contracts.signatures.accounts import Account
from tests.contracts.signatures.money import authorization, cancellation, permit, session_voucher, voucher
from tests.contracts.signatures.signed import Signed
from tests.contracts.signatures.work import gateway_receipt, labour, receipt, signer_proof
from tests.contracts.world import World

SUBJECTS: dict[str, Callable[[World, Account], Signed]] = {
    "voucher": voucher,
    "session voucher": session_voucher,
    "receipt": receipt,
    "gateway receipt": gateway_receipt,
    "transfer (v, r, s)": authorization("transferWithAuthorization", True),
    "transfer bytes": authorization("transferWithAuthorization", False),
    "receive (v, r, s)": authorization("receiveWithAuthorization", True),
    "receive bytes": authorization("receiveWithAuthorization", False),
    "cancel (v, r, s)": cancellation(True),
    "cancel bytes": cancellation(False),
    "permit": permit,
    "signer proof": signer_proof,
    "labour": labour,
}
