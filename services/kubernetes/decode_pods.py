"""Turns wire pods into the rows of the pods table: ten thousand of them, small and fast."""

from __future__ import annotations

from functools import lru_cache
from sys import intern
from typing import Any

from msgspec import Struct
from msgspec.json import Decoder

from services.kubernetes.podstatus import explain, parse_duration, pod_state, status_severity
from services.kubernetes.quantity import millicores, whole
from services.kubernetes.wire import epoch, labels_of, owner_of, ref_of, share
from services.kubernetes.wire_pod import Container, PodSpec, PodStatus, WirePod, conditions_in
from services.model.ref import PODS, Ref
from services.model.severity import Severity
from services.model.workload import Pod

_NO_SPEC = PodSpec()
_NO_STATUS = PodStatus()
_FREE = (0, 0, 0, 0)

Amounts = tuple[int, int, int, int]
"""CPU request, memory request, CPU limit, memory limit: millicores and bytes."""


class _Quantities(Struct, frozen=True, gc=False):
    cpu: str | int | float | None = None
    memory: str | int | float | None = None


class _Resources(Struct, frozen=True, gc=False):
    requests: _Quantities | None = None
    limits: _Quantities | None = None


_resources_decoder: Decoder[_Resources | None] = Decoder(_Resources | None)


def pod_of(wire: WirePod, cluster: str) -> Pod:
    """Return a pod as its row shows it; raises ValueError or msgspec's errors where the object makes no sense."""
    meta, spec, status = wire.metadata, wire.spec or _NO_SPEC, wire.status or _NO_STATUS
    state = pod_state(spec, status, meta.deletion_timestamp is not None)
    severity = status_severity(state.status, state.ready, state.containers)
    unschedulable, unready_since = _waits(status)
    if unschedulable:
        severity = min(severity, Severity.WARN)
    trouble = explain(status) if severity is not Severity.OK or state.restarts else None
    amounts = _amounts(spec)
    return Pod(
        ref_of(meta, PODS, cluster),
        intern(state.status),
        severity,
        state.ready,
        state.containers,
        state.restarts,
        epoch(meta.creation_timestamp),
        intern(status.phase or ""),
        intern(spec.node_name or ""),
        _address(status),
        owner_of(meta.owner_references),
        state.last_restart_at,
        trouble,
        unschedulable,
        share(tuple([each.name for each in spec.containers or ()])),
        labels_of(meta.labels),
        *amounts,
        epoch(meta.deletion_timestamp),
        0.0 if status.phase == "Succeeded" else unready_since,
    )


def _waits(status: PodStatus) -> tuple[str, float]:
    """Return what the scheduler says against the pod, and since when it has not been ready ("" and 0: nothing)."""
    data = bytes(status.conditions)
    if b'"False"' not in data and b'"Unknown"' not in data:
        return "", 0.0
    unschedulable, unready_since = "", 0.0
    for condition in conditions_in(status):
        if condition.status == "True":
            continue
        if condition.type == "Ready":
            unready_since = epoch(condition.last_transition_time)
        elif condition.type == "PodScheduled" and condition.reason == "Unschedulable":
            unschedulable = condition.message or "Unschedulable"
    return unschedulable, unready_since


def _address(status: PodStatus) -> str:
    if status.pod_ips and status.pod_ips[0].ip:
        return status.pod_ips[0].ip
    return status.pod_ip or ""


def _amounts(spec: PodSpec) -> Amounts:
    """Return what the scheduler counts: the sum of the containers and sidecars, or a greater init container.

    Source: kubernetes pkg/api/v1/resource/helpers.go, PodRequests. Resources of the pod as a whole win where set.
    """
    total = _FREE
    for each in spec.containers or ():
        found = _parse(bytes(each.resources))
        if found is not _FREE:
            total = found if total is _FREE else _add(total, found)
    if spec.init_containers:
        total = _with_init(total, spec.init_containers)
    whole_pod = _parse(bytes(spec.resources))
    if whole_pod is not _FREE:
        total = tuple(own or sum_ for own, sum_ in zip(whole_pod, total, strict=True))  # type: ignore[assignment]
    return _keep(total)


