"""Credentials that need a person, on a real terminal: the banner shows the code, `L` runs the login and comes back."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

from services.rehearsal.server import Rehearsal
from tests.budgets.pty import TRUECOLOR, Terminal
from tests.flows.program import kubeconfig_of

PLUGIN = """#!/bin/sh
if [ -f "{home}/signed-in" ]; then
  printf '%s' '{credential}'
  exit 0
fi
printf 'To sign in, open https://login.example/device\\033[2J and enter the code WXYZ-1234 to authenticate.\\n' >&2
exit 1
"""
LOGIN = """#!/bin/sh
echo "SIGNING IN on $(tty)"
read answer
echo "answered: $answer"
touch "{home}/signed-in"
"""
PATIENCE = 90.0


class Night:
    """A home whose kubeconfig asks a plugin for credentials, and a console in it."""

    def __init__(self, home: Path, estate: Rehearsal, configured: bool) -> None:
        self.home = home
        token = next(iter(estate.address.tokens.values()))
        credential = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential"}
        credential["status"] = {"token": token}  # type: ignore[assignment]
        plugin = self._script("plugin", PLUGIN.format(home=home, credential=json.dumps(credential)))
        login = self._script("login", LOGIN.format(home=home))
        text = Path(kubeconfig_of(estate)).read_text(encoding="utf-8")
        command = (
            f"exec: {{apiVersion: client.authentication.k8s.io/v1, command: {plugin}, interactiveMode: IfAvailable}}"
        )
        lines = [f"    {command}" if line.strip() == f"token: {token}" else line for line in text.splitlines()]
        assert command in "\n".join(lines)
        (home / "kubeconfig").write_text("\n".join(lines), encoding="utf-8")
        config = f'[contexts."*"]\nenvironment = "prod"\nlogin = ["{login}"]\n' if configured else ""
        (home / "config.toml").write_text(config, encoding="utf-8")

    def _script(self, name: str, text: str) -> Path:
        path = self.home / name
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)
        return path

    def console(self, columns: int = 160, lines: int = 48) -> Terminal:
        """Run it."""
        words = [sys.executable, "-m", "tui.cli", "run", "--kubeconfig", str(self.home / "kubeconfig")]
        surroundings = {
            **TRUECOLOR,
            "LANG": "C.UTF-8",
            "HOME": str(self.home),
            "QUARTERDECK_STATE_DIR": str(self.home / "state"),
        }
        words += ["--config", str(self.home / "config.toml")]
        return Terminal(words, columns=columns, lines=lines, environment=surroundings)


def shown(terminal: Terminal) -> str:
    return "\n".join(terminal.screen.display)


def until(terminal: Terminal, true: Callable[[str], bool]) -> str:
    """Read until the screen is so."""
    end = time.monotonic() + PATIENCE
    while not true(text := shown(terminal)):
        assert time.monotonic() < end, text
        terminal.pump(0.2)
    return text


def test_the_banner_shows_the_code_and_the_key_runs_the_login(tmp_path: Path, estate: Rehearsal) -> None:
    night = Night(tmp_path, estate, configured=True)
    with night.console() as terminal:
        text = until(terminal, lambda text: "WXYZ-1234" in text and "NOT LIVE" in text)
        assert "LOGIN  L logs in  code WXYZ-1234  open https://login.example/device" in text
        assert "[2J" not in text
        terminal.send("L")
        until(terminal, lambda text: "SIGNING IN on /dev/" in text)
        terminal.send("yes\n")
        words = ("CrashLoop", "   live", "enter open")
        text = until(terminal, lambda text: all(word in text for word in words) and "LOGIN" not in text)
        assert "SIGNING IN" not in text
        terminal.send("\x03")
        terminal.process.wait(60)
        assert terminal.process.returncode == 0


def test_without_a_configured_login_the_plugin_itself_gets_the_terminal(tmp_path: Path, estate: Rehearsal) -> None:
    night = Night(tmp_path, estate, configured=False)
    with night.console(80, 24) as terminal:
        until(terminal, lambda text: "code WXYZ-1234  open https://login.example/device" in text)
        (tmp_path / "signed-in").touch()
        terminal.send("L")
        text = until(terminal, lambda text: "CrashLoop" in text and "   live" in text)
        token = next(iter(estate.address.tokens.values()))
        assert token not in text
