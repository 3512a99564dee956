"""The outbox keeps what is to be told: claimed once, in order, doubtful where a console died, given up in the end."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from cache.ledger.incidents import IncidentBook, IncidentReader, Said
from cache.ledger.ledger import Ledger
from cache.ledger.outbox import DROPPED, RETRIED, TOLD, Outbox, Terms
from cache.ledger.outbox_reader import OutboxReader
from cache.ledger.records import EntryKind, LedgerRefused, Request, Result
from services.clock import ManualClock
from services.model.incident import IncidentEventKind
from services.model.message import Message, OutboxRow, OutboxState
from services.model.text import Secret
from services.notifications.model import Claimed, Step
from services.sanitize import safe_text
from tests.examples import share
from tests.unit.notifications.telling import MINA, NOW, message

FIXTURES = Path(__file__).parents[2] / "fixtures" / "databases"
SENT = Step(OutboxState.ACCEPTED)


class Place:
    """A ledger with an outbox in it, and the clock they go by."""

    def __init__(self, folder: Path, terms: Terms | None = None) -> None:
        self.folder = folder
        self.clock = ManualClock(NOW)
        self.ledger = Ledger(folder, self.clock)
        assert self.ledger.open().ok
        self.box = Outbox(self.ledger, folder, self.clock, terms, "bastion-1")
        self.reader = OutboxReader(folder)

    def put(self, *messages: Message) -> None:
        for one in messages:
            self.ledger.write(lambda transaction, one=one: self.box.enqueue(transaction, one))  # type: ignore[misc]

    def claim(self, n: int = 10, ttl: float = 60.0, channels: tuple[str, ...] = ("room", "hook")) -> list[Claimed]:
        return list(self.box.claim("worker", n, ttl, channels))

    def rows(self) -> list[OutboxRow]:
        glance = self.reader.look()
        assert glance.problem == ""
        return sorted(glance.rows.values(), key=lambda row: row.number)

    def close(self) -> None:
        self.box.resign()
        self.reader.close()
        self.ledger.close()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path / "quarterdeck")
    yield made
    made.close()


def test_a_message_is_claimed_once_and_settled_once(place: Place) -> None:
    place.put(message(1))
    [claim] = place.claim()
    assert claim.message == message(1)
    assert (claim.attempts, claim.doubts) == (1, 0)
    assert place.claim() == []
    assert place.rows()[0].state is OutboxState.SENDING
    assert place.box.settle(claim.message.id, SENT, claim.lease)
    assert not place.box.settle(claim.message.id, Step(OutboxState.DEAD), claim.lease), "it was settled before"
    [row] = place.rows()
    assert (row.state, row.waits, row.settled_at) == (OutboxState.ACCEPTED, False, NOW)


def test_the_order_of_a_thread_is_kept_and_others_go_on(place: Place) -> None:
    place.put(message(1), message(2), message(3, thread="INC-8"), message(4, "hook"))
    first = place.claim()
    assert [one.message.id[-1] for one in first] == ["1", "3", "4"], "the second of a thread waits for the first"
    place.box.settle(first[0].message.id, Step(OutboxState.QUEUED, NOW + 30, "failed with 500"), first[0].lease)
    assert place.claim() == [], "and goes on waiting while the first does"


async def test_a_message_that_waits_is_due_at_its_time(place: Place) -> None:
    place.put(message(1), message(2))
    [claim] = place.claim()
    place.box.settle(claim.message.id, Step(OutboxState.QUEUED, NOW + 30, "failed with 500"), claim.lease)
    await place.clock.advance(29.0)
    assert place.claim() == []
    await place.clock.advance(1.0)
    [again] = place.claim()
    assert (again.message.id, again.attempts, again.doubts) == (claim.message.id, 2, 0)
    place.box.settle(again.message.id, Step(OutboxState.DEAD, 0.0, "no_service"), again.lease)
    assert [one.message.id[-1] for one in place.claim()] == ["2"], "a dead one does not hold the others up"


async def test_a_claim_that_ran_out_is_taken_again_with_a_doubt_and_its_first_owner_settles_nothing(
    place: Place,
) -> None:
    place.put(message(1))
    [lost] = place.claim(ttl=60.0)
    await place.clock.advance(60.0)
    [again] = place.claim()
    assert (again.message, again.attempts, again.doubts) == (lost.message, 2, 1)
    assert not place.box.settle(lost.message.id, SENT, lost.lease)
    assert place.rows()[0].state is OutboxState.SENDING
    assert place.box.settle(again.message.id, SENT, again.lease)


def test_the_console_that_takes_a_channel_over_need_not_wait_for_the_dead_ones_claims(place: Place) -> None:
    place.put(message(1), message(2, "hook"))
    assert place.box.lead(["room"]) == {"room"}
    place.claim(ttl=3600.0)
    other = Outbox(place.ledger, place.folder, place.clock, host="bastion-1")
    assert other.lead(["room"]) == frozenset(), "one console of a machine delivers"
    place.box.resign()
    assert other.lead(["room"]) == {"room"}
    assert [(one.message.channel, one.doubts) for one in other.claim("new", 9, 60.0, ("room", "hook"))] == [("room", 1)]
    other.resign()


def test_what_another_machine_has_claimed_is_left_to_its_time(place: Place) -> None:
    """A folder on a network: the lock of one machine says nothing of what the other's console is doing."""
    place.put(message(1))
    assert place.box.lead(["room"]) == {"room"}
    place.claim(ttl=3600.0)
    place.box.resign()
    other = Outbox(place.ledger, place.folder, place.clock, host="bastion-2")
    assert other.lead(["room"]) == {"room"}
    assert other.claim("new", 9, 60.0, ("room",)) == ()
    other.resign()


