"""A Lease that a console left behind: taken at once where it is known dead, else waited for by a command."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cache.locks import FileLock
from services.clock import ManualClock, settle
from services.kubernetes.lease import Leases, LeaseTaken
from services.model.action import Plan
from services.model.actor import Actor
from services.model.ref import Resource
from tests.unit.actions.stage import CART
from tests.unit.kubernetes.test_lease import Person, Store, held, leases
from tui.locking import ClusterLocks, MachineLocks
from tui.trail import CONSOLES, LedgerTrail

PLAN = Plan("restart", CART, "Restart shop/cart")


class Reading:
    """Reads nothing: a Deployment is locked as itself."""

    async def get(self, resource: Resource, namespace: str, name: str, subresource: str = "") -> dict[str, object]:
        raise AssertionError


def bobs(store: Store, clock: ManualClock, folder: Path) -> ClusterLocks:
    return ClusterLocks(Leases(Person(store, clock, "bob@two"), "two-1"), MachineLocks(folder), Reading())


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what blocks be done in the loop: a thread of its own knows nothing of the clock in hand."""

    async def done(work: Callable[..., Any], *arguments: Any) -> Any:
        return work(*arguments)

    monkeypatch.setattr(asyncio, "to_thread", done)


@pytest.mark.usefixtures("at_once")
async def test_a_command_outwaits_a_console_that_shows_no_sign_of_life(tmp_path: Path) -> None:
    store, clock, said = Store(), ManualClock(), list[str]()
    await held(leases(store, clock))
    locks = bobs(store, clock, tmp_path)
    locks.waiting = said.append

    async def act() -> str:
        async with locks.hold(PLAN):
            return str(store.spec["holderIdentity"])

    task = asyncio.ensure_future(act())
    for _ in range(200):
        await settle()
        if task.done():
            break
        await clock.advance(3.0)
    assert (await task).startswith("bob@two")
    assert said == ["alice@one has the lock: waiting for a sign of life from them, 60 s at most"]


@pytest.mark.usefixtures("at_once")
async def test_a_command_gives_up_at_the_first_sign_of_life(tmp_path: Path) -> None:
    store, clock = Store(), ManualClock()
    alice = leases(store, clock)
    lease = await held(alice)
    locks = bobs(store, clock, tmp_path)
    locks.waiting = lambda _: None

    async def act() -> None:
        async with locks.hold(PLAN):
            pass

    task = asyncio.ensure_future(act())
    for turn in range(200):
        await settle()
        if task.done():
            break
        await clock.advance(3.0)
        if turn == 3:
            await alice.renewed(lease.document)
    with pytest.raises(LeaseTaken, match="alice@one is at it"):
        await task


async def test_a_console_on_the_screen_is_told_at_once(tmp_path: Path) -> None:
    store, clock = Store(), ManualClock()
    await held(leases(store, clock))
    with pytest.raises(LeaseTaken):
        async with bobs(store, clock, tmp_path).hold(PLAN):
            pass


async def test_what_a_dead_console_of_this_machine_held_is_taken_at_once(tmp_path: Path) -> None:
    store, clock = Store(), ManualClock()
    trail = LedgerTrail(tmp_path, clock, Actor("bob", "two", "two-2-bb"))
    folder = tmp_path / CONSOLES
    folder.mkdir()
    await held(Leases(Person(store, clock, "bob@two"), "two-1-aa"))
    mine = Leases(Person(store, clock, "bob@two"), "two-2-bb", trail.died)
    lock = FileLock(folder / "two-1-aa.lock")
    assert lock.acquire()
    with pytest.raises(LeaseTaken):
        await held(mine)
    lock.release()
    await held(mine)
    assert store.spec["holderIdentity"] == "bob@two/two-2-bb"


@pytest.mark.parametrize("console", ["one-1-aa", "two-9-unknown", "two-/../two-1-aa", ""])
def test_of_any_other_console_nothing_is_known(console: str, tmp_path: Path) -> None:
    folder = tmp_path / CONSOLES
    folder.mkdir()
    for name in ("one-1-aa", "two-1-aa"):
        lock = FileLock(folder / f"{name}.lock")
        assert lock.acquire()
        lock.release()
    trail = LedgerTrail(tmp_path, ManualClock(), Actor("bob", "two", "two-2-bb"))
    assert not trail.died(console)
    assert trail.died("two-1-aa")
    assert not (folder / "two-9-unknown.lock").exists()
