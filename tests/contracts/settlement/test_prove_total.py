"""LedgerFaults.proveTotal, proveOrder and proveRow: a tree by itself."""

from dataclasses import replace

import pytest

from protocol.ledger_faults import LeafFault, OrderFault, TotalFault
from protocol.ledger_records import NO_LEAF, Tree
from tests.contracts.epochs import Ledger
from tests.contracts.settlement.honest import Honest, word
from tests.contracts.world import World, reverts

TREES = {"lines": Tree.LINES, "entries": Tree.ENTRIES, "cumulative": Tree.CUMULATIVE}


@pytest.fixture
def honest(ledger: Ledger) -> Honest:
    return Honest(ledger)


@pytest.mark.parametrize("name", TREES)
def test_agreeing_totals_are_no_fault(honest: Honest, name: str) -> None:
    """SPEC 7.103: whichever leaf opens the root."""
    node = honest.node if name == "lines" else None
    root = honest.forger.trees[name].root
    for place in (0, root.count - 1):
        with reverts("LedgerFaultsTotalsAgree", root.count, root.total):
            honest.bring(TotalFault(TREES[name], node, honest.leaf(name, place)))


def test_a_root_must_be_opened(honest: Honest) -> None:
    """SPEC 7.103: by a leaf of that tree; only an empty root needs none."""
    root = honest.stage.last.records.commitment.cum_root
    with reverts("LedgerFaultsRootNotOpened", root):
        honest.bring(TotalFault(Tree.CUMULATIVE, None, NO_LEAF))
    with reverts("LedgerFaultsRootNotOpened", root):
        honest.bring(TotalFault(Tree.CUMULATIVE, None, honest.leaf("previous", 0)))


def test_nothing_recorded_cannot_be_wrong(honest: Honest) -> None:
    """SPEC 7.103: neither a statement that was not made, nor a commitment by a node's name."""
    leaf = honest.leaf("lines", 0)
    judge = honest.world.contract("LedgerFaults").functions
    stranger, arguments = honest.world.address("stranger"), honest.stage.call
    for tree, node in ((Tree.LINES, "stranger"), (Tree.ENTRIES, "stranger")):
        with reverts("LedgerFaultsNothingRecorded", honest.epoch, int(tree), stranger):
            honest.bring(TotalFault(tree, honest.world.plain(node), leaf))
    nobody = World.checksum("0x" + "00" * 20)
    call = arguments(TotalFault(Tree.CUMULATIVE, None, leaf))
    with reverts("LedgerFaultsNothingRecorded", honest.epoch + 1, 2, nobody):
        honest.world.call(judge.proveTotal(honest.epoch + 1, *call.args[1:]))


@pytest.mark.parametrize("name", TREES)
def test_ascending_neighbours_are_no_fault(honest: Honest, name: str) -> None:
    """SPEC 7.104: nor are leaves that are no neighbours, or in the wrong order."""
    node = honest.node if name == "lines" else None
    one, two, three = (honest.leaf(name, place) for place in range(3))
    with reverts("LedgerFaultsAscending", 0, 1):
        honest.bring(OrderFault(TREES[name], node, one, two))
    for first, second, places in ((two, one, (1, 0)), (one, three, (0, 2)), (one, one, (0, 0))):
        with reverts("LedgerFaultsNotAdjacent", *places):
            honest.bring(OrderFault(TREES[name], node, first, second))


@pytest.mark.parametrize("name", TREES)
def test_a_leaf_must_stand_in_its_tree(honest: Honest, name: str) -> None:
    """SPEC 7.104, 7.105: at its place, with its words and its amount."""
    node = honest.node if name == "lines" else None
    leaf = honest.leaf(name, 1)
    row = leaf.row
    for changed in (
        replace(leaf, row=replace(row, amount=0)),
        replace(leaf, row=replace(row, major=row.major + 1)),
        replace(leaf, row=replace(row, minor=row.minor + 1)),
        replace(leaf, proof=replace(leaf.proof, index=0)),
        replace(leaf, proof=replace(leaf.proof, path=leaf.proof.path[1:])),
    ):
        words = word(changed.row.major), word(changed.row.minor)
        with reverts("LedgerRowsNotInTree", int(TREES[name]), *words, changed.proof.index):
            honest.bring(LeafFault(TREES[name], node, changed))


@pytest.mark.parametrize("name", TREES)
def test_a_sound_row_is_no_fault(honest: Honest, name: str) -> None:
    """SPEC 7.105: a row of an account and of something."""
    leaf = honest.leaf(name, 0)
    expected = word(leaf.row.major), word(leaf.row.minor), leaf.row.amount
    with reverts("LedgerFaultsSoundRow", *expected):
        honest.bring(LeafFault(TREES[name], honest.node if name == "lines" else None, leaf))
