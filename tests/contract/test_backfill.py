"""What a console that has just come reads back is what one that watched has recorded, but for what is gone.

Both keep their own folder; the later one starts when all is over. Nothing is compared by hand: ids, times, words,
severity and what else is told of every event.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from services.model.timeline import Event, EventKind
from tests.contract.recorded import Console, console, said_of, unlike
from tests.contract.watched import apply, kubectl
from tests.controlplane import manifests
from tests.controlplane.plane import ControlPlane
from tests.monitoring.exporter import Exporter
from tests.monitoring.servers import Monitoring, group, rule

NODE, OTHER_NODE = "worker-04", "worker-03"
IMAGE = "registry.example/{}:{}"


async def test_backfill_equals_what_was_recorded(
    plane: ControlPlane, monitoring: Monitoring, namespace: str, tmp_path: Path
) -> None:
    exporter = monitoring.exporter()
    rules = [group(rule("Broken", "broken > 0", labels={"severity": "critical"}))]
    prometheus = monitoring.prometheus(rules, scrape={"x": exporter})
    try:
        async with console(plane.kubeconfig(), prometheus.url, tmp_path / "watching", namespace) as watching:
            await _much_happens(plane, namespace, exporter, watching)
            recorded = await watching.recorded()
            async with console(plane.kubeconfig(), prometheus.url, tmp_path / "late", namespace) as late:
                await late.until_told(
                    "ALERT Broken: Broken ended", "JOB spoilt", "NODE worker-04: Ready", "SCALE web: scaled to 3"
                )
                found = await late.recorded()
                recorded |= await watching.recorded()
    finally:
        await kubectl(plane, "uncordon", OTHER_NODE)
        await kubectl(plane, "label", "node", NODE, "sick-")
    assert [said_of(event) for key, event in found.items() if key not in recorded] == []
    gone = {said_of(event): why_gone(event) for key, event in recorded.items() if key not in found}
    assert [said for said, why in gone.items() if not why] == []
    assert set(gone.values()) == set(GONE.values()), "a difference on the list did not happen: take it off, or cause it"
    differing = [line for key, event in found.items() for line in unlike(recorded[key], event)]
    assert not differing, "\n".join(differing)
    assert {event.kind for event in found.values()} >= READ_BACK


READ_BACK = {
    *(EventKind.ROLLOUT, EventKind.SCALE, EventKind.CONFIG),
    *(EventKind.NODE, EventKind.JOB, EventKind.ALERT),
}

GONE = {
    "SCALE web: scaled to 4": "what the controller did while a roll-out went on may have been a part of it",
    "SCALE web: scaled to 5": "only the last scaling is told: it made the present number in the present generation",
    "SCALE db: scaled to 2": "no object and no Event tells when a StatefulSet was scaled",
    "ROLLOUT web: rev 1 complete": "a Deployment tells when its last roll-out ended, not the ones before",
    "ROLLOUT web: rev 2 complete": "a Deployment tells when its last roll-out ended, not the ones before",
    r"ROLLOUT (db|agent): rev \d complete": "a StatefulSet or DaemonSet does not tell when a roll-out ended",
    "ROLLOUT db: rev 1  ": "a ControllerRevision that is chosen again gets a new number and forgets the old one",
    "NODE worker-04: (NotReady|Ready|MemoryPressure)": "a node's condition tells of its last change only",
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
    await watching.until_told(f"NODE {NODE}: cordoned", f"NODE {NODE}: NotReady", "ROLLOUT db: rev 2 complete")
    exporter.set("broken", 0.0, namespace=namespace, app="web")
    await ctl("rollout", "undo", "deployment/web")
    await watching.until_told("ROLLOUT web: rev 3 (was 1)", "ROLLOUT web: rev 3 complete")
    await ctl("patch", "configmap/settings", "-p", '{"data": {"colour": "blue"}}')
    await kubectl(plane, "uncordon", NODE)
    await kubectl(plane, "label", "node", NODE, "sick-")
    await kubectl(plane, "cordon", OTHER_NODE)
    await ctl("rollout", "undo", "statefulset/db")
    await apply(plane, _rescaled(namespace))
    await watching.until_told("ROLLOUT db: rev 3 complete", "ALERT Broken: Broken ended")
    # The server writes whole seconds: what was done in the one in which the roll-out ended may have been a part of it.
    await watching.next_second()
    await ctl("scale", "statefulset/db", "--replicas=2")
    await ctl("scale", "deployment/web", "--replicas=5")
    await watching.until_told("SCALE web: scaled to 5", "SCALE db: scaled to 2")
    await ctl("scale", "deployment/web", "--replicas=3")
    await watching.until_told("SCALE web: scaled to 3")
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
