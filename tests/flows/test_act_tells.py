"""`quarterdeck act` tells what its policy says before it ends, says what waits, and `status` lists what it left."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from services.rehearsal.server import Rehearsal
from tests.flows.program import kubeconfig_of
from tests.unit.notifications.vendor import HANG, OK, vendor
from tui.cli import main

CONFIG = """
[policy."*"]
tell = ["acted", "failed"]
[notify.room]
to = ["#incidents"]
url = "env:CANARY_SLACK_URL"
timeout = 60
"""


@pytest.fixture
def home(home: Path) -> Path:
    (home / "config.toml").write_text(CONFIG)
    return home


async def test_it_tells_and_what_it_left_is_listed(
    home: Path, estate: Rehearsal, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    one, other = (node.name for node in estate.plan.nodes[:2])
    where = ["--kubeconfig", kubeconfig_of(estate), "--config", str(home / "config.toml")]

    async def run(*words: str) -> tuple[int, str]:
        code = await asyncio.to_thread(main, [*words, *where])
        out, _ = capsys.readouterr()
        return code, out

    async with vendor() as slack:
        monkeypatch.setenv("CANARY_SLACK_URL", f"{slack.url}/services/T/B/canary")
        slack.answers = [OK, HANG]
        code, plan = await run("act", "cordon", f"node/{one}", "--dry-run")
        assert (code, slack.got) == (0, [])
        assert "tells    #incidents when acted or failed" in plan
        code, out = await run("act", "cordon", f"node/{one}", "--yes", "--reason", "INC-7 disk")
        assert (code, out.splitlines()[-1]) == (0, "told     room #incidents: accepted")
        assert len(slack.got) == 1
        assert b"INC-7 disk" in slack.got[0][2]
        code, out = await run(
            "act", "cordon", f"node/{other}", "--yes", "--reason", "x", "-o", "json", "--tell-timeout", "0.3"
        )
        assert code == 0, "that nobody took it changes nothing about the action"
        [told] = json.loads(out)["told"]
        assert (told["channel"], told["waits"]) == ("room", True)
        status = json.loads((await run("status", "-o", "json"))[1])
        assert [(left["name"], left["put_back"]) for left in status["left_altered"]] == [
            (one, "uncordon it"),
            (other, "uncordon it"),
        ]
        assert f"left altered: Cordon {one}" in (await run("status"))[1]
        code, out = await run("act", "uncordon", f"node/{one}", "--yes", "--reason", "x", "--tell-timeout", "0")
        assert code == 0, out
        status = json.loads((await run("status", "-o", "json"))[1])
        assert [left["name"] for left in status["left_altered"]] == [other]
