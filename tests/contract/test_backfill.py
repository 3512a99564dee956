"""What a console that has just come reads back is what one that watched has recorded, but for what is gone.

Both keep their own folder; the later one starts when all is over. Nothing is compared by hand: ids, times, words,
severity and what else is told of every event.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
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
from services.model.timeline import Event, EventKind
from services.ports import Snapshot
from tests.contract.watched import Watched, apply, kubectl, watched
from tests.controlplane import manifests
from tests.controlplane.plane import ControlPlane
from tests.monitoring.exporter import Exporter
from tests.monitoring.servers import Monitoring, group, rule

TABLES = (
    *("deployments.apps", "statefulsets.apps", "daemonsets.apps", "replicasets.apps", "pods", "nodes", "jobs.batch"),
    *("events", "controller.revisions", "config.digests"),
)
IDENTITY = "tried"
NODE, OTHER_NODE = "worker-04", "worker-03"
IMAGE = "registry.example/{}:{}"
ALERTS = 61.0
"""Seconds by which the end of an alert that is read back may be off: a step of the query, and a poll."""


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

    async def until_told(self, *wanted: str) -> None:
        """Wait until the timeline has events of all these, as "KIND name: text" begins."""

        def told(snapshot: Snapshot) -> bool:
            said = [said_of(event) for event in snapshot.events]
            return all(any(one.startswith(words) for one in said) for words in wanted)

        await self.made.until(told, f"all of {', '.join(wanted)} on the timeline", 90.0)


def said_of(event: Event) -> str:
    return f"{event.kind.name} {event.ref.name}: {event.text}"


@asynccontextmanager
async def console(plane: ControlPlane, prometheus: str, namespace: str, folder: Path) -> AsyncIterator[Console]:
    """Watch one namespace, the nodes and the alerts, and record in an empty folder."""
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        store = StateStore(folder, clock, Pace(tick=0.05, election=0.01))
        store.start()
        stack.callback(store.close)
        made = await stack.enter_async_context(watched(plane.kubeconfig(), *TABLES, namespaces=(namespace,)))
        recorder = Recorder(made.live, store, IDENTITY, clock)
        stack.callback(recorder.close)
        snapshot = await made.until_live()
        cluster = next(iter(snapshot.tables["nodes"].values())).ref.cluster
        endpoint = Endpoint("prometheus main", EndpointSettings(url=prometheus, interval=2), clock)
        stack.push_async_callback(endpoint.close)
        peers = peers_of({"main": endpoint}, {}, cluster)
        alerting = AlertingSource(peers, made.live, clock, Surroundings(cluster=cluster), made.live.snapshot)
        task = asyncio.ensure_future(alerting.run())
        stack.push_async_callback(_ended, task)
        async with asyncio.timeout(20):
            await alerting.past_told.wait()
        yield Console(made, store)


async def _ended(task: asyncio.Future[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_backfill_equals_what_was_recorded(
    plane: ControlPlane, monitoring: Monitoring, namespace: str, tmp_path: Path
) -> None:
    exporter = monitoring.exporter()
    rules = [group(rule("Broken", "broken > 0", labels={"severity": "critical"}))]
    prometheus = monitoring.prometheus(rules, scrape={"x": exporter})
    try:
        async with console(plane, prometheus.url, namespace, tmp_path / "watching") as watching:
            await _much_happens(plane, namespace, exporter, watching)
            recorded = await watching.recorded()
            async with console(plane, prometheus.url, namespace, tmp_path / "late") as late:
                await late.until_told("ALERT Broken: Broken ended", "JOB spoilt", "NODE worker-04: Ready")
                found = await late.recorded()
                recorded |= await watching.recorded()
    finally:
        await kubectl(plane, "uncordon", OTHER_NODE)
        await kubectl(plane, "label", "node", NODE, "sick-")
    assert [said_of(event) for key, event in found.items() if key not in recorded] == []
    gone = {said_of(event): why_gone(event) for key, event in recorded.items() if key not in found}
    assert [said for said, why in gone.items() if not why] == []
    assert set(gone.values()) == set(GONE.values()), "a difference on the list did not happen: take it off, or cause it"
    assert [line for key, event in found.items() for line in unlike(recorded[key], event)] == []
    assert {event.kind for event in found.values()} >= READ_BACK


READ_BACK = {
    *(EventKind.ROLLOUT, EventKind.SCALE, EventKind.CONFIG),
    *(EventKind.NODE, EventKind.JOB, EventKind.ALERT),
}

GONE = {
    "SCALE edited: scaled to 3": "an edit of spec.replicas leaves no time of its own; the scale subresource does",
    "SCALE web: scaled to 4": "only the last scaling through the subresource keeps its time",
    "ROLLOUT web: rev 1 complete": "a Deployment tells when its last roll-out ended, not the ones before",
    "ROLLOUT web: rev 2 complete": "a Deployment tells when its last roll-out ended, not the ones before",
    "ROLLOUT (db|agent): complete": "a StatefulSet or DaemonSet does not tell when a roll-out ended",
    "NODE worker-04: NotReady": "a node's condition tells of its last change only",
    "NODE worker-04: (cordoned|uncordoned)": "a node that may be used again does not tell that it was closed",
    "CONFIG settings: changed: greeting": "a ConfigMap tells of its last change only",
    "UNHEALTHY ": "trouble that is over is kept by no object, and what is going on is shown, not told again",
    "RECOVERED ": "that trouble is over is kept by no object",
}
"""What a console that was not there cannot find out, by what it says (a pattern), and why."""


def why_gone(event: Event) -> str:
    """Return why the cluster no longer knows of an event, "" where it should."""
    said = said_of(event)
    return next((why for pattern, why in GONE.items() if re.match(pattern, said)), "")


def unlike(was: Event, now: Event) -> list[str]:
    """Return in what an event that was read back differs from the recorded one beyond what is meant to."""
    found = []
    slack = ALERTS if was.kind is EventKind.ALERT and was.text.endswith("ended") else 0.0
    if abs(was.at - now.at) > slack:
        found.append(f"at {was.at:.3f} / {now.at:.3f}")
    pairs = {name: (getattr(was, name), getattr(now, name)) for name in ("kind", "ref", "severity")}
    found += [f"{name} {one} / {other}" for name, (one, other) in pairs.items() if one != other]
    # Which keys of a ConfigMap changed is known only to who saw it before.
    words = was.text.partition(":")[0] if was.kind is EventKind.CONFIG else was.text
    if words != now.text:
        found.append(f"text {was.text!r} / {now.text!r}")
    if known(was.payload) != known(now.payload):
        found.append(f"payload {was.payload} / {now.payload}")
    return [f"{said_of(was)}: {one}" for one in found]


def known(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of a payload can be read back: neither numbers nor keys from before."""
    return {name: said for name, said in payload.items() if name != "before" and not name.startswith("key ")}


