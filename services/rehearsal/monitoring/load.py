"""What containers and nodes use: shares of what was asked for, and what one greedy pod takes from its neighbours."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from services.rehearsal.monitoring.waves import Shares, Wave, chance

if TYPE_CHECKING:
    from services.rehearsal.monitoring.chronicle import Chronicle
    from services.rehearsal.monitoring.records import ContainerSpec, ContainerState, PodState
    from services.rehearsal.monitoring.stories import NodeStory, PodStory
    from services.rehearsal.simulation.behaviour import Behaviour, Behaviours

_GREEDY = 2.0
"""From this multiple of its request on a container is felt by its neighbours."""
_SATURATED = 0.97
"""Part of a node's processors that is in use when there is no more."""
_IDLE = 0.02
_RAMP = 240.0


class Use:
    """Processor and memory of one container."""

    def __init__(self, pod: PodStory, container: ContainerSpec, behaviour: Behaviour, origin: float) -> None:
        self._pod = pod
        self._index = next(number for number, one in enumerate(pod.containers) if one is container)
        self._behaviour = behaviour
        key = f"{pod.uid}/{container.name}"
        asked = container.cpu_request or 0.02
        self._wave = Wave(asked * (0.18 + 0.5 * chance(f"{key}:cpu")), key, max(origin, pod.born))
        memory = container.memory_request or 33_554_432.0
        self._memory = memory * (0.42 + 0.4 * chance(f"{key}:memory"))
        self._last: PodState | None = None
        self._made: Shares

    def state(self, moment: float) -> ContainerState | None:
        """Return what the container does at a moment, None where there is no such container."""
        state = self._pod.at(moment)
        if state is None or self._index >= len(state.containers):
            return None
        return state.containers[self._index]

    def _shares(self) -> Shares:
        pod = self._pod
        if self._last is not pod.states[-1]:
            self._last = pod.states[-1]
            self._made = Shares(self._wave, pod.times, [[self._factor(moment)] for moment in pod.times])
        return self._made

    def _factor(self, moment: float) -> float:
        state = self.state(moment)
        if state is None or not state.running:
            return _IDLE
        return self._behaviour.appetite if state.ready else 0.5

    def seconds(self, moment: float) -> float | None:
        """Return the processor seconds used so far, None where nothing runs."""
        return None if self.state(moment) is None else max(0.0, self._shares().counts(moment)[0])

    def cores(self, moment: float) -> float:
        """Return the cores in use at a moment."""
        return self._wave.rate(moment) * self._shares().share(0, moment) if self._pod.states else 0.0

    def bytes(self, moment: float) -> float | None:
        """Return the working set at a moment, None where the container does not run."""
        state = self.state(moment)
        if state is None or not state.running:
            return None
        hoarded = self._behaviour.hoarded(self._ran_for(moment, state.restarts)) if self._behaviour.hoard else 0.0
        return math.floor(self._memory * (0.9 + 0.1 * self._wave.level(moment)) + hoarded * 1_048_576)

    def _ran_for(self, moment: float, restarts: int) -> float:
        """Return the seconds since the container's present run began."""
        began = moment
        for at, state in zip(reversed(self._pod.times), reversed(self._pod.states), strict=True):
            if at > moment:
                continue
            one = state.containers[self._index] if self._index < len(state.containers) else None
            if one is None or not one.running or one.restarts != restarts:
                break
            began = at
        return moment - began


