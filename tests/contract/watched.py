"""Runs the watching half of the program against a real cluster, and compares its rows with what kubectl prints."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from cache.live import LiveState
from services.clock import SystemClock
from services.engine import Desired, Engine
from services.kubernetes.derivation import Derivation
from services.kubernetes.kubeconfig import identify
from services.kubernetes.session import KubernetesSession
from services.kubernetes.source import KubernetesSource
from services.model.ref import Resource
from services.model.source import SourceState, SourceStatus
from services.ports import Interest, Snapshot
from tests.controlplane.clusters import Cluster

WORKLOADS = ("deployments.apps", "statefulsets.apps", "daemonsets.apps")
TABLES = ("pods", *WORKLOADS, "replicasets.apps", "nodes", "events", "jobs.batch", "cronjobs.batch", "namespaces")
PATIENCE = 120.0
Row = tuple[object, ...]
Rows = dict[str, dict[str, Row]]


class Watched:
    """One engine with its live state; everything runs on the test's loop."""

    def __init__(self) -> None:
        clock = SystemClock()
        self.clock = clock
        self.live = LiveState(clock)
        self.derivation = Derivation(self.live.sink(), clock)
        self.live.add_hook(self.derivation.flush)
        self.engine = Engine(self.derivation, clock)
        self.states: list[tuple[str, SourceState]] = []
        self.asked: list[tuple[str, Mapping[str, str]]] = []
        self.listed: list[str] = []
        self._published = asyncio.Event()
        self.live.subscribe(self._note)

    def _note(self) -> None:
        for name, status in self.live.snapshot().sources.items():
            state = (name, status.state)
            if state not in self.states[-40:]:
                self.states.append(state)
        self._published.set()

    @property
    def session(self) -> KubernetesSession:
        """What screens ask."""
        found = self.engine.session
        assert isinstance(found, KubernetesSession)
        return found

    @property
    def source(self) -> KubernetesSource:
        """What watches."""
        found = self.engine._source
        assert found is not None
        return found

    def listen(self) -> None:
        """Note from now on every stream that is opened, as (path, query), and every list that is begun."""
        transport = self.source.transport
        stream = transport.stream

        def noted(path: str, params: Mapping[str, str] | None = None, **rest: Any) -> Any:
            self.asked.append((path, dict(params or {})))
            return stream(path, params, **rest)

        pages = transport.pages

        def noted_pages(path: str, *rest: Any, **more: Any) -> Any:
            self.listed.append(path)
            return pages(path, *rest, **more)

        transport.stream = noted  # type: ignore[method-assign]
        transport.pages = noted_pages  # type: ignore[method-assign]

    async def until(self, holds: Callable[[Snapshot], object], what: str, within: float = PATIENCE) -> Snapshot:
        """Wait until a published picture is as wanted; fail with what the sources say."""
        try:
            async with asyncio.timeout(within):
                while not holds(snapshot := self.live.snapshot()):
                    self._published.clear()
                    await self._published.wait()
        except TimeoutError:
            said = {name: (str(one.state), one.error) for name, one in self.live.snapshot().sources.items()}
            raise AssertionError(f"did not see {what} within {within:.0f} s; the sources say {said}") from None
        return snapshot

    async def until_live(self, within: float = PATIENCE) -> Snapshot:
        """Wait until every source says it is live."""

        def live(snapshot: Snapshot) -> bool:
            states = [status.state for status in snapshot.sources.values()]
            return len(states) > 1 and all(state is SourceState.LIVE for state in states)

        return await self.until(live, "every source live", within)

    def status(self, source: str = "kubernetes") -> SourceStatus:
        """How a source is doing."""
        return self.live.snapshot().sources.get(source, SourceStatus(source, SourceState.NEVER))


@asynccontextmanager
async def watched(
    kubeconfig: Path,
    *tables: str,
    namespaces: tuple[str, ...] = (),
    generic: tuple[Resource, ...] = (),
    fallback: tuple[str, ...] = (),
) -> AsyncIterator[Watched]:
    """Lend an engine that watches these tables (all, when none is named); it has been asked, no more."""
    made = Watched()
    interest = Interest(tables or TABLES, namespaces, generic)
    await made.engine.reconcile(Desired(identify([str(kubeconfig)]), interest, fallback))
    try:
        yield made
    finally:
        await made.engine.close()
        await made.live.close()


async def kubectl(cluster: Cluster, *arguments: str, stdin: str | None = None, check: bool = True) -> str:
    """Run kubectl beside the loop and return what it prints."""
    done = await asyncio.to_thread(cluster.kubectl, *arguments, stdin=stdin, check=check)
    return done.stdout


async def apply(cluster: Cluster, *objects: Mapping[str, Any]) -> None:
    """Create or change objects."""
    await kubectl(cluster, "apply", "-f", "-", stdin="\n---\n".join(json.dumps(each) for each in objects))


