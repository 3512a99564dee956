"""Turns the API server's lists and watch lines into domain types; one bad object costs itself, never the list."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec
from msgspec import Raw, Struct
from msgspec.json import Decoder

from services.kubernetes import (
    decode_cluster,
    decode_config,
    decode_delivery,
    decode_pods,
    decode_revisions,
    decode_workloads,
)
from services.kubernetes.wire_pod import WirePod
from services.model.cluster import Usage
from services.model.ref import (
    ARGO_ROLLOUTS,
    CONFIGMAPS,
    CONTROLLERREVISIONS,
    CRONJOBS,
    DAEMONSETS,
    DEPLOYMENTS,
    EVENTS,
    JOBS,
    NAMESPACES,
    NODES,
    PODS,
    REPLICASETS,
    STATEFULSETS,
    Resource,
)
from services.model.workload import Pod
from services.sanitize import safe_text

TYPED: Mapping[str, Resource] = {
    resource.table: resource
    for resource in (
        PODS,
        NODES,
        NAMESPACES,
        EVENTS,
        DEPLOYMENTS,
        STATEFULSETS,
        DAEMONSETS,
        REPLICASETS,
        JOBS,
        CRONJOBS,
        ARGO_ROLLOUTS,
    )
}
"""The kinds decoded into types of their own, by live-state table; every other kind comes as a Table."""

FAILURES = (msgspec.MsgspecError, ValueError, TypeError, OverflowError, RecursionError)
"""What decoding hostile JSON can raise, before it is turned into `Undecodable` or a quarantined item."""

_INITIAL_EVENTS_END = b'"k8s.io/initial-events-end":"true"'

T = TypeVar("T")


class Undecodable(Exception):  # noqa: N818 - it says what the object is
    """An object or a body that could not be read. `reason` is safe to show; `key` is "" when not even that is known.

    A watch goes on from `resource_version` ("" when unknown).
    """

    def __init__(self, reason: str, resource_version: str = "", key: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.resource_version = resource_version
        self.key = key


class Quarantined(Struct, frozen=True, gc=False):
    """One item of a list that could not be read; `name` is its key as far as it is known."""

    name: str
    reason: str


class DecodedList(Struct, frozen=True):
    """One page of a list. `remaining` counts the items after it, 0 when the server does not say."""

    rows: dict[str, Any]
    resource_version: str
    continue_token: str
    remaining: int
    quarantined: list[Quarantined]


class WatchEvent(Struct, frozen=True, gc=False):
    """One line of a watch: ADDED, MODIFIED, DELETED with the object, BOOKMARK, or ERROR with the Status.

    `initial_end` marks the bookmark that ends the initial events of a streaming list.
    """

    type: str
    key: str = ""
    obj: Any = None
    resource_version: str = ""
    status_code: int = 0
    message: str = ""
    initial_end: bool = False


class _ListMeta(Struct, frozen=True, gc=False, rename="camel"):
    resource_version: str | None = None
    continue_token: str | None = msgspec.field(default=None, name="continue")
    remaining_item_count: int | None = None


class _WireList(Struct, Generic[T], frozen=True):
    items: list[T] | None
    metadata: _ListMeta | None = None


class _WireLine(Struct, Generic[T], frozen=True, gc=False):
    type: str
    object: T


class _ItemMeta(Struct, frozen=True, gc=False, rename="camel"):
    name: str | None = None
    namespace: str | None = None
    resource_version: str | None = None


class _Item(Struct, frozen=True, gc=False):
    metadata: _ItemMeta | None = None


class _Status(Struct, frozen=True, gc=False):
    code: int | None = None
    message: str | None = None
    reason: str | None = None


class _Codec(NamedTuple):
    item: Decoder[Any]
    page: Decoder[Any]
    line: Decoder[Any]
    convert: Callable[[Any, str], Any]


DIGESTS = "config.digests"
"""ConfigMaps by their keys and hashes: told to whoever derives from them, shown in no table."""

REVISIONS = "controller.revisions"
"""ControllerRevisions, as the roll-outs of StatefulSets and DaemonSets: likewise."""

DERIVED_FROM: Mapping[str, Resource] = {REVISIONS: CONTROLLERREVISIONS, DIGESTS: CONFIGMAPS}
"""Kinds that are watched only for what they tell, by the name they are wanted by."""

_WIRE: Mapping[str, tuple[Any, Callable[[Any, str], Any]]] = {
    PODS.table: (WirePod, decode_pods.pod_of),
    NODES.table: (decode_cluster.WireNode, decode_cluster.node_of),
    NAMESPACES.table: (decode_cluster.WireNamespace, decode_cluster.namespace_of),
    EVENTS.table: (decode_cluster.WireEvent, decode_cluster.event_of),
    DEPLOYMENTS.table: (decode_workloads.WireWorkload, decode_workloads.deployment_of),
    STATEFULSETS.table: (decode_workloads.WireWorkload, decode_workloads.statefulset_of),
    DAEMONSETS.table: (decode_workloads.WireDaemonSet, decode_workloads.daemonset_of),
    REPLICASETS.table: (decode_workloads.WireReplicaSet, decode_workloads.replicaset_of),
    JOBS.table: (decode_cluster.WireJob, decode_cluster.job_of),
    CRONJOBS.table: (decode_cluster.WireCronJob, decode_cluster.cronjob_of),
    ARGO_ROLLOUTS.table: (decode_delivery.WireRollout, decode_delivery.rollout_of),
    REVISIONS: (decode_revisions.WireControllerRevision, decode_revisions.chosen_of),
    DIGESTS: (decode_config.WireConfigMap, decode_config.digest_of),
}

_raw_page: Decoder[_WireList[Raw]] = Decoder(_WireList[Raw])
_raw_line: Decoder[_WireLine[Raw]] = Decoder(_WireLine[Raw])
_named_item: Decoder[_Item] = Decoder(_Item)
_status: Decoder[_Status] = Decoder(_Status)
_usages: Decoder[decode_cluster.WireUsageList] = Decoder(decode_cluster.WireUsageList)


@cache
def _codec(table: str) -> _Codec:
    wire, convert = _WIRE[table]
    page: Any = _WireList
    line: Any = _WireLine
    return _Codec(Decoder(wire), Decoder(page[wire]), Decoder(line[wire]), convert)


def decode_list(table: str, body: bytes, cluster: str) -> DecodedList:
    """Decode one page of a list of a `TYPED` table, rows by key.

    A page with a bad item is read item by item and the bad ones are quarantined. Raises `Undecodable` where the body is
    no list at all.
    """
    codec = _codec(table)
    try:
        page = codec.page.decode(body)
        rows = {}
        for wire in page.items or ():
            obj = codec.convert(wire, cluster)
            rows[obj.ref.key] = obj
        return _decoded(rows, page.metadata, [])
    except FAILURES:
        return _decode_one_by_one(codec, body, cluster)


def _decode_one_by_one(codec: _Codec, body: bytes, cluster: str) -> DecodedList:
    try:
        page = _raw_page.decode(body)
    except FAILURES as error:
        raise Undecodable(_reason(error)) from error
    rows, quarantined = {}, []
    for raw in page.items or ():
        try:
            obj = codec.convert(codec.item.decode(raw), cluster)
            rows[obj.ref.key] = obj
        except FAILURES as error:
            quarantined.append(Quarantined(_identify(raw)[0], _reason(error)))
    return _decoded(rows, page.metadata, quarantined)


def _decoded(rows: dict[str, Any], metadata: _ListMeta | None, quarantined: list[Quarantined]) -> DecodedList:
    meta = metadata or _ListMeta()
    remaining = max(0, meta.remaining_item_count or 0)
    return DecodedList(rows, meta.resource_version or "", meta.continue_token or "", remaining, quarantined)


def decode_event(table: str, line: bytes, cluster: str) -> WatchEvent:
    """Decode one line of a watch of a `TYPED` table.

    An ERROR line becomes an event with the Status' code and message. Raises `Undecodable` for a bad object, with its
    resource version where that can be read, so that the watch can go on behind it.
    """
    codec = _codec(table)
    try:
        wire = codec.line.decode(line)
        if wire.type in ("ADDED", "MODIFIED", "DELETED"):
            obj = codec.convert(wire.object, cluster)
            return WatchEvent(wire.type, obj.ref.key, obj, wire.object.metadata.resource_version or "")
    except FAILURES:
        pass
    return decode_plain_event(line, lambda raw: codec.convert(codec.item.decode(raw), cluster))


def decode_plain_event(line: bytes, convert: Callable[[Raw], Any]) -> WatchEvent:
    """Decode one line of any watch, objects through `convert`; raises `Undecodable`."""
    try:
        wire = _raw_line.decode(line)
    except FAILURES as error:
        raise Undecodable(_reason(error)) from error
    key, version = _identify(wire.object)
    if wire.type == "BOOKMARK":
        return WatchEvent("BOOKMARK", resource_version=version, initial_end=_INITIAL_EVENTS_END in line)
    try:
        if wire.type == "ERROR":
            status = _status.decode(wire.object)
            message = safe_text(status.message or status.reason or "")
            return WatchEvent("ERROR", status_code=status.code or 0, message=message)
        obj = convert(wire.object)
    except FAILURES as error:
        raise Undecodable(_reason(error), version, key) from error
    return WatchEvent(wire.type, obj.ref.key, obj, version)


def _identify(raw: Raw) -> tuple[str, str]:
    """Return key and resource version of an object that may be nonsense, "" for what cannot be read."""
    try:
        meta = _named_item.decode(raw).metadata or _ItemMeta()
    except FAILURES:
        return "", ""
    key = f"{meta.namespace}/{meta.name}" if meta.namespace else meta.name or ""
    return key, meta.resource_version or ""


def _reason(error: BaseException) -> str:
    if isinstance(error, RecursionError):
        return "nested too deeply"
    return safe_text(str(error) or type(error).__name__)


def pods_from_table(body: bytes, namespace: str, cluster: str, now: float = 0.0) -> dict[str, Pod]:
    """Decode the object-less Table of one namespace's pods into partial rows: no uid, owner, labels or requests.

    `now` (epoch seconds) turns ages into times; 0 leaves them unknown. Raises `Undecodable`.
    """
    try:
        return decode_pods.partial_pods(body, namespace, cluster, now)
    except FAILURES as error:
        raise Undecodable(_reason(error)) from error


def decode_usage(body: bytes, cluster: str) -> dict[str, Usage]:
    """Decode a PodMetricsList or NodeMetricsList of metrics.k8s.io, by the key of the pod or node.

    An item without a name is left out. Raises `Undecodable`.
    """
    try:
        items = _usages.decode(body).items or []
        usages = [decode_cluster.usage_of(item, cluster) for item in items if item.metadata.name]
    except FAILURES as error:
        raise Undecodable(_reason(error)) from error
    return {usage.ref.key: usage for usage in usages}
