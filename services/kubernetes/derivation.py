"""Joins what is watched into what is shown: workloads with their cause, symptoms of the cluster, the timeline."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec import structs

from services.clock import Clock
from services.config_schema import RolloutSettings
from services.kubernetes.configs import ConfigChanges
from services.kubernetes.decode import DIGESTS, REVISIONS
from services.kubernetes.delivery import delivered
from services.kubernetes.diagnosis import diagnose
from services.kubernetes.findings import crashes
from services.kubernetes.happenings import (
    FOLLOWED,
    SOURCE,
    health_events,
    known_events,
    revision_events,
    scaled_event,
    template_events,
)
from services.kubernetes.happenings_beside import core_event, job_event, node_events
from services.kubernetes.joins import EVERYWHERE, WORKLOADS, Joins, row_key
from services.kubernetes.revisions import Revisions
from services.kubernetes.symptoms import Symptoms
from services.kubernetes.trouble import Troubles
from services.model.cluster import Job, KubeEvent, Node
from services.model.ref import ARGO_ROLLOUTS, DEPLOYMENTS, EVENTS, NODES, PODS
from services.model.severity import Severity
from services.model.source import SourceState, SourceStatus
from services.model.timeline import Event
from services.model.workload import Pod, Rollout, Workload
from services.ports import Change, Delta, Key, Replace, Sink

ROLLOUTS = "rollouts"
SYMPTOMS = "symptoms"
AGAIN = 60.0
"""Seconds after which trouble is looked at again though nothing changed: what explains it may be old by then."""

DEFAULTS = RolloutSettings()

HEALTHY = Severity.NOTICE
"""The worst severity that is no trouble."""


class Derivation:
    """A sink that hands everything on to another, and derives tables from it: `flush` before each publication.

    Keeps indexes of the very objects it forwards. Emits "rollouts" (key "Kind/namespace/name"), which replaces what a
    cache had once every kind of workload has been heard of, "symptoms", and timeline events whose ids any other
    console would give too.
    """

    def __init__(self, sink: Sink, clock: Clock, settings: RolloutSettings = DEFAULTS) -> None:
        self._sink = sink
        self._clock = clock
        self._settings = settings
        self._placing: dict[str, float] = {}
        self._joins = Joins()
        self._configs = ConfigChanges()
        self._revisions = Revisions()
        self._rollouts: dict[Key, Rollout] = {}
        self._troubles = Troubles()
        self._words: dict[str, tuple[str, int]] = {}
        self._symptoms = Symptoms(settings)
        self._complete = False
        self._unasked: set[str] = set()
        self._expected = set(EVERYWHERE)
        self._due = 0.0

    def use(self, settings: RolloutSettings) -> None:
        """Judge by other thresholds from the next `flush` on, which judges everything anew."""
        self._settings = self._symptoms.settings = settings
        self._joins.dirty.update(self._joins.workloads)
        self._joins.symptoms = True

    # The sink's side

    def apply(self, source: str, change: Change) -> None:
        """Hand a change on, and note what it touches; what is watched only for what it tells goes no further."""
        if change.table == DIGESTS:
            self._say(self._configs.take(change, self._clock.now()))
            return
        if change.table == REVISIONS:
            self._say(self._revisions.take(change, self._joins.workloads, self._clock.now()))
            for uid in self._revisions.renumbered():
                self._joins.touch(uid)
            return
        self._sink.apply(source, change)
        self._joins.take(change)
        for before, now in self._joins.news:
            self._tell(before, now)
        self._joins.news.clear()

    def status(self, status: SourceStatus) -> None:
        """Hand a source's state on; a kind that is refused has been heard of too, one that is asked for is expected."""
        self._sink.status(status)
        table = status.source.removeprefix(f"{SOURCE}/")
        if table in WORKLOADS:
            self._expected.add(table)
        if status.state is SourceState.FORBIDDEN:
            self._joins.seen.add(table)

    def happened(self, events: Iterable[Event]) -> None:
        """Hand events on."""
        self._sink.happened(events)

    # The derived side

    def flush(self, now: float) -> None:
        """Derive what is dirty or due; called before each publication, on the service thread."""
        late = now >= self._due > 0
        if late:
            self._joins.dirty.update(uid for uid in self._joins.workloads if self._timed(uid))
        upserts: dict[Key, Rollout] = {}
        if self._whole():
            for uid in self._joins.dirty:
                workload = self._joins.workloads.get(uid)
                if workload is not None:
                    upserts[row_key(workload)] = self._derive(workload, now)
            self._joins.dirty.clear()
            self._joins.quiet.clear()
        gone = bool(self._joins.left)
        for uid in self._joins.left:
            self._troubles.forget(uid)
            self._words.pop(uid, None)
            self._placing.pop(uid, None)
        self._joins.left.clear()
        self._tell_revisions(now)
        self._tell_scalings(now)
        removals = [key for key in self._joins.gone if key in self._rollouts]
        self._joins.gone.clear()
        for key in removals:
            del self._rollouts[key]
        changed = {key: row for key, row in upserts.items() if self._rollouts.get(key) != row}
        self._rollouts.update(changed)
        if not self._complete and self._joins.seen.issuperset(self._expected):
            self._complete = True
            self._sink.apply(SOURCE, Replace(ROLLOUTS, dict(self._rollouts)))
        elif changed or removals:
            self._sink.apply(SOURCE, Delta(ROLLOUTS, changed, removals))
        looked = self._flush_symptoms(now)
        if late or looked or upserts or removals or gone:
            self._due = self._next_due(now)

    def next_due(self) -> float:
        """Return when time alone will change something (epoch seconds), 0 when nothing waits."""
        return self._due

    def _whole(self) -> bool:
        """Return whether anything may be said of health: some kind of workload has been listed."""
        return not self._joins.seen.isdisjoint(WORKLOADS)

    def _timed(self, uid: str) -> bool:
        if uid in self._placing:
            return True
        workload = self._joins.workloads[uid]
        row = self._rollouts.get(row_key(workload))
        return row is not None and (row.flapping or bool(row.deadline_at) or row.severity <= Severity.WARN)

    def _next_due(self, now: float) -> float:
        waits = [self._symptoms.due, *self._placing.values()]
        for row in self._rollouts.values():
            if row.deadline_at > now:
                waits.append(row.deadline_at)
            if row.severity <= Severity.WARN:
                waits.append(now + AGAIN)
            if row.flapping and row.changes:
                waits.append(row.changes[0] + self._settings.flapping_seconds)
        return min((wait for wait in waits if wait > now), default=0.0)

    def _derive(self, workload: Workload, now: float) -> Rollout:
        uid = workload.ref.uid
        pods = self._joins.pods(uid)
        warnings = self._joins.warnings(uid, pods)
        row = diagnose(workload, self._joins.replicasets(uid), pods, now, warnings=warnings, settings=self._settings)
        row = self._revisions.numbered(row)
        if workload.delivery is not None:
            row = delivered(row, workload.delivery, self._joins.replicasets(uid))
        self._await_places(uid, pods, now)
        self._compare(self._rollouts.get(row_key(workload)), row, now)
        lately = self._troubles.changes(uid, now - self._settings.flapping_seconds)
        return structs.replace(
            row,
            changes=lately,
            flapping=len(lately) >= self._settings.flapping_changes,
            recovered_at=self._troubles.recovered_at(uid) if row.severity > HEALTHY else 0.0,
            last_words=row.last_words or (self._said(pods) if row.severity < HEALTHY else ""),
        )

    def _await_places(self, uid: str, pods: Iterable[Pod], now: float) -> None:
        """Note when the first pod that waits for a node will have waited too long."""
        ends = (pod.created_at + self._settings.pending_seconds for pod in pods if pod.unschedulable)
        first = min((end for end in ends if end > now), default=0.0)
        if first:
            self._placing[uid] = first
        else:
            self._placing.pop(uid, None)

    def _compare(self, before: Rollout | None, row: Rollout, now: float) -> None:
        """Note a change of health, and put it on the timeline."""
        uid = row.ref.uid
        known = before is not None and before.ref.uid == uid and uid not in self._joins.quiet
        was = self._troubles.follow(row, now, known=known)
        if before is not None and known:
            self._say(health_events(before, row, was, now))

    # Last words

    def speechless(self) -> list[Pod]:
        """Return a crashing pod of each workload that has not said why, nor been asked since its last restart."""
        found = []
        for row in self._rollouts.values():
            if row.severity > HEALTHY or row.last_words:
                continue
            crashed = [pod for pod in self._joins.pods(row.ref.uid) if pod.ref.uid and crashes(pod)]
            worst = max(crashed, key=lambda pod: pod.restarts, default=None)
            if worst is not None and self._words.get(worst.ref.uid, ("", -1))[1] != worst.restarts:
                found.append(worst)
        return found

    def heard(self, pod: Pod, words: str) -> None:
        """Take what a crashed pod said last, "" when nothing could be learned."""
        self._words[pod.ref.uid] = (words, pod.restarts)
        if pod.owner is not None:
            self._joins.touch(pod.owner.uid)
            self._due = self._clock.now()

    def _said(self, pods: Iterable[Pod]) -> str:
        said = (self._words.get(pod.ref.uid, ("", 0))[0] for pod in pods if crashes(pod))
        return next((words for words in said if words), "")

    # The timeline

    def _tell_revisions(self, now: float) -> None:
        """Put revisions on the timeline, seen now or known from the cluster: the same ids either way."""
        owners = self._expected & {DEPLOYMENTS.table, ARGO_ROLLOUTS.table}
        if not self._joins.revisions or not owners <= self._joins.seen:
            return
        told: list[Event] = []
        for obj, live in self._joins.revisions.values():
            if obj.owner is not None:
                siblings = self._joins.replicasets(obj.owner.uid)
                told += revision_events(obj, siblings, self._joins.workloads.get(obj.owner.uid), now, live)
        self._joins.revisions.clear()
        self._say(told)

    def _tell_scalings(self, now: float) -> None:
        """Put on the timeline how Deployments that have just become known were scaled, once the Events are known."""
        if not self._unasked or EVENTS.table not in self._joins.seen:
            return
        steps: dict[str, list[KubeEvent]] = {}
        for event in self._joins.tables.get(EVENTS.table, {}).values():
            if event.reason == FOLLOWED and event.about.uid in self._unasked:
                steps.setdefault(event.about.uid, []).append(event)
        self._unasked.clear()
        known = [(self._joins.workloads.get(uid), told) for uid, told in steps.items()]
        scaled = [scaled_event(workload, told, now) for workload, told in known if workload is not None]
        self._say([event for event in scaled if event is not None])

    def _tell(self, before: Any, obj: Any) -> None:  # noqa: ANN401
        now = self._clock.now()
        told: list[Event | None] = []
        if isinstance(obj, Node):
            told.extend(node_events(before, obj, now))
        elif isinstance(obj, Job):
            told.append(job_event(before, obj, now))
        elif isinstance(obj, KubeEvent):
            told.append(core_event(obj, now))
        elif isinstance(obj, Workload):
            known = self._revisions.known
            told.extend(known_events(obj, now) if before is None else template_events(before, obj, now, known))
            if before is None and obj.ref.kind == "Deployment":
                self._unasked.add(obj.ref.uid)
        self._say([event for event in told if event is not None])

    def _say(self, events: list[Event]) -> None:
        if events:
            self._sink.happened(events)

    def _flush_symptoms(self, now: float) -> bool:
        """Derive the symptoms where they are dirty or due; returns whether they were."""
        late = self._symptoms.due and now >= self._symptoms.due
        if not (self._joins.symptoms or late) or not self._joins.seen.issuperset((NODES.table, PODS.table)):
            return False
        self._joins.symptoms = False
        symptoms = self._symptoms.derive({**self._joins.tables, PODS.table: self._joins.ill}, now)
        self._sink.apply(SOURCE, Replace(SYMPTOMS, symptoms))
        return True
