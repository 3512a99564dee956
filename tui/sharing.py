"""Share mode: what the cluster, its nodes, its namespaces and its people are called while others look on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from services.model.action import ALTERED
from services.model.incident import INCIDENTS
from services.model.message import OUTBOX
from services.model.ref import SILENCES
from services.model.text import SafeText
from services.model.timeline import EventKind
from services.ports import Changes, Snapshot
from services.pseudonyms import Pseudonyms

NAMED = 4096
"""Characters of a text in which names are looked for one by one."""


class Sharing:
    """Masks by stable pseudonyms; learns the names that look like any other word from the rows themselves.

    Masked: the cluster and every context, nodes, namespaces, operators and accounts, host names, addresses, e-mail
    addresses, cloud accounts, and the words of `ui.share_names`. Workloads and pods keep theirs: they are what is
    talked about. Called from the UI's loop, and `mask` from the log streams too.
    """

    def __init__(self, salt: bytes = b"", words: Iterable[str] = ()) -> None:
        self._pseudonyms = Pseudonyms(salt)
        self._pseudonyms.learn("name", words)

    def mask(self, text: str) -> SafeText:
        """Return a text as others may see it."""
        return self._pseudonyms.mask(text)

    def name(self, kind: str, value: str) -> str:
        """Return the stand-in of a name, and know the name from now on wherever it stands."""
        self._pseudonyms.learn(kind, (value,))
        return self._pseudonyms.name(kind, value)

    def learn(self, kind: str, names: Iterable[str]) -> None:
        """Know these names from now on: of a cluster, a host, a user, ns."""
        self._pseudonyms.learn(kind, [part for name in names if name for part in _parts(name)])

    def look_at(self, snapshot: Snapshot) -> None:
        """Learn from everything that is known."""
        for table, rows in snapshot.tables.items():
            self._learn_rows(table, rows.values())
        for event in snapshot.events:
            self._learn_ref(event)

    def look_at_changes(self, changes: Changes) -> None:
        """Learn from what is new, before it is shown."""
        for table, keys in changes.keys.items():
            if table in _LEARNT:
                rows: Mapping[str, Any] = changes.snapshot.tables.get(table, {})
                new = rows.values() if keys is None else [rows[key] for key in keys if key in rows]
                self._learn_rows(table, new)
        if changes.events:
            for event in changes.snapshot.events:
                self._learn_ref(event)

    def _learn_rows(self, table: str, rows: Iterable[Any]) -> None:
        learn = _LEARNT.get(table)
        if learn is not None:
            for kind, names in learn(rows):
                self._pseudonyms.learn(kind, names)

    def _learn_ref(self, event: Any) -> None:  # noqa: ANN401 - whatever has a ref
        if event.ref.kind == "Node":
            self._pseudonyms.learn("host", (event.ref.name,))
        self._pseudonyms.learn("ns", (event.ref.namespace,))
        if event.kind in (EventKind.ACTION, EventKind.NOTE):
            self.learn("user", (event.payload.get("actor", ""),))


Learnt = Iterable[tuple[str, Iterable[str]]]


def _nodes(rows: Iterable[Any]) -> Learnt:
    yield from _nodes_named(row.ref.name for row in rows)


def _pods(rows: Iterable[Any]) -> Learnt:
    listed = list(rows)
    yield from _nodes_named({pod.node for pod in listed})
    yield "ns", {pod.ref.namespace for pod in listed}


def _nodes_named(names: Iterable[str]) -> Learnt:
    listed = [name for name in names if name]
    yield "host", listed
    yield "host", {name.partition(".")[0] for name in listed}


def _namespaces(rows: Iterable[Any]) -> Learnt:
    yield "ns", [row.ref.name for row in rows]


def _namespaced(rows: Iterable[Any]) -> Learnt:
    yield "ns", {row.ref.namespace for row in rows}


def _symptoms(rows: Iterable[Any]) -> Learnt:
    """Name the nodes of "1 node not ready: node-7": a cached symptom comes before the nodes do."""
    for row in rows:
        if row.view == "nodes":
            named = row.text[:NAMED].partition(": ")[2].partition(" and ")[0]
            yield from _nodes_named(name.strip() for name in named.split(","))


def _people(who: Callable[[Any], Iterable[str]]) -> Callable[[Iterable[Any]], Learnt]:
    """Return what names the people that rows tell, whole and in parts; sentences name them too."""

    def learn(rows: Iterable[Any]) -> Learnt:
        names = {name for row in rows for name in who(row) if name}
        yield "user", {part for name in names for part in _parts(name)}

    return learn


_LEARNT: Mapping[str, Callable[[Iterable[Any]], Learnt]] = {
    "nodes": _nodes,
    "pods": _pods,
    "namespaces": _namespaces,
    "rollouts": _namespaced,
    "jobs.batch": _namespaced,
    "cronjobs.batch": _namespaced,
    "events": _namespaced,
    "symptoms": _symptoms,
    SILENCES.table: _people(lambda row: (row.created_by,)),
    ALTERED: _people(lambda row: (row.who,)),
    OUTBOX: _people(lambda row: (row.by,)),
    INCIDENTS: _people(lambda row: (row.owner, *(event.actor.user for event in row.events))),
}


def _parts(name: str) -> tuple[str, ...]:
    """Return a name and what it is put together from: user@host, user/cluster, host:port."""
    parts = {name}
    for sign in "@/:":
        parts |= {piece for part in parts for piece in part.split(sign)}
    return tuple(part for part in parts if not part.isdigit())
