"""What shells complete the command with: scripts that they can read, and names that they can trust."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.unit.tui_base.test_doctor import KUBECONFIG
from tui.cli import COMPLETED, main, parser
from tui.completion import NAMES, SHELLS, completed

ASK = {
    "bash": 'COMP_WORDS=(quarterdeck demo --scenario ""); COMP_CWORD=3; _shtab_quarterdeck; echo "${COMPREPLY[@]}"',
    "fish": "complete -C 'quarterdeck demo --scenario '",
}
"""What to have a shell say once it has read the script."""


@pytest.mark.parametrize("shell", SHELLS)
def test_each_shell_reads_its_script(shell: str, tmp_path: Path) -> None:
    script = completed(shell, parser(completed=True))
    assert "node-trouble" in script
    assert "quarterdeck completion contexts" in script
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"{shell} is not installed here; its script was written")
    file = tmp_path / "completion"
    file.write_text(script if shell != "zsh" else f"autoload -U compinit; compinit -u -D\neval '{_quoted(script)}'")
    ask = tmp_path / "quarterdeck"
    ask.write_text(f"#!/bin/sh\ntouch {tmp_path}/asked\n")
    ask.chmod(0o755)
    env = {"HOME": str(tmp_path), "PATH": f"{tmp_path}:/usr/bin:/bin"}
    words = [program, "-c", f"source {file}; {ASK.get(shell, '')}"]
    answer = subprocess.run(words, capture_output=True, text=True, timeout=30, check=False, env=env)
    assert (answer.returncode, answer.stderr) == (0, "")
    assert "node-trouble" in answer.stdout or shell not in ASK
    assert not (tmp_path / "asked").exists(), "names are asked for when they are wanted, not by every new shell"


def _quoted(script: str) -> str:
    return script.replace("'", "'\\''")


def test_names_that_a_shell_would_expand_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "kubeconfig"
    bad = '{name: "$(touch x)", context: {cluster: c, user: u}}, {name: "a b", context: {cluster: c, user: u}}'
    file.write_text((KUBECONFIG % "token: abc").replace("contexts: [", f"contexts: [{bad}, "))
    monkeypatch.setenv("KUBECONFIG", str(file))
    monkeypatch.setenv("QUARTERDECK_STATE_DIR", str(tmp_path / "state"))
    assert main(["completion", "contexts"]) == 0
    assert capsys.readouterr().out == "here\n"
    assert main(["completion", "views"]) == 0
    assert "pods\n" in capsys.readouterr().out
    assert main(["completion", "namespaces"]) == 0
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    assert main(["completion", "contexts"]) == 0
    assert capsys.readouterr() == ("", ""), "a shell in the middle of a word wants no sentence"


def test_the_commands_words_are_those_there_are() -> None:
    assert (*SHELLS, *NAMES) == COMPLETED
