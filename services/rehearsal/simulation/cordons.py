"""Cordons as scheduler and kubelet take them: a closed node gets no pods, an opened one gets those that wait."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.rehearsal import resources

if TYPE_CHECKING:
    from services.rehearsal.resources import Resource
    from services.rehearsal.simulation.scheduler import Scheduler
    from services.rehearsal.simulation.world import World
    from services.rehearsal.store import Change


class Cordons:
    """Follows `spec.unschedulable` of every node."""

    def __init__(self, world: World, scheduler: Scheduler) -> None:
        self._world = world
        self._scheduler = scheduler

    def begin(self) -> None:
        """Follow from now on."""
        self._world.store.listeners.append(self._changed)

    def _changed(self, resource: Resource, change: Change) -> None:
        if resource is not resources.NODES or change.before is None or change.type != "MODIFIED":
            return
        entry, key = change.entry, "spec.unschedulable"
        if entry.fields[key] == change.before.fields[key]:
            return
        closed = entry.fields[key] == "true"
        room = self._world.capacity.rooms.get(entry.name)
        if room is not None:
            room.open = not closed and not room.taint
        word = "NodeNotSchedulable" if closed else "NodeSchedulable"
        node, message = entry.read(), f"Node {entry.name} status is now: {word}"
        self._world.event(resources.NODES, node, word, message, component="kubelet", host=entry.name)
        if not closed:
            self._scheduler.nodes_changed()
