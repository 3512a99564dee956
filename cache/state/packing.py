"""Packs the rows of a table into one blob: written in one statement, read and decoded in a few milliseconds."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from functools import cache
from itertools import islice
from typing import Any

import msgspec
from msgspec import Struct

from cache.plain import plain
from services.model.alert import Alert, AlertPeer, Silence
from services.model.cluster import CronJob, Job, KubeEvent, Namespace, Node, Symptom
from services.model.ref import CRONJOBS, EVENTS, JOBS, NAMESPACES, NODES, PODS, Ref
from services.model.source import SourceStatus
from services.model.timeline import Event
from services.model.workload import Pod, Rollout
from services.ports import Key, Table

ALERT_SOURCES = "alert-sources"
"""How the servers of the alerts stand: `SourceStatus` by source. What is saved of alerts is worth no more than that."""

NARROWED = "cluster-sources"
"""The kinds that this user may not see, or not everywhere: `SourceStatus` by source, without its times."""

ALERTING: Mapping[Table, type[Struct]] = {
    "alerts": Alert,
    "silences": Silence,
    "alert-peers": AlertPeer,
    ALERT_SOURCES: SourceStatus,
}
"""The tables that come from Alertmanagers and Prometheis, not from the cluster."""

PACKED: Mapping[Table, type[Struct]] = {
    "rollouts": Rollout,
    "symptoms": Symptom,
    PODS.table: Pod,
    NODES.table: Node,
    NAMESPACES.table: Namespace,
    JOBS.table: Job,
    CRONJOBS.table: CronJob,
    EVENTS.table: KubeEvent,
    NARROWED: SourceStatus,
    **ALERTING,
}
"""The tables whose rows are kept for the first paint, and what a row is."""

_PAGE = 500


_ENCODER = msgspec.msgpack.Encoder(enc_hook=plain)


class EventDetail(Struct, frozen=True, gc=False, array_like=True):
    """The part of an event that no index is for. Words are looked for in `payload`; `long` is its long part, packed."""

    ref: Ref
    payload: dict[str, str] = {}
    long: bytes = b""


MOST_LONG = 1 << 20
"""Bytes of what is long that are read back of one event."""

LONG = 48
"""Characters from which what is told of an event is packed: nobody looks for its words."""

_COMMON = (
    b'","priority":"","instance":"","job":"kube-state-metrics","prometheus":"monitoring/k8s","service":"","container":"'
    b'","deployment":"","node":"","pod":"","team":"","cluster":"","region":"sum by (namespace, rate(container_memory_'
    b"kube_pod_container_status_waiting_reason{reason=CrashLoopBackOff[5m])) kube_deployment_status_replicas_available"
    b'{job="kube-state-metrics"} histogram_quantile(0.95, sum by (le) (rate(http_request_duration_seconds_bucket[5m]'
    b'http_requests_total{code=~"5.."}","description":"","message":"is in waiting state Pod Deployment has fewer '
    b'replicas than it should. of the requests to fail. is crash looping ("dashboard":"https://grafana.example/d/'
    b'","summary":"","runbook_url":"https://runbooks.prometheus-operator.dev/runbooks/kubernetes/","severity":"critical'
    b'","severity":"warning","namespace":"{"alertname":"'
)
"""What alerts say again and again. Never to be changed: what was packed with it is read with it."""


def pack_event(event: Event) -> bytes:
    """Return what an event tells beside its columns; what is long is compressed. `payload` is safe to be shown."""
    short = {name: value for name, value in event.payload.items() if len(value) < LONG}
    long = {name: value for name, value in event.payload.items() if len(value) >= LONG}
    if not long:
        return pack(EventDetail(event.ref, short))
    squeezer = zlib.compressobj(9, zdict=_COMMON)
    return pack(EventDetail(event.ref, short, squeezer.compress(_ENCODER.encode(long)) + squeezer.flush()))


def unpack_event(packed: bytes) -> tuple[Ref, dict[str, str]]:
    """Return the object of an event and what is told of it. Raises msgspec.MsgspecError or zlib.error."""
    detail = msgspec.msgpack.decode(packed, type=EventDetail)
    if not detail.long:
        return detail.ref, detail.payload
    spread = zlib.decompressobj(zdict=_COMMON)
    long = msgspec.msgpack.decode(spread.decompress(detail.long, MOST_LONG), type=dict[str, str])
    return detail.ref, detail.payload | long


def object_key(ref: Ref) -> str:
    """Return what an object is found by in history: "Deployment/shop/cart", "Node/worker-1"."""
    return f"{ref.kind}/{ref.key}"


def pack_rows(rows: Mapping[Key, Any]) -> bytes:
    """Return the rows as one compressed blob, encoded page by page so that other threads get their turn."""
    pages = []
    items = iter(rows.items())
    while page := dict(islice(items, _PAGE)):
        pages.append(msgspec.Raw(_ENCODER.encode(page)))
    return zlib.compress(_ENCODER.encode(pages), 1)


def unpack_rows(table: Table, packed: bytes) -> dict[Key, Any]:
    """Return the rows of a packed table.

    Raises msgspec.MsgspecError, zlib.error or KeyError where it is not what this version packs.
    """
    pages: list[dict[Key, Any]] = _decoder(table).decode(zlib.decompress(packed))
    if len(pages) == 1:
        return pages[0]
    rows: dict[Key, Any] = {}
    for page in pages:
        rows.update(page)
    return rows


def pack(record: Struct) -> bytes:
    """Return one record as MessagePack."""
    return _ENCODER.encode(record)


@cache
def _decoder(table: Table) -> msgspec.msgpack.Decoder[Any]:
    page = dict.__class_getitem__((str, PACKED[table]))
    return msgspec.msgpack.Decoder(list.__class_getitem__(page))