async def test_what_a_person_tries_again_has_all_its_attempts_and_time(tmp_path: Path) -> None:
    place = Place(tmp_path / "quarterdeck", Terms(give_up=600.0))
    place.put(message(1))
    [claim] = place.claim()
    unknown = Step(OutboxState.UNKNOWN, 0.0, "it may have arrived", 2)
    assert place.box.settle(claim.message.id, unknown, claim.lease)
    await place.clock.advance(3600.0)
    place.box.retry(claim.message.id, MINA)
    [again] = place.claim()
    assert (again.attempts, again.doubts, again.expires_at) == (1, 0, NOW + 3600.0 + 600.0)
    place.close()


def test_what_was_given_up_folds_nothing(place: Place) -> None:
    place.put(message(1, subject="cart is down", text=""))
    [claim] = place.claim()
    place.box.settle(claim.message.id, Step(OutboxState.DEAD, 0.0, "no_service"), claim.lease)
    place.put(message(2, subject="cart is down", text=""))
    assert [(row.id[-1], row.state, row.folded) for row in place.rows()] == [
        ("1", OutboxState.DEAD, 0),
        ("2", OutboxState.QUEUED, 0),
    ]


def test_a_given_back_message_costs_no_attempt(place: Place) -> None:
    place.put(message(1))
    [claim] = place.claim()
    assert place.box.release(claim.message.id, claim.lease)
    [again] = place.claim()
    assert (again.attempts, again.doubts) == (1, 0)


async def test_old_news_is_given_up_and_what_may_have_arrived_is_called_unknown(tmp_path: Path) -> None:
    place = Place(tmp_path / "quarterdeck", Terms(give_up=600.0))
    place.put(message(1), message(2, thread="INC-8"))
    [claim, _] = place.claim(ttl=30.0)
    place.box.settle(claim.message.id, Step(OutboxState.QUEUED, NOW + 30, "failed with 500"), claim.lease)
    await place.clock.advance(601.0)
    assert place.claim() == []
    assert [(row.state, row.reason) for row in place.rows()] == [
        (OutboxState.DEAD, "given up: too old; before: failed with 500"),
        (OutboxState.UNKNOWN, "given up: too old"),
    ]
    place.close()


async def test_equal_messages_are_folded_for_a_while_and_no_others(place: Place) -> None:
    same = [message(number, subject="cart is down", text="") for number in (1, 2)]
    place.put(*same, message(3, subject="cart is down", text="", thread="INC-8"), message(4, subject="cart is up"))
    assert [(row.id[-1], row.folded) for row in place.rows()] == [("1", 1), ("3", 0), ("4", 0)]
    await place.clock.advance(61.0)
    place.put(message(5, subject="cart is down", text=""))
    assert [row.id[-1] for row in place.rows()] == ["1", "3", "4", "5"]


def test_a_message_that_is_known_is_not_queued_twice(place: Place) -> None:
    place.put(message(1), message(1))
    assert [row.folded for row in place.rows()] == [0]


