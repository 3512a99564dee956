"""What the whole program does that no single room can: the service thread, the configuration and the login together."""

from __future__ import annotations

import asyncio
import re
import threading
from pathlib import Path

import pytest

from cache.state.store import StateStore
from services.rehearsal.server import Rehearsal
from tests.flows.program import kubeconfig_of, program
from tui import assembly as assembly_module
from tui.assembly import Assembly
from tui.palette import go
from tui.presenters.goto import read_going
from tui.stay import Stay


async def test_a_service_thread_that_dies_is_said_and_its_questions_are_answered(
    home: Path, estate: Rehearsal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("token=hunter2hunter2")

    monkeypatch.setattr(Stay, "__init__", fail)
    async with program("--kubeconfig", kubeconfig_of(estate)) as console:
        await console.until_seen("STOPPED", "nothing is watched any more", "ctrl-c leaves", "ZeroDivisionError")
        await console.until(lambda: "NOT LIVE" in console.header)
        assert "hunter2" not in console.text
        go(console.app, read_going("ingress"))
        await console.until_seen("the service thread has ended")
        (report,) = (home / "state").glob("crash-*.txt")
        assert report.stat().st_mode & 0o777 == 0o600


async def test_a_stay_that_breaks_is_said(home: Path, estate: Rehearsal, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(_: Stay) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Stay, "run", fail)
    async with program("--kubeconfig", kubeconfig_of(estate)) as console:
        await console.until_seen("STOPPED", "rows still come", "CrashLoop")
        assert list((home / "state").glob("crash-*.txt"))


async def test_shared_from_the_start_no_name_is_ever_on_screen(home: Path, estate: Rehearsal) -> None:
    folder = home / "config" / "quarterdeck"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text('[ui]\nshare = true\nshare_salt = "file:~/salt"\n')
    (home / "salt").write_text("team\n")
    seen = []
    for _ in range(2):
        async with program("--kubeconfig", kubeconfig_of(estate), size=(200, 60)) as console:
            await console.until(lambda: "SHARE" in console.header and "   live" in console.header)
            await console.until(lambda: {"nodes", "namespaces"} <= console.assembly.live.snapshot().tables.keys())
            tables = console.assembly.live.snapshot().tables
            names = {node.ref.name for node in tables["nodes"].values()} | {estate.address.cluster}
            names |= {name for name in tables["namespaces"] if not name.startswith(("kube-", "default"))}
            for view in ("pods", "nodes", "namespaces"):
                console.app.open_view(view)
                await console.pilot.pause()
                words = set(re.split(r"[^\w-]+", console.text))
                assert not words & names
            seen.append(console.header.split()[1])
    assert seen[0] == seen[1]


async def test_a_cluster_that_is_slower_than_the_start_has_its_history_written(
    home: Path, estate: Rehearsal, monkeypatch: pytest.MonkeyPatch
) -> None:
    due, made, new_store, begin = threading.Event(), threading.Event(), Assembly._new_store, Assembly._begin_history

    def slow(assembly: Assembly) -> StateStore:
        assert made.wait(60)
        return new_store(assembly)

    def noted(assembly: Assembly) -> None:
        begin(assembly)
        due.set()

    monkeypatch.setattr(assembly_module, "HISTORY_AFTER", 0.05)
    monkeypatch.setattr(Assembly, "_new_store", slow)
    monkeypatch.setattr(Assembly, "_begin_history", noted)
    async with program("--kubeconfig", kubeconfig_of(estate)) as console:
        await console.until(due.is_set)
        made.set()
        await console.until(lambda: console.assembly._history_begun)
        assert console.assembly.store is not None
        assert await asyncio.to_thread(console.assembly.store.flush)
    assert (home / "state" / "state.db").exists()
