"""Joins what is watched into what is shown: workloads with their cause, symptoms of the cluster, the timeline."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import structs

from services.clock import Clock
from services.kubernetes.diagnosis import crashes, diagnose
from services.kubernetes.symptoms import Symptoms
from services.model.cluster import Job, Node
from services.model.ref import (
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
from services.model.source import SourceState, SourceStatus
from services.model.timeline import Event, EventKind, event_id
from services.model.workload import Pod, ReplicaSetInfo, Rollout, Workload
from services.ports import Change, Delta, Key, Replace, Sink

SOURCE = "kubernetes"
ROLLOUTS = "rollouts"
SYMPTOMS = "symptoms"
WORKLOADS = (DEPLOYMENTS.table, STATEFULSETS.table, DAEMONSETS.table)
BACKFILL = 86400.0
"""Seconds back for which revisions are put on the timeline when they are first seen."""

FLAP_WINDOW = 900.0
FLAP_CHANGES = 3
HEALTHY = Severity.NOTICE
"""The worst severity that is no trouble."""


class Derivation:
    """A sink that hands everything on to another, and derives tables from it: `flush` before each publication.

    Keeps indexes of the very objects it forwards. Emits "rollouts" (key "Kind/namespace/name"), which replaces what a
    cache had once every kind of workload has been heard of, "symptoms", and timeline events whose ids any other
    console would give too.
    """

    def __init__(self, sink: Sink, clock: Clock) -> None:
        self._sink = sink
        self._clock = clock
        self._tables: dict[str, dict[Key, Any]] = {}
        self._seen: set[str] = set()
        self._owned: dict[str, dict[Key, Pod]] = {}
        self._replicasets: dict[str, dict[Key, ReplicaSetInfo]] = {}
        self._deployment_of: dict[str, str] = {}
        self._workloads: dict[str, Workload] = {}
        self._dirty: set[str] = set()
        self._rollouts: dict[Key, Rollout] = {}
        self._changes: dict[str, deque[float]] = {}
        self._recovered: dict[str, float] = {}
        self._symptoms = Symptoms()
        self._symptoms_dirty = False
        self._due = 0.0
        self._gone: set[Key] = set()
        self._complete = False
        self._words: dict[str, tuple[str, int]] = {}

    # The sink's side

    def apply(self, source: str, change: Change) -> None:
        """Hand a change on, and note what it touches."""
        self._sink.apply(source, change)
        table = change.table
        rows = self._tables.setdefault(table, {})
        if isinstance(change, Replace):
            first = not rows and table not in self._seen
            self._seen.add(table)
            removed = [key for key in rows if key not in change.rows]
            self._update(table, rows, change.rows, removed, first=first)
        else:
            self._update(table, rows, change.upserts, change.removals, first=False)

    def status(self, status: SourceStatus) -> None:
        """Hand a source's state on; a kind that is refused has been heard of too."""
        self._sink.status(status)
        if status.state is SourceState.FORBIDDEN:
            self._seen.add(status.source.removeprefix(f"{SOURCE}/"))

    def happened(self, events: Iterable[Event]) -> None:
        """Hand events on."""
        self._sink.happened(events)

    def _update(
        self, table: str, rows: dict[Key, Any], upserts: Mapping[Key, Any], removals: Iterable[Key], *, first: bool
    ) -> None:
        for key in removals:
            before = rows.pop(key, None)
            if before is not None:
                self._forget(table, key, before)
        for key, obj in upserts.items():
            before = rows.get(key)
            if before is not obj and before != obj:
                rows[key] = obj
                self._note(table, key, before, obj, first=first)

    def _note(self, table: str, key: Key, before: Any, obj: Any, *, first: bool) -> None:  # noqa: ANN401
        if table == PODS.table:
            if before is not None:
                self._unown(key, before)
            self._own(key, obj)
            self._symptoms_dirty = True
        elif table == REPLICASETS.table:
            self._note_replicaset(key, before, obj, first=first)
        elif table in WORKLOADS:
            self._note_workload(before, obj, first=first)
        elif table in (NODES.table, JOBS.table, EVENTS.table):
            self._symptoms_dirty = True
            if not first:
                self._tell_cluster(before, obj)

    def _forget(self, table: str, key: Key, before: Any) -> None:  # noqa: ANN401
        if table == PODS.table:
            self._unown(key, before)
            self._words.pop(before.ref.uid, None)
            self._symptoms_dirty = True
        elif table == REPLICASETS.table:
            if before.owner is not None:
                self._replicasets.get(before.owner.uid, {}).pop(key, None)
                self._dirty.add(before.owner.uid)
            self._deployment_of.pop(before.ref.uid, None)
        elif table in WORKLOADS:
            self._workloads.pop(before.ref.uid, None)
            self._changes.pop(before.ref.uid, None)
            self._gone.add(row_key(before))
        elif table in (NODES.table, JOBS.table, EVENTS.table):
            self._symptoms_dirty = True

    def _own(self, key: Key, pod: Pod) -> None:
        if pod.owner is not None:
            self._owned.setdefault(pod.owner.uid, {})[key] = pod
            self._touch(pod.owner.uid)

    def _unown(self, key: Key, pod: Pod) -> None:
        if pod.owner is not None:
            owned = self._owned.get(pod.owner.uid)
            if owned is not None:
                owned.pop(key, None)
                if not owned:
                    del self._owned[pod.owner.uid]
            self._touch(pod.owner.uid)

    def _touch(self, owner: str) -> None:
        self._dirty.add(self._deployment_of.get(owner, owner))

    def _note_replicaset(self, key: Key, before: ReplicaSetInfo | None, obj: ReplicaSetInfo, *, first: bool) -> None:
        del first
        if obj.owner is None:
            return
        self._replicasets.setdefault(obj.owner.uid, {})[key] = obj
        self._deployment_of[obj.ref.uid] = obj.owner.uid
        self._dirty.add(obj.owner.uid)
        if before is None or before.revision != obj.revision:
            self._tell_revision(obj)

    def _note_workload(self, before: Workload | None, obj: Workload, *, first: bool) -> None:
        self._workloads[obj.ref.uid] = obj
        self._dirty.add(obj.ref.uid)
        self._gone.discard(row_key(obj))
        if first or before is None or before.ref.uid != obj.ref.uid:
            return
        if before.desired != obj.desired and obj.ref.kind != "DaemonSet":
            self._tell(obj, EventKind.SCALE, f"scaled {before.desired}→{obj.desired}", f"scale-{obj.generation}")
        if obj.ref.kind != "Deployment" and obj.update_revision and before.update_revision != obj.update_revision:
            self._tell(obj, EventKind.ROLLOUT, _images(before.images, obj.images), f"revision-{obj.update_revision}")

    # The derived side

    def flush(self, now: float) -> None:
        """Derive what is dirty or due; called before each publication, on the service thread."""
        if now >= self._due > 0:
            self._dirty.update(uid for uid in self._workloads if self._timed(uid))
        upserts: dict[Key, Rollout] = {}
        if self._whole():
            for uid in self._dirty:
                workload = self._workloads.get(uid)
                if workload is not None:
                    upserts[row_key(workload)] = self._derive(workload, now)
            self._dirty.clear()
        removals = [key for key in self._gone if key in self._rollouts]
        self._gone.clear()
        for key in removals:
            del self._rollouts[key]
        changed = {key: row for key, row in upserts.items() if self._rollouts.get(key) != row}
        self._rollouts.update(changed)
        if not self._complete and self._seen.issuperset(WORKLOADS):
            self._complete = True
            self._sink.apply(SOURCE, Replace(ROLLOUTS, dict(self._rollouts)))
        elif changed or removals:
            self._sink.apply(SOURCE, Delta(ROLLOUTS, changed, removals))
        self._flush_symptoms(now)
        self._due = self._next_due(now)

    def next_due(self) -> float:
        """Return when time alone will change something (epoch seconds), 0 when nothing waits."""
        return self._due

    def _whole(self) -> bool:
        """Return whether anything may be said of health: some kind of workload has been listed."""
        return not self._seen.isdisjoint(WORKLOADS)

    def _timed(self, uid: str) -> bool:
        workload = self._workloads[uid]
        row = self._rollouts.get(row_key(workload))
        return row is not None and (row.flapping or bool(row.deadline_at) or row.severity <= Severity.WARN)

    def _next_due(self, now: float) -> float:
        waits = [self._symptoms.due]
        for row in self._rollouts.values():
            if row.deadline_at > now:
                waits.append(row.deadline_at)
            if row.flapping and row.changes:
                waits.append(row.changes[0] + FLAP_WINDOW)
        return min((wait for wait in waits if wait > now), default=0.0)

    def _pods(self, workload: Workload) -> list[Pod]:
        owners = [workload.ref.uid]
        owners += [one.ref.uid for one in self._replicasets.get(workload.ref.uid, {}).values()]
        return [pod for owner in owners for pod in self._owned.get(owner, {}).values()]

    def _derive(self, workload: Workload, now: float) -> Rollout:
        uid = workload.ref.uid
        replicasets = list(self._replicasets.get(uid, {}).values())
        row = diagnose(workload, replicasets, self._pods(workload), now)
        before = self._rollouts.get(row_key(workload))
        if before is not None and before.ref.uid == uid:
            self._compare(before, row, now)
        changes = self._changes.get(uid, ())
        lately = tuple(at for at in changes if now - at < FLAP_WINDOW)
        return structs.replace(
            row,
            changes=lately,
            flapping=len(lately) >= FLAP_CHANGES,
            recovered_at=self._recovered.get(uid, 0.0) if row.severity > HEALTHY else 0.0,
            last_words=row.last_words or (self._said(workload) if row.severity < HEALTHY else ""),
        )

    def _compare(self, before: Rollout, row: Rollout, now: float) -> None:
        """Note a change of health, and put it on the timeline."""
        was, is_now = before.severity < HEALTHY, row.severity < HEALTHY
        uid = row.ref.uid
        if was != is_now:
            self._changes.setdefault(uid, deque(maxlen=16)).append(now)
        if is_now and not was:
            words = row.what or row.status
            onset = f"{row.since or row.workload.resource_version}"
            self._tell(row.workload, EventKind.UNHEALTHY, words, f"unhealthy-{onset}", row.severity, row.since)
        if was and not is_now and row.severity >= HEALTHY:
            self._recovered[uid] = now
            mark = f"recovered-{row.workload.resource_version}"
            self._tell(row.workload, EventKind.RECOVERED, "recovered", mark, Severity.OK)
        elif row.done and not before.done and before.revision == row.revision and not is_now:
            mark = f"finished-{row.revision}-{row.workload.generation}"
            self._tell(row.workload, EventKind.ROLLOUT, f"rev {row.revision} complete", mark, Severity.OK)

    # Last words

    def speechless(self) -> list[Pod]:
        """Return a crashing pod of each workload that has not said why, nor been asked since its last restart."""
        found = []
        for row in self._rollouts.values():
            if row.severity > HEALTHY or row.last_words:
                continue
            crashed = [pod for pod in self._pods(row.workload) if pod.ref.uid and crashes(pod)]
            worst = max(crashed, key=lambda pod: pod.restarts, default=None)
            if worst is not None and self._words.get(worst.ref.uid, ("", -1))[1] != worst.restarts:
                found.append(worst)
        return found

    def heard(self, pod: Pod, words: str) -> None:
        """Take what a crashed pod said last, "" when nothing could be learned."""
        self._words[pod.ref.uid] = (words, pod.restarts)
        if pod.owner is not None:
            self._touch(pod.owner.uid)
            self._due = self._clock.now()

    def _said(self, workload: Workload) -> str:
        said = (self._words.get(pod.ref.uid, ("", 0))[0] for pod in self._pods(workload) if crashes(pod))
        return next((words for words in said if words), "")

    # The timeline

    def _tell_revision(self, obj: ReplicaSetInfo) -> None:
        """Put a revision on the timeline, seen now or known from the cluster: the same id either way."""
        now = self._clock.now()
        if obj.owner is None or not obj.revision or now - obj.created_at > BACKFILL:
            return
        siblings = self._replicasets.get(obj.owner.uid, {}).values()
        older = [one for one in siblings if 0 < one.revision < obj.revision]
        before = max(older, key=lambda one: one.revision, default=None)
        text = f"rev {obj.revision}  {_images(before.images if before is not None else (), obj.images)}".strip()
        about = structs.replace(obj.ref, kind=obj.owner.kind, name=obj.owner.name, uid=obj.owner.uid)
        mark = f"revision-{obj.revision}"
        identity = event_id(obj.ref.cluster, SOURCE, obj.owner.uid, mark, f"{obj.created_at:.0f}")
        self._sink.happened([Event(identity, obj.created_at, now, EventKind.ROLLOUT, about, text)])

    def _tell(
        self,
        workload: Workload,
        kind: EventKind,
        text: str,
        mark: str,
        severity: Severity = Severity.NOTICE,
        at: float = 0.0,
    ) -> None:
        now = self._clock.now()
        identity = event_id(workload.ref.cluster, SOURCE, workload.ref.uid, mark, mark)
        self._sink.happened([Event(identity, at or now, now, kind, workload.ref, text, severity)])

    def _tell_cluster(self, before: Any, obj: Any) -> None:  # noqa: ANN401
        now = self._clock.now()
        if isinstance(obj, Node) and isinstance(before, Node) and before.status != obj.status:
            at = max((one.changed_at for one in obj.conditions), default=0.0)
            identity = event_id(obj.ref.cluster, SOURCE, obj.ref.uid, f"node-{obj.status}", f"{at:.0f}")
            event = Event(identity, at or now, now, EventKind.NODE, obj.ref, obj.status, obj.severity)
            self._sink.happened([event])
        if isinstance(obj, Job) and obj.status == "Failed" and (before is None or before.status != "Failed"):
            identity = event_id(obj.ref.cluster, SOURCE, obj.ref.uid, "job-failed", f"{obj.finished_at:.0f}")
            text = f"job failed: {obj.reason}" if obj.reason else "job failed"
            at = obj.finished_at or now
            self._sink.happened([Event(identity, at, now, EventKind.JOB, obj.ref, text, Severity.WARN)])

    def _flush_symptoms(self, now: float) -> None:
        if not self._symptoms_dirty and not (self._symptoms.due and now >= self._symptoms.due):
            return
        self._symptoms_dirty = False
        if self._seen.issuperset((NODES.table, PODS.table)):
            self._sink.apply(SOURCE, Replace(SYMPTOMS, self._symptoms.derive(self._tables, now)))


def row_key(workload: Workload) -> Key:
    """Return a workload's key in the rollouts table."""
    return f"{workload.ref.kind}/{workload.ref.key}"


def _tag(image: str) -> str:
    name = image.rsplit("/", 1)[-1]
    return name.rsplit("@", 1)[0].rpartition(":")[2] if ":" in name else name


def _images(before: tuple[str, ...], now: tuple[str, ...]) -> str:
    """Return "v1.8.2→v1.8.3": the tags of the first image that differs, else the tag as it is."""
    for old, new in zip(before, now, strict=False):
        if old != new:
            return f"{_tag(old)}→{_tag(new)}"
    return _tag(now[0]) if now else ""
