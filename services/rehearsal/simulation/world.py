"""The hub of the simulation: store, time, chance and the queue that wakes controllers when their objects change."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Protocol

from services.rehearsal import resources
from services.rehearsal.clock import stamp
from services.rehearsal.simulation.behaviour import Behaviours
from services.rehearsal.simulation.capacity import Capacity
from services.rehearsal.simulation.quotas import Quotas
from services.rehearsal.simulation.recorder import Recorder
from services.rehearsal.simulation.timeline import Timeline
from services.rehearsal.store import Change, ConflictError, Store

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.rehearsal.jsonic import Json
    from services.rehearsal.resources import Resource

SYNC_DELAY = 0.08
"""Seconds between a change and the controller's look at it."""
_TRY_AGAIN = 15.0


class Controller(Protocol):
    """Brings one kind of object nearer to its spec, a step at a time."""

    def sync(self, namespace: str, name: str) -> None:
        """Look at one object; it may be gone."""


class World:
    """Everything that controllers share."""

    def __init__(self, seed: int, start: float) -> None:
        self.timeline = Timeline(start)
        self.rng = random.Random(f"{seed}:world")  # noqa: S311 (a simulation, not a secret)
        self._ids = random.Random(f"{seed}:uid")  # noqa: S311 (a simulation, not a secret)
        self.store = Store(resources.BUILT_IN, self.new_uid, lambda: stamp(self.timeline.now))
        self.recorder = Recorder(self.store, self.timeline)
        self.behaviours = Behaviours()
        self.capacity = Capacity()
        self.quotas = Quotas()
        self.controllers: dict[str, Controller] = {}
        self.rewrite: Callable[[str], str] = str
        """Applied to every free text of status messages; hostile estates put nasty text in here."""
        self.pod_listeners: list[Callable[[Change], None]] = []
        self._pending: dict[tuple[str, str, str], float] = {}

    @property
    def now(self) -> float:
        """Return the moment that is being simulated."""
        return self.timeline.now

    def new_uid(self) -> str:
        """Return a fresh uid."""
        digits = f"{self._ids.getrandbits(128):032x}"
        return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"

    def after(self, delay: float, action: Callable[[], None]) -> None:
        """Do something after `delay` simulated seconds."""
        self.timeline.after(delay, action)

    def enqueue(self, kind: str, namespace: str, name: str, delay: float = SYNC_DELAY) -> None:
        """Have a controller look at an object after `delay`; an earlier look that is planned already stands."""
        key = (kind, namespace, name)
        due = self.now + delay
        planned = self._pending.get(key)
        if kind not in self.controllers or (planned is not None and planned <= due):
            return
        self._pending[key] = due
        self.timeline.at(due, lambda: self._look(key, due))

    def _look(self, key: tuple[str, str, str], due: float) -> None:
        if self._pending.get(key) == due:
            del self._pending[key]
            if not self._leaving(key):
                self._sync(key)

    def _sync(self, key: tuple[str, str, str]) -> None:
        """Let a controller look; when a name that it needs is taken by somebody else, it tries again."""
        try:
            self.controllers[key[0]].sync(key[1], key[2])
        except ConflictError:
            self.enqueue(*key, _TRY_AGAIN)

    def _leaving(self, key: tuple[str, str, str]) -> bool:
        """Tell whether an object has been marked for deletion: its controller leaves it alone."""
        resource = resources.BY_KIND.get(key[0])
        entry = None if resource is None else self.store.collection(resource).entries.get(key[1:])
        return entry is not None and b'"deletionTimestamp"' in entry.raw

    def connect(self) -> None:
        """Begin to wake controllers on changes; called once the estate at rest has been built."""
        self.store.listeners.append(self._changed)

    def event(
        self, resource: Resource, obj: Json, reason: str, message: str, *, component: str, host: str = ""
    ) -> None:
        """Record a Normal event about an object."""
        self.recorder.write(resource, obj, "Normal", reason=reason, message=message, component=component, host=host)

    def warn(self, resource: Resource, obj: Json, reason: str, message: str, *, component: str, host: str = "") -> None:
        """Record a Warning event about an object."""
        self.recorder.write(resource, obj, "Warning", reason=reason, message=message, component=component, host=host)

    def _changed(self, resource: Resource, change: Change) -> None:
        """Wake who is concerned; a change of a pod that changes no field that is counted by concerns nobody."""
        entry = change.entry
        if resource is resources.PODS:
            before = change.before
            if before is not None and change.type == "MODIFIED" and before.fields == entry.fields:
                return
            for listener in self.pod_listeners:
                listener(change)
        if resource.kind in self.controllers:
            self.enqueue(resource.kind, entry.namespace, entry.name)
        if entry.owner is not None:
            self.enqueue(entry.owner[0], entry.namespace, entry.owner[1])
