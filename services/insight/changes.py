"""Gathers from live state what was changed of late, and what is known around it, for the search for suspects."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from msgspec import structs

from services.insight.correlation import DAY, LATEST, Context, Named
from services.model.change import Change, ChangeKind
from services.model.ref import NAMESPACES, PODS, REPLICASETS, Ref
from services.model.severity import Severity
from services.model.timeline import Event, EventKind
from services.model.workload import Owner, Pod, ReplicaSetInfo, Rollout
from services.ports import Snapshot

REACH = DAY + LATEST
"""Seconds back for which changes are gathered."""

FOUNDED = 1800.0
"""Seconds after the oldest namespace was made in which a cluster is still being set up."""

JOINED = "Ready"
"""What the timeline says of a node that came up."""

_KINDS = {
    EventKind.SCALE: ChangeKind.SCALE,
    EventKind.CONFIG: ChangeKind.CONFIG,
    EventKind.NODE: ChangeKind.NODE,
    EventKind.ACTION: ChangeKind.ACTION,
}
_REVISION = re.compile(r"rev (\d{1,9})\b")
_HASH_LABEL = "pod-template-hash="

_Key = tuple[str, str, str, str]


def changes_of(snapshot: Snapshot, now: float) -> tuple[Change, ...]:
    """Return the changes of the last day, newest first, from the timeline and from the ReplicaSets there are.

    A rollout lasts from its revision's begin to the time it was complete, stalled, or followed by the next one.
    """
    since = now - REACH
    events = [event for event in snapshot.events if event.at >= since]
    rows: Mapping[str, Rollout] = snapshot.tables.get("rollouts", {})
    sets: Mapping[str, ReplicaSetInfo] = snapshot.tables.get(REPLICASETS.table, {})
    born = [one.created_at for one in snapshot.tables.get(NAMESPACES.table, {}).values() if one.created_at]
    until = min(born) + FOUNDED if born else 0.0
    changes = [*_rollouts(events, rows, sets, since), *_others(events)]
    found = [structs.replace(one, founding=_came_with_it(one, until)) for one in changes]
    return tuple(sorted(found, key=lambda change: (-change.start, change.id)))


def _came_with_it(change: Change, until: float) -> bool:
    """Return whether a change was a part of setting the cluster up, which went on until a moment."""
    if change.start > until or change.healthy is False:
        return False
    return change.revision == 1 or (change.kind is ChangeKind.NODE and change.text == JOINED)


def context_of(snapshot: Snapshot) -> Context:
    """Return what a snapshot knows around alerts."""
    onsets: dict[str, list[float]] = {}
    for event in snapshot.events:
        if event.kind is EventKind.ALERT and event.payload.get("what") == "began":
            onsets.setdefault(event.payload.get("fingerprint", ""), []).append(event.at)
    seats = _Seats(snapshot.tables.get(PODS.table, {}), snapshot.tables.get(REPLICASETS.table, {}))
    return Context(
        uses=_uses(snapshot),
        template_hashes=_TemplateHashes(snapshot.tables.get(PODS.table, {})),
        onsets=onsets,
        hosts=_Hosts(seats),
        guests=_Guests(seats),
    )


def _uses(snapshot: Snapshot) -> Mapping[Named, frozenset[Named]]:
    """Return which workloads read each ConfigMap that was changed of late."""
    found: dict[Named, set[Named]] = {
        (one.ref.namespace, one.ref.name): set() for one in snapshot.events if one.kind is EventKind.CONFIG
    }
    rows: Iterable[Rollout] = snapshot.tables.get("rollouts", {}).values() if found else ()
    for row in rows:
        ref = row.workload.ref
        for name in row.workload.config_maps:
            if (readers := found.get((ref.namespace, name))) is not None:
                readers.add((ref.namespace, ref.name))
    return {name: frozenset(readers) for name, readers in found.items()}


class _TemplateHashes(Mapping[str, str]):
    """The pod-template-hash of pods, looked up when it is asked for: there may be ten thousand pods."""

    def __init__(self, pods: Mapping[str, Any]) -> None:
        self._pods = pods

    def __getitem__(self, key: str) -> str:
        for label in self._pods[key].labels:
            if label.startswith(_HASH_LABEL):
                return str(label[len(_HASH_LABEL) :])
        raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        return (key for key in self._pods if key in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)


class _Seats:
    """Which workloads have pods on which nodes, gathered when it is first asked for."""

    def __init__(self, pods: Mapping[str, Pod], sets: Mapping[str, ReplicaSetInfo]) -> None:
        self._pods = pods
        self._sets = sets
        self._known: tuple[dict[Named, set[str]], dict[str, set[Named]]] | None = None

    def gathered(self) -> tuple[Mapping[Named, set[str]], Mapping[str, set[Named]]]:
        """Return the nodes of each workload's unready pods, and the workloads of each node."""
        if self._known is None:
            hosts: dict[Named, set[str]] = {}
            guests: dict[str, set[Named]] = {}
            for pod in self._pods.values():
                if not pod.node or pod.owner is None:
                    continue
                named = (pod.ref.namespace, self._workload(pod.ref.namespace, pod.owner))
                guests.setdefault(pod.node, set()).add(named)
                if pod.unready_since or pod.deleted_at:
                    hosts.setdefault(named, set()).add(pod.node)
            self._known = hosts, guests
        return self._known

    def _workload(self, namespace: str, owner: Owner) -> str:
        made = self._sets.get(f"{namespace}/{owner.name}") if owner.kind == "ReplicaSet" else None
        return made.owner.name if made is not None and made.owner is not None else owner.name


