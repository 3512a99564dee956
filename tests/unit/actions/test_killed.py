"""A console is killed at each point of an action: the trail holds, it ran once at most, its end is found out."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cache.ledger.ledger import Ledger
from cache.ledger.records import LedgerRefused
from services.actions.runner import resolve
from services.clock import SystemClock
from services.model.action import Ended, Outcome, Progress
from services.model.actor import Actor
from tests.unit.actions.dying import POINTS, FileHands
from tests.unit.actions.stage import CART, Mend
from tui.trail import LedgerTrail

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return the folder that each death left behind; they die side by side."""
    folders = {point: tmp_path_factory.mktemp("killed") for point in POINTS}
    command = [sys.executable, "-m", "tests.unit.actions.dying"]
    running = {
        point: subprocess.Popen([*command, str(folder), point], cwd=ROOT, stdout=subprocess.PIPE)
        for point, folder in folders.items()
    }
    for point, process in running.items():
        out, _ = process.communicate(timeout=60)
        assert (process.returncode, out) == (-signal.SIGKILL, b"planned\n"), point
    return folders


@pytest.mark.parametrize("point", POINTS)
def test_it_ran_once_at_most_and_its_end_is_known(killed: dict[str, Path], point: str) -> None:
    folder = killed[point]
    hands = FileHands(folder)
    arrived = POINTS.index(point) >= POINTS.index("after the send")
    assert hands.sent == arrived
    begun = (folder / "ledger.db").exists()
    assert begun is (point != "guard")
    if not begun:
        return
    ledger = Ledger(folder, SystemClock())
    assert ledger.verify().ok
    open_before = len(ledger.open_intents())
    assert open_before == (point != "settle")
    trail = LedgerTrail(folder, hands.clock, Actor("bob", "bastion-2", "console-0"))

    async def quiet(_progress: Progress) -> None:
        return

    async def find_out() -> list[Ended]:
        found = []
        for left in await trail.unsettled():
            assert not left.alive
            assert left.plan is not None
            ended = await resolve(Mend(), left.plan, hands, quiet)
            await trail.outcome(left.intent.id, ended, {"text": ended.text})
            found.append(ended)
        return found

    found = asyncio.run(find_out())
    assert [one.outcome for one in found] == [Outcome.OK if arrived else Outcome.FAILED] * open_before
    assert ledger.verify().ok
    assert ledger.open_intents() == ()
    assert hands.sent == arrived, "finding out sends nothing"
    trail.close()
    ledger.close()


def test_a_first_action_makes_its_own_folder(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    trail = LedgerTrail(folder, SystemClock(), Actor("alice", "bastion-2", "console-1"))

    async def intend() -> str:
        return await trail.intent(await Mend().plan(CART, {}, FileHands(tmp_path)), {})

    assert asyncio.run(intend())
    trail.close()
    blocked = LedgerTrail(tmp_path / "file" / "state", SystemClock(), trail.actor)
    (tmp_path / "file").write_text("")
    trail = blocked
    with pytest.raises(LedgerRefused, match="nothing is done without that"):
        asyncio.run(intend())


def test_one_that_still_runs_is_left_alone(tmp_path: Path) -> None:
    clock = SystemClock()
    running = LedgerTrail(tmp_path, clock, Actor("alice", "bastion-2", "console-1"))
    other = LedgerTrail(tmp_path, clock, Actor("bob", "bastion-2", "console-2"))

    async def look() -> list[bool]:
        plan = await Mend().plan(CART, {}, FileHands(tmp_path))
        await running.intent(plan, {})
        before = [one.alive for one in await other.unsettled()]
        running.close()
        return [*before, *(one.alive for one in await other.unsettled())]

    assert asyncio.run(look()) == [True, False]


def test_one_whose_lock_cannot_be_read_is_left_alone(tmp_path: Path) -> None:
    running = LedgerTrail(tmp_path, SystemClock(), Actor("alice", "bastion-2", "console-1"))
    other = LedgerTrail(tmp_path, SystemClock(), Actor("bob", "bastion-2", "console-2"))

    async def look() -> list[bool]:
        await running.intent(await Mend().plan(CART, {}, FileHands(tmp_path)), {})
        running.close()
        lock = tmp_path / "consoles" / "console-1.lock"
        lock.unlink()
        lock.mkdir()
        return [one.alive for one in await other.unsettled()]

    assert asyncio.run(look()) == [True]


def test_one_console_lives_on_whatever_cluster_it_acts_on_next(tmp_path: Path) -> None:
    first = LedgerTrail(tmp_path, SystemClock(), Actor("alice", "bastion-2", "console-1"))
    other = LedgerTrail(tmp_path, SystemClock(), Actor("bob", "bastion-2", "console-2"))

    async def look() -> list[bool]:
        plan = await Mend().plan(CART, {}, FileHands(tmp_path))
        for trail in (first.telling(lambda begun, ended: None), first.telling(lambda begun, ended: None)):
            await trail.intent(plan, {})
        before = [one.alive for one in await other.unsettled()]
        first.close()
        return [*before, *(one.alive for one in await other.unsettled())]

    assert asyncio.run(look()) == [True, True, False, False]
