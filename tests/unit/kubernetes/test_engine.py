"""The engine changes what is watched without a restart, and never shows one cluster's rows as another's."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import yaml
from scripted_server import Answer, Recorder, Request, ScriptedServer, status

from services.clock import SystemClock
from services.engine import Desired, Engine
from services.errors import Problem
from services.kubernetes.kubeconfig import identify
from services.model.source import SourceState
from services.ports import Interest

NODES = Interest(tables=("nodes",))


def kubeconfig(folder: Path, user: object = None, **servers: str) -> str:
    document = {
        "current-context": next(iter(servers)),
        "contexts": [{"name": name, "context": {"cluster": name, "user": "u"}} for name in servers],
        "clusters": [{"name": name, "cluster": {"server": url}} for name, url in servers.items()],
        "users": [{"name": "u", "user": user or {"token": "t"}}],
    }
    path = folder / "config"
    path.write_text(yaml.safe_dump(document))
    return str(path)


def cluster(name: str, *nodes: str) -> ScriptedServer:
    async def handler(request: Request, answer: Answer) -> None:
        if request.params.get("watch"):
            await answer.start()
            await asyncio.Event().wait()
        items = []
        if request.path == "/api/v1/namespaces":
            items = [{"metadata": {"name": "kube-system", "uid": f"uid-of-{name}"}}]
        elif request.path == "/api/v1/nodes":
            items = [{"metadata": {"name": node, "uid": node}} for node in nodes]
        await answer.json({"kind": "List", "metadata": {"resourceVersion": "1"}, "items": items})

    return ScriptedServer(handler)


@contextlib.asynccontextmanager
async def engine() -> AsyncIterator[tuple[Engine, Recorder]]:
    sink = Recorder()
    running = Engine(sink, SystemClock())
    try:
        yield running, sink
    finally:
        await running.close()


async def test_another_context_replaces_everything(tmp_path: Path) -> None:
    async with cluster("a", "a1", "a2") as first, cluster("b", "b1") as second, engine() as (running, sink):
        path = kubeconfig(tmp_path, a=first.url, b=second.url)
        await running.reconcile(Desired(identify([path]), NODES))
        await sink.until(lambda: set(sink.tables.get("nodes", {})) == {"a1", "a2"})
        session = running.session
        sink.changes.clear()
        await running.reconcile(Desired(identify([path], "b"), NODES))
        assert sink.tables["nodes"] == {}  # from the first moment on: never rows of the cluster before
        assert sink.statuses["kubernetes/nodes"].state is SourceState.LOADING
        await sink.until(lambda: set(sink.tables["nodes"]) == {"b1"})
        assert {row.ref.cluster for row in sink.tables["nodes"].values()} == {"uid-of-b"}
        assert running.session is not session


async def test_another_interest_keeps_the_connection(tmp_path: Path) -> None:
    async with cluster("a", "a1") as server, engine() as (running, sink):
        identity = identify([kubeconfig(tmp_path, a=server.url)])
        await running.reconcile(Desired(identity, NODES))
        await sink.until(lambda: "nodes" in sink.tables)
        session = running.session
        await running.reconcile(Desired(identity, Interest(tables=("nodes", "namespaces"))))
        await sink.until(lambda: "namespaces" in sink.tables)
        assert running.session is session
        lists = [request for request in server.requests if request.path == "/api/v1/nodes"]
        assert len([request for request in lists if not request.params.get("watch")]) == 1


async def test_the_same_twice_changes_nothing(tmp_path: Path) -> None:
    async with cluster("a", "a1") as server, engine() as (running, sink):
        desired = Desired(identify([kubeconfig(tmp_path, a=server.url)]), NODES)
        await running.reconcile(desired)
        await sink.until(lambda: "nodes" in sink.tables)
        asked = len([request for request in server.requests if "nodes" in request.path])
        await running.reconcile(desired)
        await asyncio.sleep(0)
        assert len([request for request in server.requests if "nodes" in request.path]) in {asked, asked + 1}
        assert len([1 for _, change in sink.changes if change.table == "nodes"]) == 1


async def test_credentials_that_cannot_be_read_are_a_problem_and_nothing_is_watched(tmp_path: Path) -> None:
    identity = identify([kubeconfig(tmp_path, a="https://127.0.0.1:1")])
    (tmp_path / "config").unlink()
    async with engine() as (running, sink):
        with pytest.raises(Problem, match="No kubeconfig found"):
            await running.reconcile(Desired(identity, NODES))
        assert running.session is None
        assert sink.statuses == {}


async def test_closing_waits_for_no_server(tmp_path: Path) -> None:
    asked = asyncio.Event()

    async def hang(_: Request, __: Answer) -> None:
        asked.set()
        await asyncio.Event().wait()

    async with ScriptedServer(hang) as server:
        running = Engine(Recorder(), SystemClock())
        await running.reconcile(Desired(identify([kubeconfig(tmp_path, a=server.url)]), NODES))
        await asked.wait()
        began = time.monotonic()
        await running.close(deadline=60.0)
        assert time.monotonic() - began < 30.0


async def test_a_login_is_asked_for_and_taken(tmp_path: Path) -> None:
    flag = tmp_path / "logged-in"
    plugin = tmp_path / "plugin"
    plugin.write_text(
        "#!/bin/sh\n"
        f"[ -e {flag} ] || {{ echo 'visit https://login.example/x' >&2; exit 1; }}\n"
        'echo \'{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"good"}}\'\n'
    )
    plugin.chmod(0o700)

    async def handler(request: Request, answer: Answer) -> None:
        if request.headers.get("authorization") != "Bearer good":
            await answer.json(status(401, "Unauthorized"), 401)
        elif request.params.get("watch"):
            await answer.start()
            await asyncio.Event().wait()
        else:
            await answer.json({"kind": "List", "metadata": {"resourceVersion": "1"}, "items": []})

    async with ScriptedServer(handler) as server, engine() as (running, sink):
        user = {"exec": {"command": str(plugin), "apiVersion": "client.authentication.k8s.io/v1"}}
        path = kubeconfig(tmp_path, user, a=server.url)
        told: list[object] = []
        running.on_login = told.append
        await running.reconcile(Desired(identify([path]), NODES))
        await sink.until(lambda: running.needs_login is not None and bool(sink.statuses["kubernetes"].error))
        assert running.needs_login is not None
        assert running.needs_login.link == "https://login.example/x"
        assert running.needs_login.sentence == sink.statuses["kubernetes"].error
        command = running.login_command()
        assert command is not None
        assert command.argv == (str(plugin),)
        flag.touch()
        running.logged_in()
        await sink.until(lambda: "nodes" in sink.tables, 10.0)
        assert told[-1] is None
