"""A console that records what it is told, in a folder of its own; and in what two of them may not differ."""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from cache.state.recorder import Recorder
from cache.state.records import EventQuery
from cache.state.store import StateStore
from cache.state.writer import Pace
from services.alerts.peers import peers_of
from services.alerts.picture import Surroundings
from services.alerts.source import AlertingSource
from services.clock import SystemClock
from services.config_endpoints import EndpointSettings
from services.endpoint import Endpoint
from services.model.source import SourceState
from services.model.timeline import Event, EventKind
from services.ports import Snapshot
from tests.contract.watched import Watched, watched

TABLES = (
    *("deployments.apps", "statefulsets.apps", "daemonsets.apps", "replicasets.apps", "pods", "nodes", "jobs.batch"),
    *("events", "controller.revisions", "config.digests"),
)
IDENTITY = "tried"
ENDS = 61.0
"""Seconds by which the end of an alert that is read back may be off: a step of the query, and a poll."""
SLACK = {EventKind.SCALE: 2.0, EventKind.ALERT: 1.0}
"""Seconds by which others may be off: a scaling is told when the controller followed, not when it was asked, and
`ALERTS_FOR_STATE` holds whole seconds."""


class Console:
    """One console's half that watches: what it shows, and what it has recorded so far."""

    def __init__(self, made: Watched, store: StateStore) -> None:
        self.made, self._store = made, store

    async def recorded(self) -> dict[str, Event]:
        """Return all events that are on disk, by id."""
        await self.made.live.idle()
        await asyncio.to_thread(self._store.flush)
        page = await asyncio.to_thread(self._store.reader().events, EventQuery(IDENTITY, limit=5000))
        assert not page.reason
        assert not page.more
        found = {event.id: event for event in page.events}
        assert len(found) == len(page.events)
        return found

    async def next_second(self) -> None:
        """Wait until the second that is going on is over."""
        now = self.made.clock.now()
        await self.made.clock.sleep(math.floor(now) + 1 - now)

    async def until_told(self, *wanted: str) -> None:
        """Wait until the timeline has events of all these, as "KIND name: text" begins."""

        def missing(snapshot: Snapshot) -> list[str]:
            said = [said_of(event) for event in snapshot.events]
            return [words for words in wanted if not any(one.startswith(words) for one in said)]

        try:
            await self.made.until(lambda snapshot: not missing(snapshot), "all of it on the timeline", 60.0)
        except AssertionError as error:
            snapshot = self.made.live.snapshot()
            told = "\n".join(said_of(event) for event in snapshot.events)
            raise AssertionError(f"{error}; not told: {missing(snapshot)} but only\n{told}") from None


def said_of(event: Event) -> str:
    return f"{event.kind.name} {event.ref.name}: {event.text}"


@asynccontextmanager
async def console(kubeconfig: Path, prometheus: str, folder: Path, *namespaces: str) -> AsyncIterator[Console]:
    """Watch these namespaces (none named: all), the nodes and the alerts, and record in an empty folder."""
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        store = StateStore(folder, clock, Pace(tick=0.05, election=0.01))
        store.start()
        stack.callback(store.close)
        made = await stack.enter_async_context(watched(kubeconfig, *TABLES, namespaces=namespaces))
        recorder = Recorder(made.live, store, IDENTITY, clock)
        stack.callback(recorder.close)
        snapshot = await made.until(_whole, "every kind listed")
        cluster = next(iter(snapshot.tables["nodes"].values())).ref.cluster
        endpoint = Endpoint("prometheus main", EndpointSettings(url=prometheus, interval=2), clock)
        stack.push_async_callback(endpoint.close)
        peers = peers_of({"main": endpoint}, {}, cluster)
        alerting = AlertingSource(
            peers, made.live, clock, surroundings=Surroundings(cluster=cluster, young=0.0), snapshot=made.live.snapshot
        )
        task = asyncio.ensure_future(alerting.run())
        stack.push_async_callback(_ended, task)
        async with asyncio.timeout(120):
            await alerting.past_told.wait()
        yield Console(made, store)


def _whole(snapshot: Snapshot) -> bool:
    states = (snapshot.sources.get(f"kubernetes/{table}") for table in TABLES)
    return all(one is not None and one.state is SourceState.LIVE for one in states) and "nodes" in snapshot.tables


async def _ended(task: asyncio.Future[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def unlike(was: Event, now: Event) -> list[str]:
    """Return in what an event that was read back differs from the recorded one beyond what is meant to."""
    found = []
    slack = ENDS if was.kind is EventKind.ALERT and was.text.endswith("ended") else SLACK.get(was.kind, 0.0)
    if abs(was.at - now.at) > slack:
        found.append(f"at {was.at:.3f} / {now.at:.3f}")
    pairs = {name: (getattr(was, name), getattr(now, name)) for name in ("kind", "ref", "severity")}
    found += [f"{name} {one} / {other}" for name, (one, other) in pairs.items() if one != other]
    if now.text not in {was.text, less(was)}:
        found.append(f"text {was.text!r} / {now.text!r}")
    before, after = known(was), known(now)
    if was.kind is EventKind.ROLLOUT and not after.get("actor"):
        # Who wrote a template is known until the next one writes it.
        before.pop("actor", None)
    if before != after:
        found.append(f"payload {was.payload} / {now.payload}")
    return [f"{said_of(was)}: {one}" for one in found]


def less(was: Event) -> str:
    """Return what is left of an event's words where only the object as it is now tells it."""
    if was.kind is EventKind.CONFIG:
        # Which keys of a ConfigMap changed is known only to who saw it before.
        return was.text.partition(":")[0]
    if was.kind is EventKind.ROLLOUT and was.ref.kind != "Deployment":
        # A ControllerRevision that was chosen again does not tell that it was also the one before.
        return re.sub(r"  \S+→", "  ", was.text)
    return was.text


def known(event: Event) -> dict[str, Any]:
    """Return what of a payload can be read back: neither numbers nor keys from before, moments as whole seconds.

    Of an alert that is over a Prometheus knows the labels, and not what its rule said of it.
    """
    lost = {"before", "annotations", "expression", "rule_at"}
    said = {name: each for name, each in event.payload.items() if name not in lost and not name.startswith("key ")}
    moments = {name: math.floor(float(said[name])) for name in ("onset", "fired_at") if said.get(name)}
    return said | moments if event.kind is EventKind.ALERT else said