class _Hosts(Mapping[Named, frozenset[str]]):
    def __init__(self, seats: _Seats) -> None:
        self._seats = seats

    def __getitem__(self, key: Named) -> frozenset[str]:
        return frozenset(self._seats.gathered()[0][key])

    def __iter__(self) -> Iterator[Named]:
        return iter(self._seats.gathered()[0])

    def __len__(self) -> int:
        return len(self._seats.gathered()[0])


class _Guests(Mapping[str, frozenset[Named]]):
    def __init__(self, seats: _Seats) -> None:
        self._seats = seats

    def __getitem__(self, key: str) -> frozenset[Named]:
        return frozenset(self._seats.gathered()[1][key])

    def __iter__(self) -> Iterator[str]:
        return iter(self._seats.gathered()[1])

    def __len__(self) -> int:
        return len(self._seats.gathered()[1])


def _others(events: Iterable[Event]) -> Iterator[Change]:
    for event in events:
        kind = _KINDS.get(event.kind)
        if kind is not None:
            actor = event.payload.get("actor", "")
            yield Change(event.id, event.ref, kind, event.at, event.at, event.text, actor)


class _Begin(NamedTuple):
    """The begin of one rollout: from the timeline, else from its ReplicaSet."""

    at: float
    id: str
    ref: Ref
    revision: int
    text: str
    actor: str = ""
    made: ReplicaSetInfo | None = None


class _History:
    """The rollouts of one workload, with when it was complete and when it was in trouble."""

    def __init__(self) -> None:
        self.begins: list[_Begin] = []
        self.sets: dict[int, ReplicaSetInfo] = {}
        self.ends: list[float] = []
        self.troubles: list[float] = []

    def take(self, event: Event) -> None:
        """Take one event of the workload's timeline."""
        if event.kind is EventKind.UNHEALTHY:
            self.troubles.append(event.at)
        elif event.kind is EventKind.ROLLOUT and event.text.endswith("complete"):
            self.ends.append(event.at)
        elif event.kind is EventKind.ROLLOUT:
            number, actor = _revision(event.text), event.payload.get("actor", "")
            self.begins.append(_Begin(event.at, event.id, event.ref, number, event.text, actor, self.sets.get(number)))

    def add_untold(self, since: float) -> None:
        """Add the ReplicaSets the timeline has no room for; one that was rolled back to has no time of its own."""
        told = {begin.revision for begin in self.begins}
        for number, one in self.sets.items():
            if number and number not in told and one.created_at >= since and not one.revision_history and one.owner:
                about = structs.replace(one.ref, kind="Deployment", name=one.owner.name, uid=one.owner.uid)
                self.begins.append(
                    _Begin(one.created_at, f"revision-{one.ref.uid}", about, number, f"rev {number}", made=one)
                )

    def changes(self, row: Rollout | None) -> Iterator[Change]:
        """Return the rollouts; `row` is the workload's state now."""
        begins = sorted(self.begins, key=lambda begin: begin[:2])
        for begin, after in zip(begins, [*begins[1:], None], strict=True):
            yield self._change(begin, after.at if after else 0.0, row if after is None else None)

    def _change(self, begin: _Begin, next_at: float, row: Rollout | None) -> Change:
        """Return one rollout; `row` only if it is the present one, `next_at` 0 if none came after it."""
        until = next_at or float("inf")
        end = next((at for at in sorted(self.ends) if begin.at <= at <= until), 0.0)
        healthy: bool | None = True if end else None
        if any(begin.at <= at < until for at in self.troubles):
            healthy = False
        actor = begin.actor
        if row is not None:
            old_trouble = row.done and 0.0 < end < row.since - LATEST
            if row.severity <= Severity.WARN and not old_trouble:
                healthy = False
            end = end or _row_end(row, begin.at)
            if not actor and abs(row.workload.changed_at - begin.at) < 60.0:
                actor = row.workload.changed_by
        return Change(
            id=begin.id,
            ref=begin.ref,
            kind=ChangeKind.ROLLOUT,
            start=begin.at,
            end=end or next_at,
            text=begin.text,
            actor=actor,
            revision=begin.revision,
            healthy=healthy,
            template_hash=begin.made.template_hash if begin.made is not None else "",
        )


def _rollouts(
    events: Iterable[Event], rows: Mapping[str, Rollout], sets: Mapping[str, ReplicaSetInfo], since: float
) -> Iterator[Change]:
    histories: dict[_Key, _History] = {}
    for one in sets.values():
        if one.owner is not None:
            key = (one.ref.cluster, "Deployment", one.ref.namespace, one.owner.name)
            histories.setdefault(key, _History()).sets[one.revision] = one
    for event in events:
        if event.kind in (EventKind.ROLLOUT, EventKind.UNHEALTHY):
            ref = event.ref
            histories.setdefault((ref.cluster, ref.kind, ref.namespace, ref.name), _History()).take(event)
    for (_, kind, namespace, name), history in histories.items():
        history.add_untold(since)
        if history.begins:
            yield from history.changes(rows.get(f"{kind}/{namespace}/{name}"))


def _row_end(row: Rollout, began: float) -> float:
    """Return when the present rollout was complete or stalled, as its workload's conditions say; 0 if it goes on."""
    for one in row.workload.conditions:
        if one.type == "Progressing":
            if one.status == "False":
                return max(began, one.changed_at)
            if one.reason == "NewReplicaSetAvailable":
                return max(began, one.updated_at or one.changed_at)
    return began if row.done else 0.0


def _revision(text: str) -> int:
    found = _REVISION.match(text)
    return int(found[1]) if found else 0
