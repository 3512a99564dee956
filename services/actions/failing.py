"""Tells early that a roll-out does not come up by itself: its new pods crash again and again, or find no image.

The Deployment's own deadline says so ten minutes later, and other kinds never do.
"""

from __future__ import annotations

import msgspec

from services.actions.reading import at, entries
from services.actions.spec import Document, Hands
from services.actions.workloads import HASH_LABEL
from services.errors import Problem
from services.kubernetes.decode import FAILURES, decode_list
from services.kubernetes.decode_workloads import revision_number
from services.kubernetes.diagnosis import diagnose
from services.kubernetes.findings import crashes
from services.kubernetes.podstatus import CONFIG_REASONS, IMAGE_REASONS
from services.model.action import Target
from services.model.ref import CONTROLLERREVISIONS, PODS, REPLICASETS
from services.model.workload import Pod, Workload

LOOK = 3.0
"""Seconds between two looks at the pods."""

CRASHES = 3
"""A new pod that crashes and was started so often again is given up: what it waited for would have come by then."""

PERSISTS = 30.0
"""Seconds for which a pod must have found no image, or no configuration, at every look: registries stumble."""

HASH, CONTROLLERS_HASH = "pod-template-hash", "controller-revision-hash"
REVISION = "deployment.kubernetes.io/revision"


class Failing:
    """Looks at the newest revision's pods of one workload while its roll-out is watched."""

    def __init__(self, target: Target, hands: Hands) -> None:
        self._target = target
        self._hands = hands
        self._next = 0.0
        self._since: dict[str, float] = {}

    async def cause(self, workload: Workload, document: Document) -> str:
        """Return why the new pods will not come up as they are, "" while that is not certain; raises nothing.

        A Deployment is seen before its controller has given the new template a revision: what is counted newest then
        is the one before, so its template has to be that of the `document`.
        """
        now = self._hands.clock.monotonic()
        if now < self._next or not workload.selector or workload.generation > workload.observed_generation:
            return ""
        self._next = now + LOOK
        try:
            pods = [pod for pod in await self._pods(workload) if self._certain(pod, now)]
            newest = await self._newest(workload, at(document, "spec", "template")) if pods else ""
        except Problem:
            return ""
        certain = [pod for pod in pods if newest and newest in pod.labels]
        return diagnose(workload, (), certain, self._hands.clock.now()).cause if certain else ""

    def _certain(self, pod: Pod, now: float) -> bool:
        """Tell whether a pod has failed for good as it is, as far as anybody can know."""
        status = pod.status.removeprefix("Init:")
        if pod.deleted_at:
            return False
        if status in IMAGE_REASONS or status in CONFIG_REASONS:
            return now - self._since.setdefault(pod.ref.uid, now) >= PERSISTS
        self._since.pop(pod.ref.uid, None)
        return crashes(pod) and pod.restarts >= CRASHES

    async def _pods(self, workload: Workload) -> list[Pod]:
        found = await self._hands.find(PODS, self._target.ref.namespace, labelSelector=workload.selector)
        body = msgspec.json.encode({"metadata": {}, "items": found})
        try:
            rows = decode_list(PODS.table, body, self._target.ref.cluster).rows
        except FAILURES:
            return []
        return [row for row in rows.values() if isinstance(row, Pod)]

    async def _newest(self, workload: Workload, template: object) -> str:
        """Return the label ("name=value") of the pods of the newest revision, "" where it cannot be told."""
        ref = self._target.ref
        if workload.delivery is not None:
            return f"{HASH_LABEL}={workload.delivery.current}" if workload.delivery.current else ""
        if ref.kind == "StatefulSet":
            return f"{CONTROLLERS_HASH}={workload.update_revision}" if workload.update_revision else ""
        kind, name = (REPLICASETS, HASH) if ref.kind == "Deployment" else (CONTROLLERREVISIONS, CONTROLLERS_HASH)
        holders = await self._hands.find(kind, ref.namespace, labelSelector=workload.selector)
        mine = [one for one in holders if _owned(one, ref.uid)]
        newest = max(mine, key=_number, default=None)
        if newest is None or (ref.kind == "Deployment" and _number(newest) != revision_number(workload.revision)):
            return ""
        if ref.kind == "Deployment" and _meant(at(newest, "spec", "template")) != _meant(template):
            return ""
        value = at(newest, "metadata", "labels", name)
        return f"{name}={value}" if value else ""


def _owned(holder: Document, uid: str) -> bool:
    return any(one.get("uid") == uid for one in entries(at(holder, "metadata", "ownerReferences")))


def _meant(template: object) -> tuple[object, ...]:
    """Return what tells two templates apart: what runs, and the annotations, among them when it was restarted."""
    annotations = at(template, "metadata", "annotations") or {}
    return (annotations, at(template, "spec") or {})


def _number(holder: Document) -> int:
    """Return the revision that a ReplicaSet or a ControllerRevision holds."""
    written = at(holder, "metadata", "annotations", REVISION)
    return revision_number(str(written)) if written else int(holder.get("revision") or 0)
