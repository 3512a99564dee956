"""What nobody knows the end of is looked at again: by this console too, which said that it would."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest

from cache.ledger.records import Entry, OpenIntent
from services.config_policy import Policy
from services.model.action import Ended, Outcome
from services.model.actor import Actor
from services.model.ref import Ref
from tests.unit.actions.stage import StageHands, StageLocks, World
from tui.acting import Acting
from tui.settling import LOOK_AGAIN_AFTER, SAID_FOR, Settling
from tui.trail import LedgerTrail, Unsettled

ME = Actor("alice", "one", "one-1-aa")


def left(console: str, *, unknown: bool, alive: bool, cluster: str = "c") -> Unsettled:
    actor, ref = Actor("alice", "one", console), Ref(cluster, "apps", "Deployment", "shop", "cart", "u-1")
    entry = cast(Entry, SimpleNamespace(actor=actor, target=ref, action="restart", body="{}"))
    return Unsettled(cast(OpenIntent, SimpleNamespace(id=console, entry=entry, unknown=unknown)), None, alive)


@pytest.mark.parametrize(
    ("one", "looked_at"),
    [
        (left("one-2-bb", unknown=False, alive=False), True),
        (left("one-2-bb", unknown=True, alive=True), False),  # it looks itself
        (left("one-1-aa", unknown=True, alive=True), True),
        (left("one-1-aa", unknown=False, alive=True), False),  # it runs now
        (left("one-1-aa", unknown=True, alive=True, cluster="d"), False),
    ],
)
def test_what_this_console_lost_sight_of_is_looked_at_again(one: Unsettled, looked_at: bool) -> None:
    async def unsettled() -> tuple[Unsettled, ...]:
        return (one,)

    world = World()
    trail = cast(LedgerTrail, SimpleNamespace(actor=ME, unsettled=unsettled))
    hands = StageHands(world)
    acting = Acting(hands, trail, StageLocks(world), Policy(), watched=hands.snapshot, cluster=lambda: "c")
    assert bool(asyncio.run(acting.left_open())) is looked_at


class Screen(Settling):
    """The app as far as it looks back: work is done at once, timers are kept."""

    def __init__(self, *ends: Outcome) -> None:
        self.timers: list[tuple[float, Callable[[], None]]] = []
        self.said: list[bool] = []
        self.logged: list[Outcome] = []
        self.ends = list(ends)
        notify = lambda _notice, line: self.said.append(line is not None)  # noqa: E731 - one line of a stand-in
        self.console_state = cast(Any, SimpleNamespace(acting=lambda: self, notify=notify))

    async def left_open(self) -> tuple[tuple[str, object], ...]:
        return (("Restart shop/cart", object()),) if self.ends else ()

    async def find(self) -> tuple[tuple[str, Ended], ...]:
        return (("Restart shop/cart", Ended(self.ends.pop(0), "as it was found")),)

    def work(self, task: Callable[[], Coroutine[Any, Any, Any]], arrived: Callable[..., None]) -> None:
        looking = getattr(task, "__name__", "") == "look_back"
        if getattr(task, "__name__", "") == "load":
            arrived(None, None)
        else:
            arrived(asyncio.run(self.find() if looking else task()), None)

    def set_timer(self, delay: float, callback: Any = None, **_: Any) -> Any:
        self.timers.append((delay, callback))
        return SimpleNamespace(stop=lambda: None)

    def show_banner(self) -> None:
        return

    def log_settled(self, found: Sequence[Ended]) -> None:
        self.logged += [ended.outcome for ended in found]


def test_it_is_looked_at_until_it_is_known_and_what_went_well_is_not_said_for_ever() -> None:
    screen = Screen(Outcome.UNKNOWN, Outcome.OK)
    screen.look_back()
    assert [delay for delay, _ in screen.timers] == [LOOK_AGAIN_AFTER]
    screen.timers[-1][1]()
    assert [delay for delay, _ in screen.timers] == [LOOK_AGAIN_AFTER, SAID_FOR]
    screen.timers[-1][1]()
    assert screen.said == [True, True, True, True, False]
    assert screen.logged == [Outcome.UNKNOWN, Outcome.OK]


def test_what_has_failed_stays_said() -> None:
    screen = Screen(Outcome.FAILED)
    screen.look_back()
    assert screen.timers == []
