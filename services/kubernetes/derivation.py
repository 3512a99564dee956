"""Joins what is watched into what is shown: workloads with their cause, symptoms of the cluster, the timeline."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import structs

from services.clock import Clock
from services.kubernetes.diagnosis import TELLING, crashes, diagnose
from services.kubernetes.happenings import (
    SOURCE,
    health_events,
    job_event,
    node_event,
    revision_events,
    template_events,
)
from services.kubernetes.symptoms import Symptoms
from services.model.cluster import Job, KubeEvent, Node
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
from services.model.timeline import Event
from services.model.workload import Pod, ReplicaSetInfo, Rollout, Workload
from services.ports import Change, Delta, Key, Replace, Sink

ROLLOUTS = "rollouts"
SYMPTOMS = "symptoms"
WORKLOADS = (DEPLOYMENTS.table, STATEFULSETS.table, DAEMONSETS.table)
JOINED = frozenset((*WORKLOADS, REPLICASETS.table, PODS.table, NODES.table, JOBS.table, EVENTS.table))
"""The tables that are kept here too; others are only handed on."""

AGAIN = 60.0
"""Seconds after which trouble is looked at again though nothing changed: what explains it may be old by then."""

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
        self._ill: dict[Key, Pod] = {}
        self._quiet: set[str] = set()
        self._warnings: dict[str, dict[Key, KubeEvent]] = {}
        self._revisions: dict[Key, tuple[ReplicaSetInfo, bool]] = {}

    # The sink's side

    def apply(self, source: str, change: Change) -> None:
        """Hand a change on, and note what it touches."""
        self._sink.apply(source, change)
        table = change.table
        if table not in JOINED:
            return
        rows = self._tables.setdefault(table, {})
        if isinstance(change, Replace):
            first = not rows and table not in self._seen
            self._seen.add(table)
            removed = [key for key in rows if key not in change.rows]
            self._update(table, rows, change.rows, removed, first=first)
            # An empty list is knowledge too: without symptoms, it says that there are none.
            self._symptoms_dirty = True
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
            if before is obj or before == obj:
                continue
            if before is not None and before.ref.uid not in ("", obj.ref.uid):
                self._forget(table, key, before)
                before = None
            rows[key] = obj
            self._note(table, key, before, obj, first=first)
        if first:
            # What a first list merely shows is a picture to start from, no news.
            self._quiet |= self._dirty

    def _note(self, table: str, key: Key, before: Any, obj: Any, *, first: bool) -> None:  # noqa: ANN401
        if table == PODS.table:
            if before is not None:
                self._unown(key, before)
            self._own(key, obj)
            if obj.owner is not None and before is not None and not before.ref.uid:
                self._quiet.add(self._deployment_of.get(obj.owner.uid, obj.owner.uid))
            self._note_health(key, obj)
        elif table == REPLICASETS.table:
            self._note_replicaset(key, before, obj, first=first)
        elif table in WORKLOADS:
            self._note_workload(before, obj, first=first)
        elif table in (NODES.table, JOBS.table, EVENTS.table):
            self._symptoms_dirty = True
            if table == EVENTS.table:
                self._listen(key, obj)
            elif not first:
                self._tell_cluster(before, obj)

    def _forget(self, table: str, key: Key, before: Any) -> None:  # noqa: ANN401
        if table == PODS.table:
            self._unown(key, before)
            self._words.pop(before.ref.uid, None)
            self._symptoms_dirty |= self._ill.pop(key, None) is not None
        elif table == REPLICASETS.table:
            if before.owner is not None:
                self._replicasets.get(before.owner.uid, {}).pop(key, None)
                self._dirty.add(before.owner.uid)
            self._deployment_of.pop(before.ref.uid, None)
            self._revisions.pop(key, None)
        elif table in WORKLOADS:
            self._workloads.pop(before.ref.uid, None)
            self._changes.pop(before.ref.uid, None)
            self._recovered.pop(before.ref.uid, None)
            self._quiet.discard(before.ref.uid)
            self._gone.add(row_key(before))
        elif table in (NODES.table, JOBS.table, EVENTS.table):
            self._symptoms_dirty = True
            if table == EVENTS.table and before.about.uid in self._warnings:
                self._warnings[before.about.uid].pop(key, None)
                if not self._warnings[before.about.uid]:
                    del self._warnings[before.about.uid]

    def _listen(self, key: Key, event: KubeEvent) -> None:
        """Keep a warning that may explain a workload, and have that workload looked at again."""
        if event.type != "Warning" or event.reason not in TELLING:
            return
        self._warnings.setdefault(event.about.uid, {})[key] = event
        if event.about.kind == "Pod":
            pod = self._tables.get(PODS.table, {}).get(event.about.key)
            if pod is not None and pod.owner is not None:
                self._touch(pod.owner.uid)
        else:
            self._touch(event.about.uid)

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

    def _note_health(self, key: Key, pod: Pod) -> None:
        """Keep apart the few pods that may be symptoms, so that nobody looks through the many."""
        if pod.unschedulable or pod.severity is Severity.CRIT:
            self._ill[key] = pod
            self._symptoms_dirty = True
        elif self._ill.pop(key, None) is not None:
            self._symptoms_dirty = True

    def _touch(self, owner: str) -> None:
        self._dirty.add(self._deployment_of.get(owner, owner))

    def _note_replicaset(self, key: Key, before: ReplicaSetInfo | None, obj: ReplicaSetInfo, *, first: bool) -> None:
        if obj.owner is None:
            return
        self._replicasets.setdefault(obj.owner.uid, {})[key] = obj
        self._deployment_of[obj.ref.uid] = obj.owner.uid
        self._dirty.add(obj.owner.uid)
        if before is None or before.revision != obj.revision:
            self._revisions[key] = (obj, not first)

    def _note_workload(self, before: Workload | None, obj: Workload, *, first: bool) -> None:
        self._workloads[obj.ref.uid] = obj
        self._dirty.add(obj.ref.uid)
        self._gone.discard(row_key(obj))
        if before is not None and not first:
            self._sink.happened(template_events(before, obj, self._clock.now()))

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
            self._quiet.clear()
        self._tell_revisions(now)
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
            if row.severity <= Severity.WARN:
                waits.append(now + AGAIN)
            if row.flapping and row.changes:
                waits.append(row.changes[0] + FLAP_WINDOW)
        return min((wait for wait in waits if wait > now), default=0.0)

    def _pods(self, workload: Workload) -> list[Pod]:
        owners = [workload.ref.uid]
        owners += [one.ref.uid for one in self._replicasets.get(workload.ref.uid, {}).values()]
        return [pod for owner in owners for pod in self._owned.get(owner, {}).values()]

    def _said_of(self, workload: Workload, pods: list[Pod]) -> list[KubeEvent]:
        if not self._warnings:
            return []
        uids = [workload.ref.uid, *(pod.ref.uid for pod in pods if pod.unready_since or pod.severity != Severity.OK)]
        return [event for uid in uids if uid in self._warnings for event in self._warnings[uid].values()]

    def _derive(self, workload: Workload, now: float) -> Rollout:
        uid = workload.ref.uid
        replicasets = list(self._replicasets.get(uid, {}).values())
        pods = self._pods(workload)
        row = diagnose(workload, replicasets, pods, now, self._said_of(workload, pods))
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
        if uid in self._quiet:
            return
        if was != is_now:
            self._changes.setdefault(uid, deque(maxlen=16)).append(now)
        if was and not is_now:
            self._recovered[uid] = now
        self._sink.happened(health_events(before, row, now))

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

    def _tell_revisions(self, now: float) -> None:
        """Put revisions on the timeline, seen now or known from the cluster: the same ids either way."""
        if not self._revisions or DEPLOYMENTS.table not in self._seen:
            return
        told: list[Event] = []
        for obj, live in self._revisions.values():
            if obj.owner is not None:
                siblings = self._replicasets.get(obj.owner.uid, {}).values()
                told += revision_events(obj, siblings, self._workloads.get(obj.owner.uid), now, live)
        self._revisions.clear()
        self._sink.happened(told)

    def _tell_cluster(self, before: Any, obj: Any) -> None:  # noqa: ANN401
        now = self._clock.now()
        event = None
        if isinstance(obj, Node) and isinstance(before, Node):
            event = node_event(before, obj, now)
        elif isinstance(obj, Job):
            event = job_event(before, obj, now)
        if event is not None:
            self._sink.happened([event])

    def _flush_symptoms(self, now: float) -> None:
        late = self._symptoms.due and now >= self._symptoms.due
        if not (self._symptoms_dirty or late) or not self._seen.issuperset((NODES.table, PODS.table)):
            return
        self._symptoms_dirty = False
        symptoms = self._symptoms.derive({**self._tables, PODS.table: self._ill}, now)
        self._sink.apply(SOURCE, Replace(SYMPTOMS, symptoms))


def row_key(workload: Workload) -> Key:
    """Return a workload's key in the rollouts table."""
    return f"{workload.ref.kind}/{workload.ref.key}"
