"""What is wrong before a cluster is asked: kubeconfig, configuration, terminal. One clear sentence, exit code 2."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.rehearsal.server import Rehearsal
from tests.flows.mishap import PATIENCE, console, kubeconfig, leave, run, shows
from tests.flows.program import kubeconfig_of

SCREENLESS = "use `quarterdeck status`"


def refused(home: Path, *words: str, **more: str) -> str:
    """Run the command with and without a terminal; it must end at once with the same sentence, which is returned."""
    with console(home, "run", *words, size=(200, 24), **more) as terminal:
        assert terminal.exit_code(PATIENCE) == 2
        on_screen = " ".join(terminal.text.split())
    done = run(home, "status", *words, **more)
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert "".join(done.stderr.split()) == "".join(on_screen.split())
    assert not (home / "state").exists()
    return on_screen


@pytest.mark.parametrize(
    ("content", "what", "next_step"),
    [
        (None, "No kubeconfig found at", "set KUBECONFIG"),
        ("{\n", "is not YAML, line", "name another with --kubeconfig"),
        ("just words\n", "is not understood", "name another with --kubeconfig"),
        ("kind: Config\n", "current-context", "--context"),
    ],
)
def test_a_wrong_kubeconfig(tmp_path: Path, content: str | None, what: str, next_step: str) -> None:
    path = tmp_path / "wrong"
    if content is not None:
        path.write_text(content)
    sentence = refused(tmp_path, KUBECONFIG=str(path))
    assert what in sentence
    assert next_step in sentence


def test_an_unknown_context_names_those_there_are(tmp_path: Path, estate: Rehearsal) -> None:
    sentence = refused(tmp_path, "--kubeconfig", kubeconfig_of(estate), "--context", "prod-eu-9")
    assert '"prod-eu-9"' in sentence
    assert estate.address.contexts["admin"] in sentence
    assert "check --context" in sentence


@pytest.mark.parametrize("server", ["not a url", "ftp://cluster.example", "https://"])
def test_an_address_that_is_none(tmp_path: Path, server: str) -> None:
    sentence = refused(tmp_path, "--kubeconfig", kubeconfig(tmp_path, server))
    assert "is no server address" in sentence
    assert "repair the kubeconfig" in sentence


@pytest.mark.parametrize(
    ("text", "place", "why"),
    [
        ("[ui\n", ":1: ", "not valid TOML"),
        ("[ui]\nthem = 'dark'\n", ":2: ", 'unknown key "them" in [ui]; did you mean "theme"?'),
        ("[ui]\ntheme = 7\n", ":2: ", "theme"),
        (None, " is not there", "check --config"),
    ],
)
def test_a_bad_configuration(tmp_path: Path, estate: Rehearsal, text: str | None, place: str, why: str) -> None:
    path = tmp_path / "config.toml"
    if text is not None:
        path.write_text(text)
    sentence = refused(tmp_path, "--kubeconfig", kubeconfig_of(estate), "--config", str(path))
    assert f"{path}{place}" in sentence
    assert why in sentence


@pytest.mark.parametrize("words", [("run",), ("demo",)])
def test_no_terminal(tmp_path: Path, estate: Rehearsal, words: tuple[str, ...]) -> None:
    done = run(tmp_path, *words, KUBECONFIG=kubeconfig_of(estate))
    assert (done.returncode, done.stdout) == (2, "")
    assert "needs a terminal" in done.stderr
    assert SCREENLESS in done.stderr


def test_a_terminal_that_cannot_draw(tmp_path: Path, estate: Rehearsal) -> None:
    with console(tmp_path, "run", "--kubeconfig", kubeconfig_of(estate), size=(200, 24), TERM="dumb") as terminal:
        assert terminal.exit_code(PATIENCE) == 2
        assert 'TERM is "dumb"' in terminal.text
        assert SCREENLESS in terminal.text


def test_a_terminal_of_twenty_by_five_counts_and_grows_into_a_screen(tmp_path: Path, estate: Rehearsal) -> None:
    with console(tmp_path, "run", "--kubeconfig", kubeconfig_of(estate), size=(20, 5)) as terminal:
        shows(terminal, "wants 60x15")
        terminal.until_true(lambda: "▲3" in terminal.text, PATIENCE, "the count of what is critical")
        for key, shown in ((":", "Go"), ("\r", "STATE"), ("?", "Keys")):
            terminal.send(key)
            shows(terminal, shown)
            terminal.send("\x1b")
            shows(terminal, "wants 60x15")
        terminal.send("/")
        shows(terminal, "Rollouts")
        terminal.send("\x1b")
        terminal.resize(100, 30)
        shows(terminal, "Rollouts", "CrashLoop")
        assert leave(terminal) == 0