async def _much_happens(plane: ControlPlane, namespace: str, exporter: Exporter, watching: Console) -> None:
    """Let every kind of event come about, each seen by the console before the next of its kind."""

    async def ctl(*arguments: str) -> None:
        await kubectl(plane, "-n", namespace, *arguments)

    def workload(kind: str, name: str, **spec: object) -> dict[str, Any]:
        template = manifests.pod_template(name, IMAGE.format(name, "1.0.0"))
        return manifests.workload(kind, namespace, name, template, **spec)

    settings = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings", "namespace": namespace}}
    await apply(
        plane,
        workload("Deployment", "web", replicas=2),
        workload("Deployment", "edited", replicas=1),
        workload("StatefulSet", "db", replicas=1, serviceName="db"),
        workload("DaemonSet", "agent"),
        settings | {"data": {"greeting": "hello", "colour": "red"}},
        _job(namespace),
    )
    exporter.set("broken", 1.0, namespace=namespace, app="web")
    await watching.until_told("ROLLOUT web: rev 1 complete", "ROLLOUT db: rev 1", "ROLLOUT agent: rev 1", "JOB spoilt")
    await watching.until_told("ALERT Broken: Broken firing")
    for name, kind in (("web", "deployment"), ("db", "statefulset"), ("agent", "daemonset")):
        await ctl("set", "image", f"{kind}/{name}", f"{name}={IMAGE.format(name, '1.1.0')}")
    await ctl("scale", "deployment/web", "--replicas=4")
    await ctl("patch", "deployment/edited", "-p", '{"spec": {"replicas": 3}}')
    await ctl("patch", "configmap/settings", "-p", '{"data": {"greeting": "good day"}}')
    await kubectl(plane, "cordon", NODE)
    await kubectl(plane, "label", "node", NODE, "sick=true")
    await watching.until_told("ROLLOUT web: rev 2 complete", "ROLLOUT db: rev 2", "ROLLOUT agent: rev 2")
    await watching.until_told("SCALE web: scaled to 4", "SCALE edited: scaled to 3")
    await watching.until_told("CONFIG settings: changed: greeting")
    await watching.until_told(f"NODE {NODE}: cordoned", f"NODE {NODE}: NotReady", "ROLLOUT db: complete")
    exporter.set("broken", 0.0, namespace=namespace, app="web")
    await ctl("rollout", "undo", "deployment/web")
    await ctl("scale", "deployment/web", "--replicas=3")
    await ctl("patch", "configmap/settings", "-p", '{"data": {"colour": "blue"}}')
    await kubectl(plane, "uncordon", NODE)
    await kubectl(plane, "label", "node", NODE, "sick-")
    await kubectl(plane, "cordon", OTHER_NODE)
    await ctl("rollout", "undo", "statefulset/db")
    await apply(plane, _rescaled(namespace))
    await watching.until_told("ROLLOUT web: rev 3 (was 1)", "ROLLOUT web: rev 3 complete", "ROLLOUT db: rev 3")
    await watching.until_told("SCALE web: scaled to 3", "ALERT Broken: Broken ended")
    await watching.until_told("CONFIG settings: changed: colour")
    await watching.until_told(f"NODE {NODE}: uncordoned", f"NODE {NODE}: Ready", f"NODE {OTHER_NODE}: cordoned")
    await watching.until_told("SCALE web: SuccessfulRescale", "RECOVERED ")


def _job(namespace: str) -> dict[str, Any]:
    """Return a Job that may not last longer than a second."""
    template = manifests.pod_template("spoilt", IMAGE.format("spoilt", "1.0.0-crash"))
    template["spec"]["restartPolicy"] = "Never"
    spec = {"template": template, "backoffLimit": 0, "activeDeadlineSeconds": 1}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "spoilt", "namespace": namespace},
        "spec": spec,
    }


def _rescaled(namespace: str) -> dict[str, Any]:
    """Return an Event as an autoscaler writes it."""
    now = datetime.now(UTC).replace(microsecond=0).isoformat().replace("+00:00", "Z")
    about = {"kind": "Deployment", "namespace": namespace, "name": "web", "apiVersion": "apps/v1"}
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "web.rescaled", "namespace": namespace},
        "involvedObject": about,
        "reason": "SuccessfulRescale",
        "message": "New size: 3; reason: All metrics below target",
        "type": "Normal",
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
        "source": {"component": "horizontal-pod-autoscaler"},
    }