def _with_init(total: Amounts, init_containers: list[Container]) -> Amounts:
    sidecars = peak = _FREE
    for each in init_containers:
        found = _parse(bytes(each.resources))
        if each.restart_policy == "Always":
            sidecars = _add(sidecars, found)
            peak = _most(peak, sidecars)
        else:
            peak = _most(peak, _add(sidecars, found))
    return _most(_add(total, sidecars), peak)


def _add(one: Amounts, two: Amounts) -> Amounts:
    return one[0] + two[0], one[1] + two[1], one[2] + two[2], one[3] + two[3]


def _most(one: Amounts, two: Amounts) -> Amounts:
    return max(one[0], two[0]), max(one[1], two[1]), max(one[2], two[2]), max(one[3], two[3])


@lru_cache(maxsize=1024)
def _keep(amounts: Amounts) -> Amounts:
    return amounts


@lru_cache(maxsize=1024)
def _parse(raw: bytes) -> Amounts:
    if not raw or raw == b"{}":
        return _FREE
    found = _resources_decoder.decode(raw)
    if found is None:
        return _FREE
    requests, limits = found.requests or _Quantities(), found.limits or _Quantities()
    # A limit without a request stands for the request too (the API server's defaulting).
    return (
        millicores(requests.cpu if requests.cpu is not None else limits.cpu),
        whole(requests.memory if requests.memory is not None else limits.memory),
        millicores(limits.cpu),
        whole(limits.memory),
    )


class _Column(Struct, frozen=True, gc=False):
    name: str = ""


class _PlainRow(Struct, frozen=True, gc=False):
    cells: list[Any] | None = None


class _PlainTable(Struct, frozen=True, gc=False, rename="camel"):
    column_definitions: list[_Column] | None = None
    rows: list[_PlainRow] | None = None


_table_decoder: Decoder[_PlainTable] = Decoder(_PlainTable)

_SHOWN = ("Name", "Ready", "Status", "Restarts", "Age", "IP", "Node")
_UNTOLD = frozenset({"<none>", "<unknown>"})

_State = tuple[str, Severity, int, int, int, float, float]


def partial_pods(body: bytes, namespace: str, cluster: str, now: float) -> dict[str, Pod]:
    """Decode the Table without objects of one namespace's pods into rows without uid; raises msgspec's errors.

    Ages are turned into times counted back from `now` (epoch seconds; 0: times stay unknown). A row without a name is
    left out.
    """
    table = _table_decoder.decode(body)
    titles = [column.name for column in table.column_definitions or ()]
    places = [titles.index(name) if name in titles else -1 for name in _SHOWN]
    namespace = intern(namespace)
    states: dict[tuple[str, str, str, str], _State] = {}  # pods of one workload share most of them
    pods = {}
    for row in table.rows or ():
        cells = row.cells or []
        name, ready, status, restarts, age, ip, node = [_text(cells, place) for place in places]
        if not name:
            continue
        told = ready, status, restarts, age
        state = states.get(told)
        if state is None:
            state = states[told] = _state(*told, now)
        status, severity, up, containers, restarted, created_at, restarted_at = state
        ref = Ref(cluster, PODS.group, PODS.kind, namespace, name)
        pods[f"{namespace}/{name}"] = Pod(
            ref,
            status,
            severity,
            up,
            containers,
            restarted,
            created_at,
            node=intern(node),
            ip=ip,
            last_restart_at=restarted_at,
        )
    return pods


def _text(cells: list[Any], place: int) -> str:
    if not 0 <= place < len(cells):
        return ""
    value = cells[place]
    if type(value) is str:
        return "" if value in _UNTOLD else value
    return str(value) if isinstance(value, int | float) else ""


def _state(ready: str, status: str, restarts: str, age: str, now: float) -> _State:
    up, _, containers = ready.partition("/")
    counts = _count(up), _count(containers)
    times, _, ago = restarts.partition(" (")
    lived, since_restart = parse_duration(age), parse_duration(ago.removesuffix(" ago)"))
    return (
        intern(status),
        status_severity(status, *counts),
        *counts,
        _count(times),
        now - lived if now and lived is not None else 0.0,
        now - since_restart if now and since_restart is not None else 0.0,
    )


def _count(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
