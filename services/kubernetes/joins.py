"""Keeps what is watched joined: a workload to its ReplicaSets, pods and warnings; and notes whom a change touches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from services.kubernetes.findings import TELLING
from services.kubernetes.happenings_beside import TOLD
from services.model.cluster import KubeEvent
from services.model.ref import (
    ARGO_ROLLOUTS,
    DAEMONSETS,
    DEPLOYMENTS,
    EVENTS,
    JOBS,
    NODES,
    PODS,
    REPLICASETS,
    STATEFULSETS,
)
from services.model.severity import Severity
from services.model.workload import Pod, ReplicaSetInfo, Workload
from services.ports import Change, Key, Replace

EVERYWHERE = (DEPLOYMENTS.table, STATEFULSETS.table, DAEMONSETS.table)
"""The workloads that every server has."""

WORKLOADS = (*EVERYWHERE, ARGO_ROLLOUTS.table)
JOINED = frozenset((*WORKLOADS, REPLICASETS.table, PODS.table, NODES.table, JOBS.table, EVENTS.table))
"""The tables that are joined; others are none of its business."""


class Joins:
    """Indexes over the very objects that were watched.

    What a change touches is gathered until somebody takes it: `dirty` workloads (by uid), of which the `quiet` ones
    were merely listed for the first time; `gone` rows; `revisions` that are new (with whether that was seen live);
    `news` (what an object was and is; was None where it was not known before); `left`, the uids that are no more;
    `symptoms` whether any may have changed.
    """

    def __init__(self) -> None:
        self.tables: dict[str, dict[Key, Any]] = {}
        self.seen: set[str] = set()
        self.workloads: dict[str, Workload] = {}
        self.dirty: set[str] = set()
        self.quiet: set[str] = set()
        self.gone: set[Key] = set()
        self.left: set[str] = set()
        self.revisions: dict[Key, tuple[ReplicaSetInfo, bool]] = {}
        self.news: list[tuple[Any, Any]] = []
        self.ill: dict[Key, Pod] = {}
        self.symptoms = False
        self._owned: dict[str, dict[Key, Pod]] = {}
        self._replicasets: dict[str, dict[Key, ReplicaSetInfo]] = {}
        self._deployment_of: dict[str, str] = {}
        self._warnings: dict[str, dict[Key, KubeEvent]] = {}

    # What belongs together

    def replicasets(self, workload: str) -> list[ReplicaSetInfo]:
        """Return the ReplicaSets of the Deployment or Rollout with that uid."""
        return list(self._replicasets.get(workload, {}).values())

    def pods(self, workload: str) -> list[Pod]:
        """Return the pods of the workload with that uid, its own and its ReplicaSets'."""
        owners = [workload, *(one.ref.uid for one in self._replicasets.get(workload, {}).values())]
        return [pod for owner in owners for pod in self._owned.get(owner, {}).values()]

    def warnings(self, workload: str, pods: list[Pod]) -> list[KubeEvent]:
        """Return the telling warnings about a workload and those of its pods that are not well."""
        if not self._warnings:
            return []
        uids = [workload, *(pod.ref.uid for pod in pods if pod.unready_since or pod.severity != Severity.OK)]
        return [event for uid in uids if uid in self._warnings for event in self._warnings[uid].values()]

    def touch(self, owner: str) -> None:
        """Note that what this uid owns has changed."""
        self.dirty.add(self._deployment_of.get(owner, owner))

    # What changes

    def take(self, change: Change) -> None:
        """Take a table's new content, if it is one that is joined."""
        table = change.table
        if table not in JOINED:
            return
        rows = self.tables.setdefault(table, {})
        if isinstance(change, Replace):
            first = not rows and table not in self.seen
            self.seen.add(table)
            removed = [key for key in rows if key not in change.rows]
            self._update(table, rows, change.rows, removed, first=first)
            # An empty list is knowledge too: without symptoms, it says that there are none.
            self.symptoms = True
        else:
            self._update(table, rows, change.upserts, change.removals, first=False)

    def _update(
        self, table: str, rows: dict[Key, Any], upserts: Mapping[Key, Any], removals: Iterable[Key], *, first: bool
    ) -> None:
        for key in removals:
            before = rows.pop(key, None)
            if before is not None:
                self._forget(table, key, before)
        for key, obj in upserts.items():
            before = rows.get(key)
            if before is obj or before == obj:
                continue
            if before is not None and before.ref.uid not in ("", obj.ref.uid):
                self._forget(table, key, before)
                before = None
            rows[key] = obj
            self._note(table, key, before, obj, first=first)
        if first:
            # What a first list merely shows is a picture to start from, no news.
            self.quiet |= self.dirty

    def _note(self, table: str, key: Key, before: Any, obj: Any, *, first: bool) -> None:  # noqa: ANN401
        if table == PODS.table:
            if before is not None:
                self._unown(key, before)
            self._own(key, obj)
            if obj.owner is not None and before is not None and not before.ref.uid:
                self.quiet.add(self._deployment_of.get(obj.owner.uid, obj.owner.uid))
            self._note_health(key, obj)
        elif table == REPLICASETS.table:
            self._note_replicaset(key, before, obj, first=first)
        elif table in WORKLOADS:
            self._note_workload(before, obj)
        elif table in (NODES.table, JOBS.table, EVENTS.table):
            self.symptoms = True
            if table == EVENTS.table:
                self._listen(key, obj)
            if table != EVENTS.table or obj.reason in TOLD:
                self.news.append((before, obj))

    def _forget(self, table: str, key: Key, before: Any) -> None:  # noqa: ANN401
        if table == PODS.table:
            self._unown(key, before)
            self.left.add(before.ref.uid)
            self.symptoms |= self.ill.pop(key, None) is not None
        elif table == REPLICASETS.table:
            if before.owner is not None:
                _drop(self._replicasets, before.owner.uid, key)
                self.dirty.add(before.owner.uid)
            self._deployment_of.pop(before.ref.uid, None)
            self.revisions.pop(key, None)
        elif table in WORKLOADS:
            self.workloads.pop(before.ref.uid, None)
            self.left.add(before.ref.uid)
            self.quiet.discard(before.ref.uid)
            self.gone.add(row_key(before))
        elif table in (NODES.table, JOBS.table, EVENTS.table):
            self.symptoms = True
            if table == EVENTS.table:
                _drop(self._warnings, before.about.uid, key)

    def _listen(self, key: Key, event: KubeEvent) -> None:
        """Keep a warning that may explain a workload, and have that workload looked at again."""
        if event.type != "Warning" or event.reason not in TELLING:
            return
        self._warnings.setdefault(event.about.uid, {})[key] = event
        if event.about.kind == "Pod":
            pod = self.tables.get(PODS.table, {}).get(event.about.key)
            if pod is not None and pod.owner is not None:
                self.touch(pod.owner.uid)
        else:
            self.touch(event.about.uid)

    def _own(self, key: Key, pod: Pod) -> None:
        if pod.owner is not None:
            self._owned.setdefault(pod.owner.uid, {})[key] = pod
            self.touch(pod.owner.uid)

    def _unown(self, key: Key, pod: Pod) -> None:
        if pod.owner is not None:
            _drop(self._owned, pod.owner.uid, key)
            self.touch(pod.owner.uid)

    def _note_health(self, key: Key, pod: Pod) -> None:
        """Keep apart the few pods that may be symptoms, so that nobody looks through the many."""
        if pod.unschedulable or pod.severity is Severity.CRIT:
            self.ill[key] = pod
            self.symptoms = True
        elif self.ill.pop(key, None) is not None:
            self.symptoms = True

    def _note_replicaset(self, key: Key, before: ReplicaSetInfo | None, obj: ReplicaSetInfo, *, first: bool) -> None:
        if obj.owner is None:
            return
        self._replicasets.setdefault(obj.owner.uid, {})[key] = obj
        self._deployment_of[obj.ref.uid] = obj.owner.uid
        self.dirty.add(obj.owner.uid)
        if before is None or before.revision != obj.revision:
            self.revisions[key] = (obj, not first)

    def _note_workload(self, before: Workload | None, obj: Workload) -> None:
        self.workloads[obj.ref.uid] = obj
        self.dirty.add(obj.ref.uid)
        self.gone.discard(row_key(obj))
        self.news.append((before, obj))


def _drop(index: dict[str, dict[Key, Any]], owner: str, key: Key) -> None:
    entries = index.get(owner)
    if entries is not None:
        entries.pop(key, None)
        if not entries:
            del index[owner]


def row_key(workload: Workload) -> Key:
    """Return a workload's key in the rollouts table."""
    return f"{workload.ref.kind}/{workload.ref.key}"
