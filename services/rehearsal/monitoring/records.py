"""Reads from stored objects only what metrics are made of."""

from __future__ import annotations

from typing import NamedTuple

from msgspec import Struct, field
from msgspec.json import Decoder

from services.rehearsal.clock import parse_stamp
from services.rehearsal.simulation.capacity import mebibytes, millicores


class Owner(Struct, frozen=True):
    """A controller reference."""

    kind: str
    name: str


class Metadata(Struct, frozen=True, rename="camel"):
    """What every object has."""

    name: str
    uid: str
    namespace: str = ""
    creation_timestamp: str = ""
    generation: int = 1
    labels: dict[str, str] = field(default_factory=dict)
    owner_references: list[Owner] = field(default_factory=list)

    def born(self) -> float:
        """Return when the object was made, in seconds since the epoch."""
        return parse_stamp(self.creation_timestamp) if self.creation_timestamp else 0.0


class _Resources(Struct, frozen=True):
    requests: dict[str, str] = field(default_factory=dict)
    limits: dict[str, str] = field(default_factory=dict)


class _Container(Struct, frozen=True):
    name: str
    image: str = ""
    resources: _Resources = _Resources()


class _Reason(Struct, frozen=True, rename="camel"):
    reason: str = ""
    exit_code: int = 0


class _State(Struct, frozen=True):
    running: _Reason | None = None
    waiting: _Reason | None = None
    terminated: _Reason | None = None


class _ContainerStatus(Struct, frozen=True, rename="camel"):
    name: str
    ready: bool = False
    restart_count: int = 0
    state: _State = _State()
    last_state: _State = _State()


class _Condition(Struct, frozen=True):
    type: str
    status: str
    reason: str = ""


class _PodSpec(Struct, frozen=True, rename="camel"):
    containers: list[_Container] = field(default_factory=list)
    node_name: str = ""


class _PodStatus(Struct, frozen=True, rename="camel"):
    phase: str = "Pending"
    reason: str = ""
    host_ip: str = field(default="", name="hostIP")
    pod_ip: str = field(default="", name="podIP")
    conditions: list[_Condition] = field(default_factory=list)
    container_statuses: list[_ContainerStatus] = field(default_factory=list)


class ContainerSpec(NamedTuple):
    """What a container asks for: cores and bytes, 0 where nothing is said."""

    name: str
    image: str
    cpu_request: float
    memory_request: float
    cpu_limit: float
    memory_limit: float


class ContainerState(NamedTuple):
    """What a container does at one time; reasons are "" where there are none."""

    name: str
    ready: bool
    running: bool
    restarts: int
    waiting: str
    terminated: str
    last_reason: str
    last_code: int


class PodState(NamedTuple):
    """What a pod does at one time."""

    phase: str
    ready: bool
    scheduled: bool
    containers: tuple[ContainerState, ...]


class Pod(Struct, frozen=True):
    """A pod."""

    metadata: Metadata
    spec: _PodSpec
    status: _PodStatus = _PodStatus()

    def containers(self) -> tuple[ContainerSpec, ...]:
        """Return what the containers ask for."""
        return tuple(
            ContainerSpec(one.name, one.image, *_amounts(one.resources.requests), *_amounts(one.resources.limits))
            for one in self.spec.containers
        )

    def state(self) -> PodState:
        """Return what the pod does."""
        held = {one.type for one in self.status.conditions if one.status == "True"}
        return PodState(
            self.status.phase,
            "Ready" in held,
            "PodScheduled" in held or bool(self.spec.node_name),
            tuple(_container_state(one) for one in self.status.container_statuses),
        )


def _amounts(given: dict[str, str]) -> tuple[float, float]:
    cpu = millicores(given["cpu"]) / 1000 if "cpu" in given else 0.0
    return cpu, mebibytes(given["memory"]) * 1_048_576.0 if "memory" in given else 0.0


