"""What people were told of an incident stands on its own timeline, with what became of it, in one transaction."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import structs

from cache.ledger.incidents import IncidentBook, IncidentReader, Said
from cache.ledger.ledger import Ledger
from cache.ledger.outbox import Terms
from services.incidents.timeline import words
from services.model.incident import CADENCE, Incident, IncidentEventKind, IncidentSeverity
from services.model.message import MessageKind, OutboxState
from services.notifications.model import Step
from tests.unit.cache.test_outbox import SENT, Place
from tests.unit.notifications.telling import MINA, NOW, message

P1 = IncidentSeverity.P1


class Told(Place):
    """An outbox, and an incident that its messages belong to."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, Terms(fold=0.0))
        self.book = IncidentBook(self.ledger, self.clock)
        self.book.declare(Said(IncidentEventKind.DECLARED, MINA, value="cart is down", severity=P1))
        self.incidents = IncidentReader(folder)

    def queue(self, number: int, kind: MessageKind = MessageKind.UPDATED, thread: str = "INC-1") -> None:
        self.put(structs.replace(message(number), channel="room", to="#incidents", thread=thread, kind=kind))

    async def settle(self, step: Step = SENT, later: float = 60.0) -> None:
        await self.clock.advance(later)
        [claim] = self.claim()
        assert self.box.settle(claim.message.id, step, claim.lease)

    def incident(self) -> Incident:
        return self.incidents.look().rows["INC-1"]

    def said(self) -> list[str]:
        return [words(one) for one in self.incident().events if one.kind is IncidentEventKind.TOLD]

    def close(self) -> None:
        self.incidents.close()
        super().close()


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Told]:
    made = Told(tmp_path / "quarterdeck")
    yield made
    made.close()


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (SENT, "told #incidents by room: accepted"),
        (Step(OutboxState.DEAD, 0.0, "channel_not_found"), "not told #incidents by room: channel_not_found"),
        (Step(OutboxState.UNKNOWN, 0.0, "cut off"), "perhaps told #incidents by room: not known: cut off"),
    ],
)
async def test_what_became_of_a_message_is_noted_on_the_incident(told: Told, step: Step, said: str) -> None:
    told.queue(1)
    assert told.said() == [], "it is on its way"
    await told.settle(step)
    assert told.said() == [said]
    event = told.incident().events[-1]
    assert (event.at, f"{event.actor.user}@{event.actor.host}") == (NOW + 60, message(1).by)


async def test_a_message_that_is_tried_again_is_noted_only_when_it_is_settled(told: Told) -> None:
    told.queue(1)
    await told.settle(Step(OutboxState.QUEUED, NOW + 90.0, "503"))
    assert told.said() == []
    await told.settle()
    assert told.said() == ["told #incidents by room: accepted"]


async def test_news_that_people_have_begin_the_time_to_the_next_update_anew(told: Told) -> None:
    due = NOW + CADENCE[P1]
    for number, (kind, step, late) in enumerate(
        ((MessageKind.ACTED, SENT, 0), (MessageKind.UPDATED, Step(OutboxState.DEAD), 0), (MessageKind.UPDATED, SENT, 1))
    ):
        told.queue(number, kind)
        await told.settle(step)
        assert told.incident().next_update_at == (told.clock.now() + CADENCE[P1] if late else due)


async def test_what_is_given_up_or_taken_back_is_noted_too(told: Told) -> None:
    told.queue(1)
    told.box.drop(message(1).id, MINA, "wrong room")
    told.queue(2)
    await told.clock.advance(Terms().give_up + 1)
    assert told.claim() == []
    assert told.said() == [
        "not told #incidents by room: dropped by mina: wrong room",
        "not told #incidents by room: given up: too old",
    ]


async def test_what_belongs_to_no_incident_is_noted_nowhere(told: Told) -> None:
    for number, thread in enumerate(("", "INC-7", "deploy", "INC-01x")):
        told.queue(number, thread=thread)
        await told.settle()
    assert told.said() == []
    assert len(told.incident().events) == 1


async def test_hostile_words_of_a_server_come_clean(told: Told) -> None:
    told.queue(1)
    await told.settle(Step(OutboxState.DEAD, 0.0, "\x1b[31mboom\u202e"))
    [said] = told.said()
    assert said.startswith("not told #incidents by room: ")
    assert said.isprintable()


def test_an_incident_of_another_ledger_is_none(tmp_path: Path) -> None:
    place = Place(tmp_path / "other")
    place.put(structs.replace(message(1), thread="INC-1"))
    [claim] = place.claim()
    assert place.box.settle(claim.message.id, SENT, claim.lease)
    assert isinstance(place.ledger, Ledger)
    place.close()
