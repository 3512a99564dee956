"""What the configuration's policy rules is refused, asked for and said, on the screen and by command alike."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from textual.screen import Screen

from services.config import load
from services.rehearsal.server import Rehearsal
from tests.flows.program import Program, kubeconfig_of, program
from tui import reload
from tui.cli import main
from widgets.dialog import ChoiceMenu, MessageDialog
from widgets.plan_dialog import PlanDialog
from widgets.prompt import LineInput

TODAY = datetime.now(UTC)
AROUND_NOW = f"{TODAY - timedelta(days=1):%Y-%m-%d} - {TODAY + timedelta(days=1):%Y-%m-%d}"
ANOTHER_DAY = f"{TODAY + timedelta(days=3):%a}"
DENIED = 'deny = ["restart"]'
TYPED = 'typed = ["restart"]'
REASON = 'reason = ["*"]\nticket = "INC-[0-9]+"'
BLAST = "max_pods = 1"
FROZEN = f'freeze = ["{AROUND_NOW}"]'
HOURS = f'hours = "{ANOTHER_DAY}-{ANOTHER_DAY} 00:00-00:01"'

ARM_FIRST = "arm_first = true"


pytestmark = pytest.mark.usefixtures("home")


def written(home: Path, rules: str) -> Path:
    """Write a configuration with these rules for every cluster."""
    home.mkdir(exist_ok=True)
    path = home / "config.toml"
    fresh = path.with_suffix(".new")
    fresh.write_text(f'[policy."*"]\n{rules}\n')
    return fresh.replace(path)


@pytest.mark.parametrize(
    ("rules", "words", "code", "says"),
    [
        (DENIED, (), 1, "the policy of this cluster denies restart"),
        (TYPED, ("--yes",), 1, "type {name} to confirm"),
        (TYPED, ("--yes=another",), 1, "type {name} to confirm"),
        (REASON, ("--yes",), 1, "a reason is needed"),
        (REASON, ("--yes", "--reason", "for the logs"), 1, "the reason must name a ticket (INC-[0-9]+)"),
        (BLAST, ("--yes",), 1, "pods, and the policy of this cluster allows 1 at a time"),
        (FROZEN, ("--yes",), 1, "changes are frozen here until"),
        (ARM_FIRST, (), 1, "Nothing was changed: --yes confirms it"),
        (f"{ARM_FIRST}\n{BLAST}", ("--yes",), 1, "pods, and the policy of this cluster allows 1 at a time"),
        (HOURS, ("--yes",), 1, f"changes are frozen here outside {ANOTHER_DAY}-{ANOTHER_DAY} 00:00-00:01 UTC"),
    ],
)
def test_the_command_keeps_to_it(
    estate: Rehearsal,
    home: Path,
    capsys: pytest.CaptureFixture[str],
    rules: str,
    words: tuple[str, ...],
    code: int,
    says: str,
) -> None:
    where = ("--kubeconfig", kubeconfig_of(estate), "--config", str(written(home, rules)))
    target = sick(capsys, *where)
    found = main(["act", "restart", target, *words, *where])
    said = capsys.readouterr()
    assert found == code, said
    assert says.format(name=target.rpartition("/")[2]) in said.err


def sick(capsys: pytest.CaptureFixture[str], *where: str) -> str:
    """Return the target of the worst workload, which has more than one pod."""
    main(["rollouts", "--live", "-o", "json", *where])
    rows = json.loads(capsys.readouterr().out)["workloads"]
    one = next(row for row in rows if row["desired"] > 1 and row["kind"] == "Deployment")
    return f"{one['namespace']}/deployment/{one['name']}"


async def ruled(console: Program, home: Path, rules: str) -> None:
    """Rule otherwise from now on: the console takes the changed file while it runs."""
    wanted = load(str(written(home, rules)), {}).config
    await console.until(lambda: console.assembly.setup.loaded.config.policy == wanted.policy)


def last_line_says(console: Program, words: str) -> bool:
    """Return whether the footer has these words."""
    return words in console.text.splitlines()[-1]


async def restart_of_it(console: Program, comes: type[Screen[Any]]) -> None:
    """Press the key of a restart, and wait for the screen that comes of it."""
    await console.press("B")
    await console.until(lambda: isinstance(console.app.screen, comes))


async def test_the_screen_keeps_to_it(estate: Rehearsal, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reload, "EVERY", 0.05)
    words = ("--kubeconfig", kubeconfig_of(estate), "--config", str(written(home, "")))
    async with program(*words, size=(200, 50)) as console:
        await console.until_seen("CrashLoop", "live")
        front = console.app.screen
        for rules, says in (
            (DENIED, "denies restart; ask who keeps the configuration"),
            (FROZEN, "changes are frozen here until"),
            (ARM_FIRST, "nothing is armed here, and the policy asks for it: press ! first"),
            (HOURS, f"changes are frozen here outside {ANOTHER_DAY}-{ANOTHER_DAY}"),
        ):
            await ruled(console, home, rules)
            await restart_of_it(console, type(front))
            await console.until(partial(last_line_says, console, says))
            assert console.app.screen is front, "nothing is planned"
            await console.press("x")
            await console.until(lambda: isinstance(console.app.screen, ChoiceMenu))
            await console.until_seen(says[:30])  # the menu says it too
            await console.press("escape")
        await ruled(console, home, BLAST)
        await restart_of_it(console, MessageDialog)
        await console.until_seen("the policy of this cluster allows 1 at a time")
        await console.press("escape")
        await typed_and_reasoned(console, home)
        await ruled(console, home, ARM_FIRST)
        await console.press("exclamation_mark")
        await console.until_seen("armed for 15 minutes")
        await restart_of_it(console, PlanDialog)  # armed, it is planned as ever
        state = console.app.console_state
        assert state.acting is not None
        assert state.desk is not None
        acting = state.acting()
        assert acting is not None
        assert state.desk().actor == acting.trail.actor, "one process is one console in the audit"
        console.assembly._hands = (None, acting)
        anew = state.acting()
        assert anew is not None
        assert anew is not acting, "another session, other hands"
        assert anew.armed == acting.armed, "a new session of the same context is armed as the one before"
        assert anew.trail.actor == acting.trail.actor


async def typed_and_reasoned(console: Program, home: Path) -> None:
    """Name and ticket are asked for, and nothing runs before both are there."""
    await ruled(console, home, f"{TYPED}\n{REASON}")
    await restart_of_it(console, PlanDialog)
    await console.until_seen("Restart ", "Reason with INC-[0-9]+")
    dialog = console.app.screen
    assert isinstance(dialog, PlanDialog)
    name = console.text.partition("Restart ")[2].split()[0].rpartition("/")[2]
    assert f"Type {name}" in console.text, "what is to be typed is shown whole"
    for reason, typed, says in (
        ("", name, "Reason"),
        ("why not", name, "must name a ticket"),
        ("INC-7", "cart", f"type {name}"),
    ):
        await answered(console, dialog, reason, typed)
        assert isinstance(console.app.screen, PlanDialog)
        await console.until_seen(says)
    assert not (home / "state" / "ledger.db").exists(), "nothing was begun"
    await answered(console, dialog, "INC-7", name)
    await console.until_seen("written into the audit trail")
    await console.press("escape")


async def answered(console: Program, dialog: PlanDialog, reason: str, typed: str) -> None:
    """Fill in both fields, and confirm."""
    for row, text in zip(dialog.query(LineInput), (reason, typed), strict=True):
        row.value = text
    dialog.answers.focus()
    await console.pilot.pause()
    dialog.answers._since = -1.0
    await console.press("y")