async def theirs(cluster: Cluster) -> Rows:
    """Return what kubectl shows of every kind in `TABLES`: printed columns where they are derived, else fields."""
    tables = [name for name in TABLES if name not in {"pods", "jobs.batch", "nodes"}]
    printed = asyncio.gather(
        *(kubectl(cluster, "get", name, "-A", "--no-headers") for name in ("pods", "jobs.batch")),
        kubectl(cluster, "get", "nodes", "--no-headers"),
    )
    whole = await kubectl(cluster, "get", ",".join(tables), "-A", "-o", "json")
    pods, jobs, nodes = await printed
    rows: Rows = {name: {} for name in TABLES}
    for line in pods.splitlines():
        namespace, name, ready, status, restarts = line.split()[:5]
        rows["pods"][f"{namespace}/{name}"] = (ready, status, int(restarts))
    for line in jobs.splitlines():
        namespace, name, status, completions = line.split()[:4]
        rows["jobs.batch"][f"{namespace}/{name}"] = (status, completions)
    for line in nodes.splitlines():
        name, status = line.split()[:2]
        rows["nodes"][name] = (status,)
    for each in json.loads(whole)["items"]:
        meta = each["metadata"]
        key = f"{meta['namespace']}/{meta['name']}" if "namespace" in meta else meta["name"]
        group = each["apiVersion"].rpartition("/")[0]
        plural = each["kind"].lower() + "s"
        rows[f"{plural}.{group}" if group else plural][key] = _fields(each)
    return rows


def _fields(each: Mapping[str, Any]) -> Row:
    meta, spec, status = each["metadata"], each.get("spec", {}), each.get("status", {})
    if each["kind"] == "Event":
        times = (each.get("series") or each).get("count") or 1  # as kubectl prints it: a series counts for itself
        return (meta["uid"], times, each["reason"], each["message"])
    if each["kind"] == "Namespace":
        return (meta["uid"], status["phase"])
    if each["kind"] == "ReplicaSet":
        return (meta["uid"], spec["replicas"], status.get("replicas", 0), status.get("readyReplicas", 0))
    if each["kind"] == "CronJob":
        return (meta["uid"], spec["schedule"], spec["suspend"])
    return (meta["uid"], meta["resourceVersion"])


def ours(snapshot: Snapshot) -> Rows:
    """Return the same of the program's rows."""
    of = {name: snapshot.tables.get(name, {}) for name in TABLES}
    rows: Rows = {
        "pods": {key: (f"{row.ready}/{row.containers}", row.status, row.restarts) for key, row in of["pods"].items()},
        "nodes": {key: (row.status,) for key, row in of["nodes"].items()},
        "jobs.batch": {
            key: (row.status, f"{row.succeeded}/{row.completions}") for key, row in of["jobs.batch"].items()
        },
        "events": {key: (row.ref.uid, row.count, row.reason, row.message) for key, row in of["events"].items()},
        "namespaces": {key: (row.ref.uid, row.phase) for key, row in of["namespaces"].items()},
        "replicasets.apps": {
            key: (row.ref.uid, row.desired, row.replicas, row.ready) for key, row in of["replicasets.apps"].items()
        },
        "cronjobs.batch": {
            key: (row.ref.uid, row.schedule, row.suspended) for key, row in of["cronjobs.batch"].items()
        },
    }
    for name in WORKLOADS:
        rows[name] = {key: (row.ref.uid, row.resource_version) for key, row in of[name].items()}
    return rows


def differences(mine: Rows, other: Rows) -> list[str]:
    """Say in which rows the two differ."""
    return [
        f"{table} {key}: {mine[table].get(key)} but kubectl {other[table].get(key)}"
        for table in TABLES
        for key in sorted(mine[table].keys() | other[table].keys())
        if mine[table].get(key) != other[table].get(key)
    ]


async def same_as_kubectl(watched: Watched, cluster: Cluster, attempts: int = 30) -> Rows:
    """Wait until every row equals what kubectl shows; things move meanwhile, so it is asked again."""
    found: list[str] = []
    for _ in range(attempts):
        other = await theirs(cluster)
        await watched.live.idle()
        found = differences(ours(watched.live.snapshot()), other)
        if not found:
            return other
        await asyncio.sleep(0.3)
    raise AssertionError("\n".join(found[:20]))


def told_twice(snapshot: Snapshot) -> list[str]:
    """Return what the timeline holds more than once, by id or by what it says."""
    ids = Counter(event.id for event in snapshot.events)
    said = Counter(f"{event.ref.uid} {event.kind} {event.text} {event.at}" for event in snapshot.events)
    return [key for counts in (ids, said) for key, count in counts.items() if count > 1]


def private_copy(kubeconfig: Path, folder: Path, token: str) -> Path:
    """Write a kubeconfig with another token, as a login does, and return its path."""
    import yaml

    document = yaml.safe_load(kubeconfig.read_text())
    for user in document["users"]:
        user["user"] = {"token": token}
    path = folder / "kubeconfig"
    fresh = folder / "kubeconfig.new"
    fresh.touch(mode=0o600)
    fresh.write_text(yaml.safe_dump(document))
    return fresh.replace(path)
