"""The real command as an operator starts it, in a home of its own, where something is wrong."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.budgets.pty import TRUECOLOR, Terminal

COMMAND = (sys.executable, "-m", "tui.cli")
SOON = (sys.executable, "-m", "tests.flows.soon")
"""The same command, but its databases do not wait until the start is over."""
PATIENCE = 90.0
"""Seconds in which what a test waits for must have come, on a busy machine."""

NOT_WORDS = re.compile(r"[^\w.,:;()/'\"-]+")


def surroundings(home: Path, **more: str) -> dict[str, str]:
    """Return the environment of a command that must not see the real home."""
    own = {"HOME": str(home), "QUARTERDECK_STATE_DIR": str(home / "state"), "XDG_CONFIG_HOME": str(home / "config")}
    return {**TRUECOLOR, "LANG": "C.UTF-8", "KUBECONFIG": "", "QUARTERDECK_CONFIG": "", **own, **more}


def run(home: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run the command without a terminal."""
    done = subprocess.run(
        [*COMMAND, *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        env={**os.environ, **surroundings(home, **more)},
    )
    assert "Traceback" not in done.stdout + done.stderr
    return done


@contextmanager
def console(
    home: Path,
    *words: str,
    size: tuple[int, int] = (120, 40),
    before: Sequence[str] = (),
    command: Sequence[str] = COMMAND,
    **more: str,
) -> Iterator[Terminal]:
    """Run the command on a terminal; `before` are words in front of it. A trace-back on the screen is an error."""
    columns, lines = size
    with Terminal(
        [*before, *command, *words], columns=columns, lines=lines, environment=surroundings(home, **more)
    ) as terminal:
        yield terminal
        assert "Traceback" not in terminal.text


def leave(terminal: Terminal) -> int:
    """Quit as an operator does, and return the exit code."""
    terminal.send("\x03")
    return terminal.exit_code(PATIENCE)


def words_on(terminal: Terminal) -> str:
    """Return what is on the screen as running text, so that a wrapped sentence is found."""
    return " ".join(NOT_WORDS.sub(" ", line) for line in terminal.screen.display)


def shows(terminal: Terminal, *sentences: str) -> None:
    """Wait until all these words stand on the screen, broken into lines as it may be."""

    def there() -> bool:
        text = "".join(words_on(terminal).split())
        return all("".join(NOT_WORDS.sub(" ", sentence).split()) in text for sentence in sentences)

    terminal.until_true(there, PATIENCE, repr(sentences))


def kubeconfig(home: Path, server: str) -> str:
    """Write a kubeconfig that points to `server`, and return its path."""
    path = home / "kubeconfig"
    path.write_text(
        "apiVersion: v1\nkind: Config\ncurrent-context: here\n"
        f'clusters: [{{name: c, cluster: {{server: "{server}"}}}}]\n'
        "users: [{name: u, user: {token: not-a-token}}]\n"
        "contexts: [{name: here, context: {cluster: c, user: u}}]\n"
    )
    return str(path)


class _Portal(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        page = b"<!doctype html><title>Welcome</title>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the base class's name
        """Keep quiet."""


@contextmanager
def portal() -> Iterator[str]:
    """Serve a web page, whatever is asked, and lend its host and port."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Portal) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join(60)
