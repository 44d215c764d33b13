"""One field of an honest epoch made wrong, by someone who then does everything else right: roots are rebuilt
over the wrong rows and the records agree with them wherever a contract does not forbid it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from random import Random

from eth_hash.auto import keccak

from protocol.hashing import address_word
from protocol.ledger_records import (
    NO_COMMITMENT,
    EpochData,
    EpochRecords,
    PublishedCommitment,
    PublishedStatement,
    Row,
    Tree,
    receipts_tree,
    tree_of,
)
from protocol.receipt import Receipt, hash_voucher
from protocol.receipt_faults import PaymentRecords
from protocol.receipt_watch import ClaimedVoucher, Evidence
from protocol.sumtree import sum_root
from protocol.types import Address
from tests.protocol.ledgers import Played, PlayedEpoch
from tests.protocol.records import account, word

Rows = tuple[Row, ...]
Stated = tuple[tuple[Receipt, int], ...]


@dataclass(frozen=True)
class Corrupted:
    """An epoch with one thing wrong in it; `node` is whose statement it is in, None for a commitment."""

    name: str
    node: Address | None
    records: EpochRecords
    data: EpochData
    evidence: Evidence


def corrupted(played: Played, epoch: PlayedEpoch, random: Random) -> Iterator[Corrupted]:
    """Every kind of corruption, each at a place that `random` picks."""
    node = random.choice([one.node for one in epoch.statements])
    yield from _lines(played, epoch, node, random)
    yield from _statement_record(played, epoch, node)
    yield from _receipts(played, epoch, node, random)
    yield from _vouchers(played, epoch, node, random)
    yield from _commitment(played, epoch, random)


def row_changes(rows: Rows, random: Random) -> Iterator[tuple[str, Rows]]:
    """Each field of a row, its presence, its order and its uniqueness."""
    place = random.randrange(len(rows))
    row = rows[place]

    def put(*given: Row) -> Rows:
        return (*rows[:place], *given, *rows[place + 1 :])

    for name, major in (("smaller", 0), ("larger", 2**160 - 1), ("no account", row.major | 1 << 200)):
        yield f"major {name}", put(replace(row, major=major))
    yield "minor", put(replace(row, minor=row.minor ^ 1))
    yield "amount more", put(replace(row, amount=row.amount + 1))
    yield "amount less", put(replace(row, amount=row.amount - 1))
    yield "amount zero", put(replace(row, amount=0))
    yield "omitted", put()
    yield "twice", put(row, row)
    yield "nothing added", put(row, replace(row, minor=row.minor + 1, amount=0))
    yield "added", tuple(sorted((*rows, Row(2**160 - 2, row.minor, 5)), key=lambda one: one.key))
    if len(rows) > 1:
        other = random.choice([one for one in range(len(rows)) if one != place])
        swapped = list(rows)
        swapped[place], swapped[other] = rows[other], rows[place]
        yield "swapped", tuple(swapped)
        shifted = list(rows)
        shifted[place] = replace(row, amount=row.amount + 1)
        shifted[other] = replace(rows[other], amount=rows[other].amount - 1)
        yield "one wei moved", tuple(shifted)


def _lines(played: Played, epoch: PlayedEpoch, node: Address, random: Random) -> Iterator[Corrupted]:
    published = epoch.data.statements[node]
    for name, rows in row_changes(published.lines, random):
        yield with_lines(f"line: {name}", played, epoch, node, rows)


def with_lines(name: str, played: Played, epoch: PlayedEpoch, node: Address, rows: Rows) -> Corrupted:
    """The contract holds the total to what was funded; the count is the forger's."""
    published = replace(epoch.data.statements[node], lines=rows)
    root = tree_of(Tree.LINES, rows, keccak).root
    record = replace(epoch.records.statement(node), root=root.digest, count=root.count)
    return _with_statement(name, played, epoch, node, published, record)


