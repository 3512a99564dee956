"""What became of one thing over time: states with the moments at which they began."""

from __future__ import annotations

import bisect
import math
from typing import TYPE_CHECKING, Generic, TypeVar

from services.rehearsal.monitoring.promql.lines import on_grid
from services.rehearsal.monitoring.records import NodeState, PodState, WorkloadState

if TYPE_CHECKING:
    from services.rehearsal.monitoring.records import NodeRecord, Pod, WorkloadRecord

State = TypeVar("State")
_MOST_STATES = 2000


class Story(Generic[State]):
    """States in order; two between the same two scrapes count as the later one, for nobody saw the first."""

    def __init__(self, namespace: str, name: str, uid: str, born: float) -> None:
        self.namespace = namespace
        self.name = name
        self.uid = uid
        self.born = born
        self.ended = math.inf
        self.times: list[float] = []
        self.states: list[State] = []

    def add(self, moment: float, state: State) -> None:
        """Tell that `state` holds from `moment` on."""
        times, states = self.times, self.states
        if states and states[-1] == state:
            return
        if len(states) > 1 and on_grid(times[-1]) == on_grid(moment):
            states[-1] = state
            return
        times.append(moment)
        states.append(state)
        if len(states) > _MOST_STATES:
            del times[1 : _MOST_STATES // 2], states[1 : _MOST_STATES // 2]

    def at(self, moment: float) -> State | None:
        """Return the state at a moment, None outside its life."""
        if moment < self.born or moment >= self.ended or not self.states:
            return None
        if moment >= self.times[-1]:
            return self.states[-1]
        return self.states[max(0, bisect.bisect_right(self.times, moment) - 1)]


class PodStory(Story[PodState]):
    """A pod: who owns it, where it runs, what it asks for."""

    def __init__(self, pod: Pod, moment: float) -> None:
        metadata = pod.metadata
        super().__init__(metadata.namespace, metadata.name, metadata.uid, min(moment, metadata.born() or moment))
        self.node = ""
        self.host_ip = ""
        self.pod_ip = ""
        owner = metadata.owner_references[0] if metadata.owner_references else None
        self.owner_kind = owner.kind if owner else ""
        self.owner_name = owner.name if owner else ""
        self.kind, self.workload = self.owner_kind, self.owner_name
        if self.owner_kind == "ReplicaSet":
            self.kind, self.workload = "Deployment", self.owner_name.rpartition("-")[0]
        self.containers = pod.containers()

    def tell(self, pod: Pod, moment: float) -> None:
        """Take a new version of the pod."""
        self.node = pod.spec.node_name or self.node
        self.host_ip = pod.status.host_ip or self.host_ip
        self.pod_ip = pod.status.pod_ip or self.pod_ip
        self.add(moment, pod.state())


class WorkloadStory(Story[WorkloadState]):
    """A Deployment, StatefulSet or DaemonSet."""

    def __init__(self, kind: str, workload: WorkloadRecord, moment: float) -> None:
        metadata = workload.metadata
        super().__init__(metadata.namespace, metadata.name, metadata.uid, min(moment, metadata.born() or moment))
        self.kind = kind


class NodeStory(Story[NodeState]):
    """A node: its address, labels and size (cores and bytes)."""

    def __init__(self, node: NodeRecord) -> None:
        from services.rehearsal.simulation.capacity import mebibytes, millicores

        metadata = node.metadata
        super().__init__("", metadata.name, metadata.uid, metadata.born())
        self.address = node.address
        self.labels = metadata.labels
        status = node.status
        self.cpu = millicores(status.capacity["cpu"]) / 1000
        self.memory = mebibytes(status.capacity["memory"]) * 1_048_576.0
        self.free_cpu = millicores(status.allocatable["cpu"]) / 1000
        self.free_memory = mebibytes(status.allocatable["memory"]) * 1_048_576.0
        self.pods = float(status.capacity.get("pods", "110"))
