"""A shell in a container of a real cluster: opened by kubectl in that very pod, from the real program, and recorded."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from cache.ledger.ledger import Ledger
from services.actions.registry import action
from services.actions.shell import Left, Shell
from services.clock import SystemClock
from services.model.action import Outcome
from services.model.ref import PODS
from tests.budgets.pty import TRUECOLOR, Terminal
from tests.contract.consoles import operator
from tests.contract.watched import kubectl
from tests.controlplane import build, manifests
from tests.controlplane.plane import ControlPlane
from tests.flows.mishap import leave


async def born(plane: ControlPlane, namespace: str) -> None:
    """Make a pod of a name, and wait until it runs."""
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "lone", "namespace": namespace}}
    pod["spec"] = manifests.pod_template("lone", "registry.example/lone:1")["spec"] | {
        "terminationGracePeriodSeconds": 1
    }
    await kubectl(plane, "apply", "-f", "-", stdin=json.dumps(pod))
    await kubectl(plane, "-n", namespace, "wait", "--for=condition=Ready", "pod/lone", "--timeout=180s")


async def test_no_shell_is_opened_in_a_namesake(plane: ControlPlane, namespace: str, tmp_path: Path) -> None:
    ran: list[Sequence[str]] = []

    async def terminal(words: Sequence[str]) -> Left:
        ran.append(words)
        return Left(0, "", 1.0)

    await born(plane, namespace)
    async with operator(plane, tmp_path) as alice, asyncio.timeout(300):
        plan = await alice.plan("shell", await alice.target(PODS, namespace, "lone"))
        await kubectl(plane, "-n", namespace, "delete", "pod", "lone", "--wait=true")
        await born(plane, namespace)
        cast(Shell, action("shell")).lend(terminal)
        ended = await alice.confirm(plan)
        assert ended.outcome is Outcome.CANCELLED, ended
        assert "made anew" in ended.text
        assert ran == []
        ended = await alice.does("shell", await alice.target(PODS, namespace, "lone"))
        assert ended.undo is None
        (words,) = ran
        assert words[:6] == ["kubectl", "--context", "test", "-n", namespace, "exec"]


async def test_the_program_opens_a_shell_where_it_was_shown(
    plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    await born(plane, namespace)
    homes = {
        "HOME": str(tmp_path),
        "QUARTERDECK_STATE_DIR": str(tmp_path / "state"),
        "PATH": f"{build.build(build.to_stderr)}:/usr/bin:/bin",
    }
    words = [
        sys.executable,
        "-m",
        "tui.cli",
        "--view",
        "pods",
        "--kubeconfig",
        str(plane.kubeconfig()),
        "-n",
        namespace,
    ]
    await asyncio.to_thread(_typed, words, {**TRUECOLOR, **homes})
    ledger = Ledger(tmp_path / "state", SystemClock())
    assert ledger.verify().ok
    intent, outcome = (one for one in ledger.entries() if one.kind in ("intent", "outcome"))
    assert (intent.action, outcome.result) == ("shell", "ok")
    assert "exit code 0" in outcome.body
    assert "42" not in outcome.body
    ledger.close()


def _typed(words: list[str], environment: dict[str, str]) -> None:
    with Terminal(words, columns=120, lines=40, environment=environment) as terminal:
        terminal.until("lone")
        terminal.until_true(lambda: "live" in terminal.text, what="a live header")
        terminal.send("s")
        terminal.until("[ Cancel ]")
        terminal.until("exec -it lone -c lone")
        terminal.until_quiet(0.8)
        terminal.send("y")
        terminal.until("pod-logs")  # its prompt: the folder in which a simulated pod's commands run
        terminal.send("echo $((6*7))-is-it\n")
        terminal.until("42-is-it")
        terminal.send("exit\n")
        terminal.until("the shell ended with exit code 0")
        terminal.send("\x1b")
        assert leave(terminal) == 0