def _with_statement(
    name: str, played: Played, epoch: PlayedEpoch, node: Address, published: PublishedStatement, record
) -> Corrupted:  # type: ignore[no-untyped-def]
    # No commitment: what is wrong with the statement must be provable by itself.
    records = replace(
        epoch.records, statements={**epoch.records.statements, node: record}, commitment=NO_COMMITMENT
    )
    data = replace(epoch.data, statements={**epoch.data.statements, node: published})
    return Corrupted(name, node, records, data, played.evidence)


def _statement_record(played: Played, epoch: PlayedEpoch, node: Address) -> Iterator[Corrupted]:
    published, record = epoch.data.statements[node], epoch.records.statement(node)
    for name, changed in (
        ("count", replace(record, count=record.count + 1)),
        ("total", replace(record, total=record.total + 1)),
        ("root", replace(record, root=word("no tree"))),
        ("empty root", replace(record, root=bytes(32))),
        ("receipts root", replace(record, receipts_root=word("no tree"))),
    ):
        yield _with_statement(f"statement: {name}", played, epoch, node, published, changed)


def _changed_field(receipt: Receipt, name: str) -> Receipt:
    value = getattr(receipt, name)
    if isinstance(value, bytes):
        return replace(receipt, **{name: word("changed", value)})
    return replace(receipt, **{name: account(99) if isinstance(value, str) else value + 1})


def receipt_changes(stated: Stated, random: Random) -> Iterator[tuple[str, Stated]]:
    """Each field of a receipt, its leaf's amount, its presence, its order and its uniqueness."""
    place = random.randrange(len(stated))
    receipt, amount = stated[place]

    def put(*given: tuple[Receipt, int]) -> Stated:
        return (*stated[:place], *given, *stated[place + 1 :])

    for name in Receipt.__slots__:
        changed = _changed_field(receipt, name)
        yield name, put((changed, changed.price if name == "price" else amount))
    yield "leaf amount", put((receipt, amount + 1))
    yield "omitted", put()
    yield "twice", put((receipt, amount), (receipt, amount))
    forged = replace(
        receipt, channel_id=b"\xff" * 32, request_id=word("forged"), cumulative=receipt.price, seq=1
    )
    yield "added", (*stated, (forged, forged.price))
    beyond = replace(receipt, seq=receipt.seq + 10**6, request_id=word("beyond"))
    beyond = replace(beyond, cumulative=receipt.cumulative + beyond.price)
    after = sorted((*stated, (beyond, beyond.price)), key=lambda one: (one[0].channel_id, one[0].seq))
    yield "beyond the voucher", tuple(after)
    if len(stated) > 1:
        yield "swapped", (stated[-1], *stated[1:-1], stated[0])


def _receipts(played: Played, epoch: PlayedEpoch, node: Address, random: Random) -> Iterator[Corrupted]:
    published, record = epoch.data.statements[node], epoch.records.statement(node)
    for name, stated in receipt_changes(published.receipts, random):
        root = receipts_tree(stated, keccak).root
        yield _with_statement(
            f"receipt: {name}",
            played,
            epoch,
            node,
            replace(published, receipts=stated),
            replace(record, receipts_root=root.digest),
        )


def _vouchers(played: Played, epoch: PlayedEpoch, node: Address, random: Random) -> Iterator[Corrupted]:
    channels = {receipt.channel_id for receipt, _ in epoch.data.statements[node].receipts}
    known = sorted(channels & played.evidence.claimed.keys())
    if not known:
        return
    channel = random.choice(known)
    last = played.evidence.claimed[channel]
    other = replace(
        last, leaves=(replace(last.leaves[0], amount=last.leaves[0].amount + 1), *last.leaves[1:])
    )
    for name, claimed in (
        ("cumulative", replace(last, voucher=replace(last.voucher, cumulative=last.voucher.cumulative + 1))),
        (
            "receipt count",
            replace(last, voucher=replace(last.voucher, receipt_count=last.voucher.receipt_count + 1)),
        ),
        ("no receipts", ClaimedVoucher(replace(last.voucher, receipts_root=bytes(32)))),
        ("receipts root", ClaimedVoucher(replace(last.voucher, receipts_root=word("no tree")))),
        ("acknowledged amount", _reissued(other)),
    ):
        yield Corrupted(
            f"voucher: {name}",
            node,
            epoch.records,
            epoch.data,
            with_voucher(played.evidence, channel, claimed),
        )
    payments = replace(
        played.evidence.payments, payees={**played.evidence.payments.payees, channel: account(98)}
    )
    evidence = replace(played.evidence, payments=payments)
    yield Corrupted("voucher: another payee", node, epoch.records, epoch.data, evidence)


