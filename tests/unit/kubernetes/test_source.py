"""One cluster as a source: what is refused falls back, what hangs is said and recovers, what stays is not disturbed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from scripted_server import Answer, Recorder, Request, ScriptedServer, identity, settings, status

from services.clock import ManualClock, SystemClock
from services.kubernetes import pulse
from services.kubernetes.source import KubernetesSource
from services.model.ref import Resource
from services.model.source import SourceState
from services.ports import Interest, Replace

NAMES = ("default", "kube-system", "shop", "web")
Hook = Callable[["Estate", Request, Answer], Awaitable[bool]]


def namespace(name: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "uid": f"uid-of-{name}"}, "status": {"phase": "Active"}}


def pod(where: str, name: str) -> dict[str, Any]:
    return {
        "metadata": {"namespace": where, "name": name, "uid": f"uid-{name}", "resourceVersion": "5"},
        "spec": {"containers": [{"name": "main"}]},
        "status": {"phase": "Running"},
    }


def table(columns: list[str], rows: list[dict[str, Any]]) -> dict[str, Any]:
    heads = [{"name": name, "type": "string", "priority": 0} for name in columns]
    return {"kind": "Table", "metadata": {"resourceVersion": "5"}, "columnDefinitions": heads, "rows": rows}


class Estate:
    """A cluster with a few pods; hooks may answer first."""

    def __init__(self) -> None:
        self.hooks: list[Hook] = []
        self.pods = [pod("shop", "cart"), pod("web", "site")]
        self.hung = asyncio.Event()
        self.hung.set()
        self.open_watches: list[str] = []
        self.asked: list[str] = []

    async def handle(self, request: Request, answer: Answer) -> None:
        await self.hung.wait()
        self.asked.append(request.path)
        for hook in self.hooks:
            if await hook(self, request, answer):
                return
        parts = request.path.strip("/").split("/")
        if request.path in {"/readyz", "/version"}:
            await answer.whole(200, b"ok")
        elif request.params.get("watch"):
            self.open_watches.append(request.path)
            await answer.start()
            await asyncio.Event().wait()
        elif parts == ["api", "v1", "namespaces"]:
            await answer.json(self.listed([namespace(name) for name in NAMES]))
        elif parts[-1] == "pods":
            where = parts[-2] if len(parts) == 5 else ""
            found = [each for each in self.pods if not where or each["metadata"]["namespace"] == where]
            if "as=Table" in request.headers["accept"]:
                cells = [{"cells": [each["metadata"]["name"], "1/1", "Running"]} for each in found]
                await answer.json(table(["Name", "Ready", "Status"], cells))
            else:
                await answer.json(self.listed(found))
        elif "as=Table" in request.headers["accept"]:
            metadata = {"name": "one", "namespace": "web", "uid": "u1"}
            await answer.json(table(["Name", "Hosts"], [{"cells": ["one", "a.b"], "object": {"metadata": metadata}}]))
        else:
            await answer.json(self.listed([]))

    def listed(self, items: list[dict[str, Any]]) -> dict[str, Any]:
        return {"kind": "List", "metadata": {"resourceVersion": "5"}, "items": items}


def refusing(*paths: str, code: int = 403) -> Hook:
    async def hook(_: Estate, request: Request, answer: Answer) -> bool:
        if request.path in paths:
            await answer.json(status(code, f"{request.path} is forbidden"), code)
            return True
        return False

    return hook


class World:
    def __init__(self, estate: Estate, server: ScriptedServer, source: KubernetesSource, sink: Recorder) -> None:
        self.estate = estate
        self.server = server
        self.source = source
        self.sink = sink

    def state(self, name: str) -> SourceState | None:
        said = self.sink.statuses.get(name)
        return said.state if said is not None else None

    async def until_live(self, *tables: str) -> None:
        await self.sink.until(lambda: all(self.state(f"kubernetes/{each}") is SourceState.LIVE for each in tables))


@contextlib.asynccontextmanager
async def running(
    interest: Interest, *hooks: Hook, clock: ManualClock | None = None, fallback: tuple[str, ...] = ()
) -> AsyncIterator[World]:
    estate, sink = Estate(), Recorder()
    estate.hooks = list(hooks)
    async with ScriptedServer(estate.handle) as server:
        known = settings(server.url, identity=identity(server.url))
        source = KubernetesSource(known, interest, sink, clock or SystemClock(), fallback=fallback)
        task = asyncio.ensure_future(source.run())
        try:
            yield World(estate, server, source, sink)
        finally:
            task.cancel()
            async with asyncio.timeout(30):
                await asyncio.gather(task, return_exceptions=True)


PODS_ONLY = Interest(tables=("pods",))


async def test_the_cluster_is_named_by_kube_system() -> None:
    async with running(PODS_ONLY) as world:
        await world.until_live("pods")
        assert world.source.cluster == "uid-of-kube-system"
        assert {row.ref.cluster for row in world.sink.tables["pods"].values()} == {"uid-of-kube-system"}


async def test_one_namespace_s_right_is_enough_to_name_it() -> None:
    async def hook(_: Estate, request: Request, answer: Answer) -> bool:
        if request.path == "/api/v1/namespaces/kube-system":
            await answer.json(namespace("kube-system"))
            return True
        return False

    async with running(PODS_ONLY, refusing("/api/v1/namespaces"), hook) as world:
        await world.until_live("pods")
        assert world.source.cluster == "uid-of-kube-system"


async def test_without_that_right_it_is_named_by_server_and_authority() -> None:
    async with running(PODS_ONLY, refusing("/api/v1/namespaces", "/api/v1/namespaces/kube-system")) as world:
        await world.until_live("pods")
        assert world.source.cluster == "key-of-server"


async def test_rows_are_shown_at_once_and_completed_by_the_list() -> None:
    async with running(PODS_ONLY) as world:
        await world.until_live("pods")
        first, second = [change for _, change in world.sink.changes if isinstance(change, Replace)]
        assert set(first.rows) == set(second.rows) == {"shop/cart", "web/site"}
        assert [row.ref.uid for row in first.rows.values()] == ["", ""]
        assert second.rows["shop/cart"].ref.uid == "uid-cart"


async def test_the_first_table_has_its_rows_before_the_others_ask() -> None:
    async with running(Interest(tables=("deployments.apps", "nodes", "jobs.batch"))) as world:
        await world.until_live("deployments.apps", "nodes", "jobs.batch")
        order = [path.rsplit("/", 1)[-1] for path in world.estate.asked]
        assert order.index("deployments") < min(order.index("nodes"), order.index("jobs"))


async def test_a_refused_cluster_wide_list_falls_back_to_the_namespaces_given() -> None:
    refused = refusing("/api/v1/pods", "/api/v1/namespaces/web/pods", "/api/v1/nodes")
    interest = Interest(tables=("pods", "nodes"))
    async with running(interest, refused, fallback=("shop", "web", "default")) as world:
        await world.until_live("pods")
        await world.sink.until(lambda: world.state("kubernetes/nodes") is SourceState.FORBIDDEN)
        said = world.sink.statuses["kubernetes/pods"]
        assert list(world.sink.tables["pods"]) == ["shop/cart"]
        assert said.scope == "2 of 3 namespaces"
        assert "web/pods is forbidden" in said.error
        assert "nodes" in world.sink.statuses["kubernetes/nodes"].error


async def test_without_namespaces_given_the_context_s_own_is_watched() -> None:
    async with running(PODS_ONLY, refusing("/api/v1/pods")) as world:
        await world.until_live("pods")
        assert world.sink.statuses["kubernetes/pods"].scope == "home"
        assert "/api/v1/namespaces/home/pods" in world.estate.asked


async def test_namespaces_change_without_disturbing_what_stays() -> None:
    async with running(Interest(tables=("pods",), namespaces=("shop",))) as world:
        await world.until_live("pods")
        assert set(world.sink.tables["pods"]) == {"shop/cart"}
        world.source.update(Interest(tables=("pods",), namespaces=("shop", "web")))
        await world.sink.until(lambda: set(world.sink.tables["pods"]) == {"shop/cart", "web/site"})
        world.source.update(Interest(tables=("pods",), namespaces=("web",)))
        await world.sink.until(lambda: set(world.sink.tables["pods"]) == {"web/site"})
        lists = [request.path for request in world.server.requests if not request.params.get("watch")]
        assert lists.count("/api/v1/namespaces/shop/pods") == 1
        assert lists.count("/api/v1/namespaces/web/pods") == 1


async def test_a_table_is_live_only_once_its_rows_are_there() -> None:
    late = asyncio.Event()

    async def hook(_: Estate, request: Request, answer: Answer) -> bool:
        if request.path == "/api/v1/namespaces/web/pods" and not late.is_set():
            await late.wait()
        return False

    async with running(Interest(tables=("pods",), namespaces=("shop", "web")), hook) as world:
        shop = "/api/v1/namespaces/shop/pods"
        await world.sink.until(lambda: shop in world.estate.open_watches or world.state("kubernetes/pods") == "live")
        assert world.state("kubernetes/pods") is SourceState.LOADING
        late.set()
        await world.until_live("pods")
        assert set(world.sink.tables["pods"]) == {"shop/cart", "web/site"}


async def test_tables_come_and_go() -> None:
    async with running(PODS_ONLY) as world:
        await world.until_live("pods")
        world.source.update(Interest(tables=("pods", "nodes")))
        await world.until_live("nodes")
        world.source.update(Interest(tables=("nodes",)))
        await world.until_live("nodes")
        lists = [request for request in world.server.requests if request.path == "/api/v1/pods"]
        assert len([each for each in lists if not each.params.get("watch")]) == 1


@pytest.mark.parametrize("plural", ["ingresses", "replicasets"])
async def test_any_kind_comes_as_the_server_prints_it_also_one_that_is_decoded(plural: str) -> None:
    kind = Resource("apps", "v1", plural, plural.title())
    async with running(Interest(tables=("replicasets.apps",), generic=(kind,))) as world:
        await world.until_live(kind.printed, "replicasets.apps")
        row = world.sink.tables[kind.printed]["web/one"]
        assert row.cells == ("one", "a.b")
        info = world.sink.tables["columns"][kind.table]
        assert [column.name for column in info.columns] == ["Name", "Hosts"]
        assert not world.sink.tables["replicasets.apps"]


@pytest.mark.parametrize(
    ("hook", "state"),
    [(refusing("/apis/metrics.k8s.io/v1beta1/pods", code=404), "not-configured"), (None, "live")],
)
async def test_usage_is_polled_where_it_is_offered(hook: Hook | None, state: str) -> None:
    async def metrics(_: Estate, request: Request, answer: Answer) -> bool:
        if "metrics.k8s.io" not in request.path:
            return False
        item = {
            "metadata": {"namespace": "shop", "name": "cart"},
            "containers": [{"usage": {"cpu": "12m", "memory": "3Mi"}}],
        }
        await answer.json({"kind": "PodMetricsList", "items": [item]})
        return True

    async with running(Interest(tables=("usage.pods",)), *([hook] if hook else []), metrics) as world:
        await world.sink.until(lambda: world.state("kubernetes/usage.pods") == state)
        if state == "live":
            used = world.sink.tables["usage.pods"]["shop/cart"]
            assert (used.cpu, used.memory) == (12, 3 << 20)


async def test_a_hung_server_is_said_within_fifteen_seconds_and_recovers() -> None:
    clock = ManualClock()
    async with running(PODS_ONLY, clock=clock) as world:
        await pumped(world, clock, lambda: world.state("kubernetes/pods") is SourceState.LIVE)
        await pumped(world, clock, lambda: len(world.estate.open_watches) == 1)
        world.estate.hung.clear()
        assert pulse.EVERY + pulse.DEADLINE <= 10.0
        before, asked = clock.monotonic(), len(world.server.requests)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(pulse, "DEADLINE", 0.2)
            await pumped(world, clock, lambda: len(world.server.requests) > asked)
            assert clock.monotonic() - before <= 15.0 - pulse.DEADLINE
            await pumped(world, clock, lambda: world.state("kubernetes") is SourceState.FAILED)
            assert "did not answer in time" in world.sink.statuses["kubernetes"].error
            kept = world.sink.statuses["kubernetes"]
            assert kept.last_ok > 0
        world.estate.hung.set()
        await pumped(world, clock, lambda: world.state("kubernetes") is SourceState.LIVE)
        await pumped(world, clock, lambda: len(world.estate.open_watches) == 2)


async def pumped(world: World, clock: ManualClock, condition: Callable[[], bool]) -> None:
    """Let time pass, a tenth of a second for each turn of the loop, until something holds."""
    async with asyncio.timeout(60):
        while not condition():
            await clock.advance(0.1)
            await asyncio.sleep(0.002)


async def test_a_server_without_readyz_is_asked_for_its_version() -> None:
    async with running(PODS_ONLY, refusing("/readyz")) as world:
        await world.sink.until(lambda: world.state("kubernetes") is SourceState.LIVE)
        assert "/version" in world.estate.asked


async def test_a_server_that_is_not_ready_is_said_in_its_own_words() -> None:
    async def hook(_: Estate, request: Request, answer: Answer) -> bool:
        if request.path == "/readyz":
            await answer.whole(500, b"[+]ping ok\n[-]etcd failed: reason withheld\nreadyz check failed")
            return True
        return False

    async with running(PODS_ONLY, hook) as world:
        await world.sink.until(lambda: world.state("kubernetes") is SourceState.FAILED)
        assert "[-]etcd failed" in world.sink.statuses["kubernetes"].error


async def test_an_unreachable_server_is_said_and_found_when_it_comes() -> None:
    clock = ManualClock()
    estate, sink = Estate(), Recorder()
    async with ScriptedServer(estate.handle) as server:
        url = server.url
    known = settings(url, identity=identity(url))
    source = KubernetesSource(known, PODS_ONLY, sink, clock)
    task = asyncio.ensure_future(source.run())
    world = World(estate, server, source, sink)
    await pumped(world, clock, lambda: world.state("kubernetes") is SourceState.FAILED)
    assert "refused the connection" in sink.statuses["kubernetes"].error
    again = ScriptedServer(estate.handle)
    again.port = int(url.rsplit(":", 1)[1])
    async with again:
        await pumped(world, clock, lambda: world.state("kubernetes/pods") is SourceState.LIVE)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_fault_of_this_program_is_said_not_hidden() -> None:
    class Broken(Recorder):
        def apply(self, source: str, change: object) -> None:
            raise RuntimeError("boom")

    estate, sink = Estate(), Broken()
    async with ScriptedServer(estate.handle) as server:
        source = KubernetesSource(settings(server.url), Interest(tables=("nodes",)), sink, SystemClock())
        task = asyncio.ensure_future(source.run())
        await sink.until(
            lambda: (
                "fault of this program (RuntimeError)" in getattr(sink.statuses.get("kubernetes/nodes"), "error", "")
            )
        )
        assert sink.statuses["kubernetes/nodes"].state is SourceState.FAILED
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
