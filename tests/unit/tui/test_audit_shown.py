"""What the audit trail says to a person: a line for each entry, and one intent whole, whatever was written into it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from cache.ledger.ledger import Ledger
from cache.ledger.records import Entry, EntryKind
from services.actions.guard import Consent
from services.actions.runner import recorded
from services.clock import ManualClock
from services.model.action import Edit, Ended, Outcome, Plan, Undo
from services.model.actor import Actor
from services.redact import redact
from services.sanitize import safe_text
from tests.unit.actions.stage import CART, Mend, StageHands, World
from tui.presenters.audit import present_entry, present_intent
from tui.presenters.lens import Lens
from tui.trail import LedgerTrail

ALICE = Actor("alice", "bastion-2", "console-1")
LENS = Lens(0.0, mask=redact)
HOSTILE = "\x1b]0;owned\x07 \u202egnp.exe password=hunter2hunter2"


@pytest.fixture
def trail(tmp_path: Path) -> Iterator[LedgerTrail]:
    made = LedgerTrail(tmp_path, ManualClock(1_785_553_200.0), ALICE)
    yield made
    made.close()


def kept(trail: LedgerTrail, folder: Path, reason: str, outcome: Outcome | None = Outcome.OK) -> list[Entry]:
    """Write one action down, and return its entries."""

    async def write() -> None:
        made: Plan = await Mend().plan(CART, {}, StageHands(World()))
        plan = structs.replace(made, edits=(Edit("spec.image", "cart:2", "cart:1"), Edit("spec.paused", "", "true")))
        intent = await trail.intent(plan, recorded(plan, Consent(reason), "INC-42"))
        await trail.step(intent, "lease", {"text": f"locked {reason}"})
        undo = Undo("rollback", CART.ref, CART.resource, {"to": "2"}, "roll back to rev 2")
        body = {"text": f"it is done {reason}", "undo": {"words": undo.words}}
        if outcome is not None:
            await trail.outcome(intent, Ended(outcome, safe_text(reason), at=1.0, undo=undo), body)

    asyncio.run(write())
    ledger = Ledger(folder, ManualClock(0.0))
    found = list(ledger.entries())
    ledger.close()
    return found


def test_one_intent_is_told_whole(trail: LedgerTrail, tmp_path: Path) -> None:
    lines = present_intent(kept(trail, tmp_path, "INC-42"), LENS)
    for words in (
        "Mend shop/cart",
        "  who      alice@bastion-2, console console-1",
        "  on       Deployment shop/cart",
        "  uid      u-1",
        "  why      INC-42",
        "  change   spec.image: cart:2 -> cart:1",
        "  change   spec.paused: - -> true",
        '  request  PATCH /cart {"env":[{"name":"DB_PASSWORD","value":"***"}]}',
        "  undo     roll back to rev 2",
    ):
        assert words in lines, words
    assert "outcome ok  it is done INC-42" in "\n".join(lines)


def test_what_has_no_outcome_says_so(trail: LedgerTrail, tmp_path: Path) -> None:
    lines = present_intent(kept(trail, tmp_path, "INC-42", None), LENS)
    assert lines[-1] == "  it has no outcome: it still runs, or nobody has found out yet"


def test_an_outcome_says_of_what_it_is(trail: LedgerTrail, tmp_path: Path) -> None:
    intent, step, outcome = kept(trail, tmp_path, "INC-42", Outcome.FAILED)
    assert intent.kind is EntryKind.INTENT
    for entry in (intent, step, outcome):
        assert "shop/cart" in present_entry(entry, LENS, intent)
    assert "failed" in present_entry(outcome, LENS, intent)
    assert present_entry(outcome, LENS, intent).endswith("mend: it is done INC-42")
    assert "shop/cart" not in present_entry(outcome, LENS)


def test_nothing_in_it_moves_a_terminal_or_tells_a_secret(trail: LedgerTrail, tmp_path: Path) -> None:
    entries = kept(trail, tmp_path, HOSTILE)
    lines = [*present_intent(entries, LENS), *(present_entry(one, LENS, entries[0]) for one in entries)]
    assert all(safe_text(line, 9999) == line for line in lines)
    assert "hunter2" not in "\n".join(lines)
    assert "gnp.exe" in "\n".join(lines)


@given(
    st.recursive(
        st.none() | st.text() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_no_body_breaks_it(value: object) -> None:
    """A ledger may have been written by another version, or by somebody."""
    from msgspec import json

    for body in (
        value,
        {"plan": value},
        {"plan": {"writes": value, "edits": value}},
        {"plan": {"writes": [{"body": value}]}},
    ):
        text = json.encode(body).decode()
        first = Entry(1, 0.0, EntryKind.INTENT, "i", ALICE, "mend", CART.ref, "", text, "")
        told = structs.replace(first, kind=EntryKind.OUTCOME, target=None, body=json.encode({"undo": value}).decode())
        assert present_intent([first, told], LENS)
        assert present_entry(told, LENS, first)
