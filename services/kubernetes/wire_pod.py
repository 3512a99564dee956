"""The slim wire form of a pod: what its status column, its trouble and its requests are made from."""

from __future__ import annotations

from msgspec import Raw, Struct, field
from msgspec.json import Decoder

from services.kubernetes.wire import WireCondition, WireMeta


class Waiting(Struct, frozen=True, gc=False):
    """`state.waiting`."""

    reason: str | None = None
    message: str | None = None


class Running(Struct, frozen=True, gc=False):
    """`state.running`; only that it is there matters."""


class Terminated(Struct, frozen=True, gc=False, rename="camel"):
    """`state.terminated` or `lastState.terminated`."""

    exit_code: int = 0
    signal: int | None = None
    reason: str | None = None
    message: str | None = None
    finished_at: str | None = None


class State(Struct, frozen=True, gc=False):
    """`state` or `lastState` of a container: at most one of the three is set."""

    waiting: Waiting | None = None
    running: Running | None = None
    terminated: Terminated | None = None


NO_STATE = State()


class ContainerStatus(Struct, frozen=True, gc=False, rename="camel"):
    """One entry of `containerStatuses` or `initContainerStatuses`."""

    name: str = ""
    ready: bool | None = None
    restart_count: int | None = None
    started: bool | None = None
    state: State | None = None
    last_state: State | None = None


class Container(Struct, frozen=True, gc=False, rename="camel"):
    """A container of the spec; `restartPolicy: Always` makes an init container a sidecar."""

    name: str = ""
    resources: Raw = Raw()
    restart_policy: str | None = None


class PodSpec(Struct, frozen=True, gc=False, rename="camel"):
    """`spec` of a pod."""

    containers: list[Container] | None = None
    init_containers: list[Container] | None = None
    node_name: str | None = None
    resources: Raw = Raw()


class PodIP(Struct, frozen=True, gc=False):
    """One of the pod's addresses."""

    ip: str | None = None


class PodStatus(Struct, frozen=True, gc=False, rename="camel"):
    """`status` of a pod. Conditions stay raw: of a healthy pod nothing in them is shown."""

    phase: str | None = None
    reason: str | None = None
    message: str | None = None
    pod_ip: str | None = field(default=None, name="podIP")
    pod_ips: list[PodIP] | None = field(default=None, name="podIPs")
    conditions: Raw = Raw()
    container_statuses: list[ContainerStatus] | None = None
    init_container_statuses: list[ContainerStatus] | None = None


class WirePod(Struct, frozen=True, gc=False):
    """A pod as the API server sends it."""

    metadata: WireMeta
    spec: PodSpec | None = None
    status: PodStatus | None = None


_conditions_decoder: Decoder[list[WireCondition] | None] = Decoder(list[WireCondition] | None)


def conditions_in(status: PodStatus) -> list[WireCondition]:
    """Decode the pod's conditions; raises msgspec's errors."""
    data = bytes(status.conditions)
    return (_conditions_decoder.decode(data) or []) if data else []
