"""`quarterdeck act` beside a server that takes requests and never answers: a sentence in time, an honest audit."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from services.actions import watching
from services.actions.restart import Restart
from services.actions.spec import Hands, Note
from services.kubernetes import writing
from services.kubernetes.transport import Transport
from services.model.action import Plan
from services.rehearsal.server import Options, Rehearsal
from tests.flows.program import kubeconfig_of
from tui.cli import main

SOON = 0.6
"""Seconds after which an answer is not waited for any more."""

LATEST = 20.0
"""Seconds in which a command must have ended, whatever the server does: a slow machine is not taken for a hang."""


@pytest.fixture
def call() -> Iterator[Callable[[Callable[[], object]], None]]:
    """Run something on the loop that the estate is served from."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    def done(act: Callable[[], object]) -> None:
        async def there() -> None:
            found = act()
            if asyncio.iscoroutine(found):
                await found

        asyncio.run_coroutine_threadsafe(there(), loop).result(60)

    yield done
    loop.call_soon_threadsafe(loop.stop)
    thread.join(60)


@pytest.fixture
def estate(
    call: Callable[[Callable[[], object]], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Rehearsal]:
    for name in ("KUBECONFIG", "QUARTERDECK_CONFIG", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("QUARTERDECK_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setattr(writing, "DEADLINE", SOON)
    monkeypatch.setattr(watching, "PATIENCE", SOON)
    monkeypatch.setitem(Transport.request.__kwdefaults__, "deadline", SOON * 3)
    served = Rehearsal(Options(scenario="calm", seed=5, size="tiny", life=False))
    call(served.__aenter__)
    yield served
    call(served.faults.resume)
    call(lambda: served.__aexit__(None, None, None))


def test_a_server_that_hangs_before_and_in_the_middle(
    estate: Rehearsal,
    call: Callable[[Callable[[], object]], None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    where = ("--kubeconfig", kubeconfig_of(estate))
    main(["rollouts", "--live", "-o", "json", *where])
    rows = json.loads(capsys.readouterr().out)["workloads"]
    one = next(row for row in rows if row["kind"] == "Deployment")
    words = ["act", "restart", f"{one['namespace']}/deployment/{one['name']}", "--yes", *where]

    # it accepts, and never says a word: nothing is begun
    call(estate.faults.hang)
    began = time.monotonic()
    assert main([*words, "--timeout", "1"]) == 1
    assert time.monotonic() - began < LATEST
    said = capsys.readouterr()
    assert said.err == "Nothing was changed: the cluster did not answer within 1 s.\n"
    assert main(["audit", "verify"]) == 0
    assert '"intent"' not in audited(capsys)

    # it hangs once the change is on its way: nobody knows, and that is said, written down and told by the exit code
    call(estate.faults.resume)
    send = Restart.execute

    async def hanging(self: Restart, plan: Plan, hands: Hands, note: Note) -> None:
        await asyncio.to_thread(call, estate.faults.hang)
        await send(self, plan, hands, note)

    monkeypatch.setattr(Restart, "execute", hanging)
    began = time.monotonic()
    assert main(words) == 3
    assert time.monotonic() - began < LATEST
    said = capsys.readouterr()
    assert "UNKNOWN" in said.out
    assert "did not answer in time" in said.out
    assert "Traceback" not in said.out + said.err
    assert main(["audit", "verify"]) == 0
    told = [json.loads(line) for line in audited(capsys).splitlines() if line.startswith("{")]
    assert [(each["kind"], each["result"]) for each in told if each["kind"] != "step"][-2:] == [
        ("intent", ""),
        ("outcome", "unknown"),
    ]


def audited(capsys: pytest.CaptureFixture[str]) -> str:
    """Return the whole audit trail as JSON lines, after what was printed before."""
    capsys.readouterr()
    main(["audit", "list", "-o", "json"])
    return capsys.readouterr().out