def _container_state(status: _ContainerStatus) -> ContainerState:
    state, last = status.state, status.last_state.terminated
    return ContainerState(
        status.name,
        status.ready,
        state.running is not None,
        status.restart_count,
        state.waiting.reason if state.waiting else "",
        state.terminated.reason if state.terminated else "",
        last.reason if last else "",
        last.exit_code if last else 0,
    )


class _WorkloadSpec(Struct, frozen=True):
    replicas: int = 1


class _WorkloadStatus(Struct, frozen=True, rename="camel"):
    observed_generation: int = 0
    replicas: int = 0
    updated_replicas: int = 0
    ready_replicas: int = 0
    available_replicas: int = 0
    unavailable_replicas: int = 0
    desired_number_scheduled: int = 0
    number_ready: int = 0
    number_available: int = 0
    updated_number_scheduled: int = 0
    conditions: list[_Condition] = field(default_factory=list)


class WorkloadState(NamedTuple):
    """What a workload is asked for and has; `progressing` is the condition's status, "" where there is none."""

    generation: int
    observed: int
    desired: int
    replicas: int
    updated: int
    ready: int
    available: int
    progressing: str
    progress_reason: str


class WorkloadRecord(Struct, frozen=True):
    """A Deployment, StatefulSet or DaemonSet."""

    metadata: Metadata
    spec: _WorkloadSpec
    status: _WorkloadStatus = _WorkloadStatus()

    def state(self) -> WorkloadState:
        """Return the counts; those of a DaemonSet are named differently and mean the same."""
        status = self.status
        progressing = next((one for one in status.conditions if one.type == "Progressing"), None)
        daemon = status.desired_number_scheduled
        return WorkloadState(
            self.metadata.generation,
            status.observed_generation,
            daemon or self.spec.replicas,
            daemon or status.replicas,
            status.updated_number_scheduled if daemon else status.updated_replicas,
            status.number_ready if daemon else status.ready_replicas,
            status.number_available if daemon else status.available_replicas,
            progressing.status.lower() if progressing else "",
            progressing.reason if progressing else "",
        )


class _Address(Struct, frozen=True):
    type: str
    address: str


class _NodeSpec(Struct, frozen=True):
    unschedulable: bool = False


class _NodeStatus(Struct, frozen=True):
    addresses: list[_Address] = field(default_factory=list)
    capacity: dict[str, str] = field(default_factory=dict)
    allocatable: dict[str, str] = field(default_factory=dict)
    conditions: list[_Condition] = field(default_factory=list)


class NodeState(NamedTuple):
    """What a node says of itself: (condition, status) pairs, statuses in lower case."""

    conditions: tuple[tuple[str, str], ...]
    unschedulable: bool

    def status(self, kind: str) -> str:
        """Return the status of a condition, "" when there is none."""
        return next((status for name, status in self.conditions if name == kind), "")


class NodeRecord(Struct, frozen=True):
    """A node."""

    metadata: Metadata
    spec: _NodeSpec = _NodeSpec()
    status: _NodeStatus = _NodeStatus()

    def state(self) -> NodeState:
        """Return conditions and whether the node takes pods."""
        held = tuple((one.type, one.status.lower()) for one in self.status.conditions)
        return NodeState(held, self.spec.unschedulable)

    @property
    def address(self) -> str:
        """Return the internal address."""
        return next((one.address for one in self.status.addresses if one.type == "InternalIP"), "")


class _PlainStatus(Struct, frozen=True):
    hard: dict[str, str] = field(default_factory=dict)
    used: dict[str, str] = field(default_factory=dict)
    capacity: dict[str, str] = field(default_factory=dict)
    succeeded: int = 0
    failed: int = 0
    active: int = 0
    conditions: list[_Condition] = field(default_factory=list)


class Plain(Struct, frozen=True):
    """A Job, a quota or a claim: its status as it stands."""

    metadata: Metadata
    status: _PlainStatus = _PlainStatus()


pod = Decoder(Pod).decode
node = Decoder(NodeRecord).decode
workload = Decoder(WorkloadRecord).decode
plain = Decoder(Plain).decode