def test_a_message_is_there_exactly_when_its_cause_is(place: Place) -> None:
    intent = place.ledger.intent(Request(MINA, "rollback"))
    place.ledger.outcome(intent, MINA, Result.OK, beside=place.box.beside([message(1)]))
    with pytest.raises(LedgerRefused):
        place.ledger.outcome(intent, MINA, Result.OK, beside=place.box.beside([message(2)]))
    broken = message(3, text=Secret("s3cr3t"))
    with pytest.raises(LedgerRefused) as refused:
        place.ledger.record(EntryKind.NOTE, MINA, "note", beside=place.box.beside([message(4), broken]))
    assert "s3cr3t" not in str(refused.value)
    assert [row.id[-1] for row in place.rows()] == ["1"]
    assert [entry.kind for entry in place.ledger.entries()] == [EntryKind.INTENT, EntryKind.OUTCOME]


def test_what_is_told_of_an_incident_is_written_with_it(place: Place) -> None:
    book = IncidentBook(place.ledger, place.clock)
    said = Said(IncidentEventKind.DECLARED, MINA, value="cart fails")
    book.declare(
        said, lambda transaction, number: place.box.enqueue(transaction, message(1, thread=""), f"INC-{number}")
    )
    book.declare(said, lambda transaction, number: place.box.enqueue(transaction, message(2), f"INC-{number}"))
    assert [row.thread for row in place.rows()] == ["INC-1"], "said twice, told once"


def test_what_people_do_with_the_outbox_is_in_the_audit_trail(place: Place) -> None:
    place.box.tell(MINA, [message(1, subject=safe_text("down")), message(2)], {"incident": "INC-7"})
    [claim] = place.claim()
    place.box.settle(claim.message.id, Step(OutboxState.DEAD, 0.0, "no_service"), claim.lease)
    place.box.retry(claim.message.id, MINA)
    assert place.rows()[0].state is OutboxState.QUEUED
    place.box.drop(message(2).id, MINA, "wrong room")
    assert [(row.state, row.reason) for row in place.rows()][1] == (OutboxState.DEAD, "dropped by mina: wrong room")
    assert [entry.action for entry in place.ledger.entries()] == [TOLD, RETRIED, DROPPED]
    assert place.ledger.verify().ok


@pytest.mark.parametrize("act", ["retry", "drop"])
def test_what_is_over_or_under_way_can_neither_be_tried_again_nor_dropped(place: Place, act: str) -> None:
    place.put(message(1))
    [claim] = place.claim()
    for state in ("sending", "accepted"):
        with pytest.raises(LedgerRefused, match=r"there is nothing|is being sent"):
            getattr(place.box, act)(claim.message.id, MINA)
        assert place.rows()[0].state.value == state
        place.box.settle(claim.message.id, SENT, claim.lease)
    with pytest.raises(LedgerRefused, match="There is no message"):
        getattr(place.box, act)("f" * 32, MINA)
    assert place.ledger.entries() == ()


async def test_a_clock_that_is_set_back_holds_no_message_for_hours(place: Place) -> None:
    place.put(message(1))
    [claim] = place.claim()
    place.box.settle(claim.message.id, Step(OutboxState.QUEUED, NOW + 3600, "asked to wait"), claim.lease)
    assert place.claim() == []
    place.clock._elapsed -= 4 * 3600.0
    assert len(place.claim()) == 1


def test_a_message_that_cannot_be_read_is_dead_and_holds_nobody_up(place: Place) -> None:
    place.put(message(1), message(2))
    connection = sqlite3.connect(place.folder / "ledger.db")
    connection.execute("DROP TRIGGER outbox_keeps_words")
    connection.execute("UPDATE outbox SET body = '{}' WHERE seq = 1")
    connection.commit()
    connection.close()
    assert place.claim() == []
    assert place.rows()[0].reason == "it cannot be read"
    assert [one.message.id[-1] for one in place.claim()] == ["2"]


async def test_settled_messages_go_after_their_time_and_waiting_ones_never(place: Place) -> None:
    place.put(message(1), message(2, thread="INC-8"))
    [claim, _] = place.claim(ttl=1e9)
    place.box.settle(claim.message.id, SENT, claim.lease)
    await place.clock.advance(30 * 86400.0 + 1)
    assert place.box.forget() == 1
    assert [row.id[-1] for row in place.rows()] == ["2"]