class Heat:
    """Which workloads have pods beside a greedy one, and when."""

    def __init__(self, chronicle: Chronicle, behaviours: Behaviours) -> None:
        self._chronicle = chronicle
        self._behaviours = behaviours
        self.version = 0
        self._spans: dict[str, list[tuple[float, float, float, str]]] = {}
        self._read: tuple[int, int] = (-1, -1)

    def behaviour(self, image: str) -> Behaviour:
        """Return how a program behaves."""
        return self._behaviours.of(image)

    def refresh(self) -> None:
        """Find the greedy pods anew if any pod came, went or changed."""
        if not self._behaviours.greedy:
            return
        found: dict[str, list[tuple[float, float, float, str]]] = {}
        for pod in self._chronicle.pods.values():
            appetite = max((self.behaviour(one.image).appetite for one in pod.containers), default=1.0)
            if appetite < _GREEDY or not pod.node:
                continue
            began = next((at for at, state in zip(pod.times, pod.states, strict=True) if state.ready), None)
            if began is not None:
                cores = sum(one.cpu_request for one in pod.containers) * 0.45 * appetite
                found.setdefault(pod.node, []).append((began, pod.ended, cores, f"{pod.namespace}/{pod.workload}"))
        if found != self._spans:
            self._spans = found
            self.version += 1

    def edges(self, kind: str, namespace: str, name: str) -> set[float]:
        """Return the moments at which the neighbourhood of a workload changes."""
        nodes = {pod.node for pod in self._pods(kind, namespace, name)}
        spans = [span for node in nodes for span in self._spans.get(node, ())]
        return {edge for span in spans for edge in span[:2] if not math.isinf(edge)}

    def of(self, kind: str, namespace: str, name: str, moment: float) -> float:
        """Return the share of a workload's pods that have a greedy neighbour at a moment."""
        if not self._spans:
            return 0.0
        there = [pod for pod in self._pods(kind, namespace, name) if pod.born <= moment < pod.ended]
        own = f"{namespace}/{name}"
        hot = sum(
            any(start <= moment < end and own != whose for start, end, _, whose in self._spans.get(pod.node, ()))
            for pod in there
        )
        return hot / len(there) if there else 0.0

    def taken(self, node: str, moment: float) -> float:
        """Return the cores that greedy pods take on a node."""
        return sum(cores for start, end, cores, _ in self._spans.get(node, ()) if start <= moment < end)

    def spans(self, node: str) -> list[tuple[float, float, float]]:
        """Return (start, end, cores) of the greedy pods of a node, in order; no two at the same time."""
        found: list[tuple[float, float, float]] = []
        for start, end, cores, _ in sorted(self._spans.get(node, ())):
            begin = max(start, found[-1][1]) if found else start
            if begin < end:
                found.append((begin, end, cores))
        return found

    def _pods(self, kind: str, namespace: str, name: str) -> list[PodStory]:
        if not self._spans:
            return []
        return [
            pod
            for pod in self._chronicle.pods.values()
            if pod.namespace == namespace and pod.workload == name and pod.kind == kind
        ]


class Machine:
    """Processor, memory and disk of one node."""

    def __init__(self, node: NodeStory, heat: Heat, origin: float) -> None:
        self.node = node
        self._heat = heat
        key = f"node:{node.name}"
        self._wave = Wave(node.cpu * (0.2 + 0.22 * chance(f"{key}:cpu")), key, origin)
        self._memory = 0.38 + 0.2 * chance(f"{key}:memory")
        self._disk = 0.3 + 0.3 * chance(f"{key}:disk")
        self._origin = origin

    def busy(self, moment: float) -> float:
        """Return the processor seconds used so far; never more than the node has."""
        total = self._wave.total(moment)
        for start, end, cores in self._heat.spans(self.node.name):
            until = min(moment, end)
            if until <= start:
                continue
            if self._saturates(cores):
                total += _SATURATED * self.node.cpu * (until - start)
                total -= self._wave.total(until) - self._wave.total(start)
            else:
                total += cores * (until - start)
        return total

    def cores(self, moment: float) -> float:
        """Return the cores in use."""
        taken = self._heat.taken(self.node.name, moment)
        return _SATURATED * self.node.cpu if self._saturates(taken) else self._wave.rate(moment) + taken

    def _saturates(self, cores: float) -> bool:
        """Tell whether a greedy pod leaves its neighbours no more than the kernel guarantees them."""
        return cores > 0.4 * self.node.cpu

    def elapsed(self, moment: float) -> float:
        """Return the seconds since counting began."""
        return moment - self._origin

    def available_memory(self, moment: float) -> float:
        """Return the bytes that are free: they shrink in the minutes before the kubelet reports pressure."""
        usual = self._memory * (0.85 + 0.15 * self._wave.level(moment))
        return math.floor(self.node.memory * (1 - self._squeezed(usual, "MemoryPressure", moment)))

    def available_disk(self, moment: float) -> float:
        """Return the share of the disk that is free."""
        return 1 - self._squeezed(self._disk, "DiskPressure", moment)

    def _squeezed(self, usual: float, kind: str, moment: float) -> float:
        node = self.node
        for at, state in zip(node.times, node.states, strict=True):
            if state.status(kind) == "true":
                if moment >= at:
                    current = node.at(moment)
                    return 0.965 if current is not None and current.status(kind) == "true" else usual
                if at - moment < _RAMP:
                    return usual + (0.965 - usual) * (1 - (at - moment) / _RAMP)
        return usual
