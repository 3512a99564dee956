"""A shell from the screen of the real program: the terminal is kubectl's until it ends, then the place is back."""

from __future__ import annotations

import sys
from pathlib import Path

from cache.ledger.ledger import Ledger
from services.clock import SystemClock
from tests.budgets.pty import TRUECOLOR, Terminal
from tests.flows.mishap import leave
from tests.flows.program import estate_served, kubeconfig_of

FAKE = """#!/bin/sh
echo "$@" > "$FAKE_LOG"
echo "kubeconfig=$KUBECONFIG" >> "$FAKE_LOG"
[ -t 0 ] && [ -t 1 ] && echo IN-THE-SHELL
read line
echo "said $line" >> "$FAKE_LOG"
echo "command terminated with exit code 7" >&2
exit 7
"""


def test_a_shell_has_the_terminal_and_gives_it_back(tmp_path: Path) -> None:
    kubectl, log = tmp_path / "bin" / "kubectl", tmp_path / "log"
    kubectl.parent.mkdir()
    kubectl.write_text(FAKE)
    kubectl.chmod(0o700)
    with estate_served("calm") as estate:
        config = kubeconfig_of(estate)
        homes = {
            "HOME": str(tmp_path),
            "QUARTERDECK_STATE_DIR": str(tmp_path / "state"),
            "PATH": f"{kubectl.parent}:/usr/bin:/bin",
            "FAKE_LOG": str(log),
        }
        words = [sys.executable, "-m", "tui.cli", "--view", "pods", "--kubeconfig", config]
        with Terminal(words, columns=120, lines=40, environment={**TRUECOLOR, **homes}) as terminal:
            terminal.until("Running")
            terminal.until_true(lambda: "live" in terminal.text, what="a live header")
            terminal.send("s")
            terminal.until("[ Cancel ]")
            terminal.until("kubectl --context")
            shown = terminal.text
            terminal.until_quiet(0.8)
            terminal.send("y")
            terminal.until("IN-THE-SHELL")
            terminal.send("hello\n")
            terminal.until("the shell ended with exit code 7")
            terminal.until("Running")
            terminal.send("\x1b")
            terminal.until_true(lambda: "esc close" not in terminal.text, what="the place it was opened from")
            assert " OK " in terminal.text
            assert leave(terminal) == 0
    said = log.read_text()
    context = said.split()[1]
    assert said.startswith(f"--context {context} -n ")
    assert " exec -it " in said
    assert " -- sh -c " in said
    assert f"kubeconfig={config}" in said
    assert "said hello" in said
    assert f"kubectl --context {context}" in shown
    ledger = Ledger(tmp_path / "state", SystemClock())
    assert ledger.verify().ok
    kinds = [(one.kind, one.action, one.result) for one in ledger.entries() if one.kind in ("intent", "outcome")]
    assert [kind for kind, *_ in kinds] == ["intent", "outcome"]
    assert kinds[0][1] == "shell"
    assert "exit code 7" in "".join(one.body for one in ledger.entries() if one.kind == "outcome")
    ledger.close()