def test_no_statement_can_change_what_a_message_says_or_lose_one_that_waits(place: Place) -> None:
    place.put(message(1))
    connection = sqlite3.connect(place.folder / "ledger.db")
    for statement in ("UPDATE outbox SET body = '{}'", "UPDATE outbox SET channel = 'x'", "DELETE FROM outbox"):
        with pytest.raises(sqlite3.IntegrityError):
            connection.execute(statement)
    with pytest.raises(sqlite3.IntegrityError):
        connection.execute("UPDATE outbox SET next_us = NULL")
    connection.close()


def test_a_ledger_of_version_two_keeps_all_it_has_and_gets_an_outbox(tmp_path: Path) -> None:
    folder = tmp_path / "quarterdeck"
    folder.mkdir(mode=0o700)
    connection = sqlite3.connect(folder / "ledger.db")
    connection.executescript((FIXTURES / "ledger-2.sql").read_text())
    connection.close()
    assert OutboxReader(folder).look().rows == {}
    place = Place(folder)
    place.put(message(1))
    assert [row.subject for row in place.rows()] == [message(1).subject]
    verdict = place.ledger.verify()
    assert (verdict.ok, verdict.entries) == (True, 3)
    assert [one.title for one in IncidentReader(folder).look().rows.values()] == ["checkout fails"]
    place.close()


def test_a_look_keeps_unchanged_rows_and_says_what_is_wrong(place: Place) -> None:
    place.put(message(1))
    first = place.reader.look()
    assert place.reader.look() is first
    place.put(message(2))
    assert place.reader.look().rows[message(1).id] is first.rows[message(1).id]
    place.ledger.close()
    (place.folder / "ledger.db").write_bytes(b"no database" * 400)
    glance = OutboxReader(place.folder).look()
    assert glance.problem.startswith("The outbox cannot be read:")
    assert OutboxReader(place.folder / "elsewhere").look().rows == {}


class Rules(RuleBasedStateMachine):
    """Any order of telling, claiming, settling, dying, retrying and waiting: none is lost, and order is kept."""

    def __init__(self) -> None:
        super().__init__()
        import tempfile

        self.temporary = tempfile.TemporaryDirectory()
        self.place = Place(Path(self.temporary.name) / "quarterdeck", Terms(fold=0.0, give_up=1e6))
        self.told = 0
        self.claims: dict[str, Claimed] = {}
        self.over: list[tuple[str, str, int]] = []

    @rule(channel=st.sampled_from(["room", "hook"]), thread=st.sampled_from(["INC-1", "INC-2"]))
    def tell(self, channel: str, thread: str) -> None:
        self.told += 1
        self.place.put(message(self.told, channel, thread))

    @rule(n=st.integers(1, 3))
    def claim(self, n: int) -> None:
        for claim in self.place.claim(n, ttl=50.0):
            held = self.claims.get(claim.message.id)
            assert held is None or held.until <= self.place.clock.now(), "nobody claims what another holds"
            self.claims[claim.message.id] = claim
            mine = next(row for row in self.place.rows() if row.id == claim.message.id)
            former = [row for row in self.place.rows() if row.waits and row.number < mine.number]
            assert not [row for row in former if (row.channel, row.thread) == (mine.channel, mine.thread)]

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), state=st.sampled_from(OutboxState), wait=st.sampled_from([1.0, 40.0]))
    def settle(self, data: st.DataObject, state: OutboxState, wait: float) -> None:
        claim = self.claims.pop(data.draw(st.sampled_from(sorted(self.claims))))
        if state is OutboxState.SENDING:
            return  # its console died
        waits = state in (OutboxState.QUEUED, OutboxState.UNKNOWN)
        step = Step(state, self.place.clock.now() + wait if waits else 0.0, "why", claim.doubts)
        if self.place.box.settle(claim.message.id, step, claim.lease) and not waits:
            self.over.append((claim.message.channel, claim.message.thread, int(claim.message.id, 16)))

    @rule(seconds=st.sampled_from([1.0, 45.0, 60.0]))
    def wait(self, seconds: float) -> None:
        self.place.clock._elapsed += seconds

    @invariant()
    def nothing_is_lost_and_order_is_kept(self) -> None:
        assert len(self.place.rows()) == self.told
        for thread in {one[:2] for one in self.over}:
            numbers = [one[2] for one in self.over if one[:2] == thread]
            assert numbers == sorted(numbers)

    def teardown(self) -> None:
        self.place.close()
        self.temporary.cleanup()


TestRules = Rules.TestCase
TestRules.settings = share(0.3, stateful_step_count=25)