def _reissued(claimed: ClaimedVoucher) -> ClaimedVoucher:
    root = sum_root(claimed.leaves, keccak)
    return replace(
        claimed, voucher=replace(claimed.voucher, receipts_root=root.digest, cumulative=root.total)
    )


def with_voucher(evidence: Evidence, channel: bytes, claimed: ClaimedVoucher) -> Evidence:
    """The same evidence, had this voucher been the channel's last claimed one."""
    vouchers = {**evidence.payments.vouchers, channel: hash_voucher(claimed.voucher, keccak)}
    payments: PaymentRecords = replace(evidence.payments, vouchers=vouchers)
    return Evidence(payments, {**evidence.claimed, channel: claimed})


def _commitment(played: Played, epoch: PlayedEpoch, random: Random) -> Iterator[Corrupted]:
    published = epoch.data.commitment
    for name, rows in row_changes(published.entries, random):
        yield with_commitment(f"entry: {name}", played, epoch, replace(published, entries=rows))
    if len(published.entries) > 1:
        absent = random.choice(published.entries)
        moved = replace(absent, minor=address_word(account(97)))
        rows = sorted({*published.entries} - {absent} | {moved}, key=lambda row: row.key)
        name = "entry: of a node that stated nothing"
        yield with_commitment(name, played, epoch, replace(published, entries=tuple(rows)))
    for name, rows in row_changes(published.cumulative, random):
        if name in ("minor", "nothing added"):
            continue  # an account's row has no minor word
        yield with_commitment(f"cumulative: {name}", played, epoch, replace(published, cumulative=rows))
    yield from _commitment_record(played, epoch)


def with_commitment(
    name: str, played: Played, epoch: PlayedEpoch, published: PublishedCommitment
) -> Corrupted:
    """The contract holds the total to the statements; both roots are the forger's."""
    entry_root = tree_of(Tree.ENTRIES, published.entries, keccak).root.digest
    cum_root = tree_of(Tree.CUMULATIVE, published.cumulative, keccak).root.digest
    record = replace(epoch.records.commitment, entry_root=entry_root, cum_root=cum_root)
    records = replace(epoch.records, commitment=record)
    return Corrupted(name, None, records, replace(epoch.data, commitment=published), played.evidence)


def _commitment_record(played: Played, epoch: PlayedEpoch) -> Iterator[Corrupted]:
    record = epoch.records.commitment
    changes: tuple[tuple[str, Callable[[], object]], ...] = (
        ("total", lambda: replace(record, total=record.total + 1)),
        ("empty entry root", lambda: replace(record, entry_root=bytes(32))),
        ("empty cumulative root", lambda: replace(record, cum_root=bytes(32))),
        ("entry root", lambda: replace(record, entry_root=word("no tree"))),
        ("cumulative root", lambda: replace(record, cum_root=word("no tree"))),
        ("roots exchanged", lambda: replace(record, entry_root=record.cum_root, cum_root=record.entry_root)),
    )
    for name, change in changes:
        records = replace(epoch.records, commitment=change())  # type: ignore[arg-type]
        yield Corrupted(f"commitment: {name}", None, records, epoch.data, played.evidence)
    if epoch.data.previous.cumulative:
        stale = replace(epoch.data.commitment, cumulative=epoch.data.previous.cumulative)
        yield with_commitment("commitment: previous amounts again", played, epoch, stale)
