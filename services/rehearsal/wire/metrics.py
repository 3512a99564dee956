"""metrics.k8s.io: what pods and nodes use, a noisy share of what they request."""

from __future__ import annotations

import math
import zlib
from typing import TYPE_CHECKING

from services.rehearsal import resources
from services.rehearsal.clock import parse_stamp, stamp
from services.rehearsal.jsonic import Json, encode
from services.rehearsal.resources import Resource
from services.rehearsal.simulation.capacity import mebibytes, millicores
from services.rehearsal.wire import errors
from services.rehearsal.wire.http1 import Reply, Request, Stream
from services.rehearsal.wire.options import read_options

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from services.rehearsal.clock import Clock
    from services.rehearsal.simulation.behaviour import Behaviours
    from services.rehearsal.store import Entry, Store
    from services.rehearsal.wire.access import Access, Account
    from services.rehearsal.wire.paths import Target

_GROUP, _VERSION = "metrics.k8s.io", "v1beta1"
POD_METRICS = Resource("pods", "PodMetrics", _GROUP, _VERSION, verbs=("get", "list"))
NODE_METRICS = Resource("nodes", "NodeMetrics", _GROUP, _VERSION, namespaced=False, verbs=("get", "list"))
METRICS = (NODE_METRICS, POD_METRICS)
_WINDOW = 15


class Metrics:
    """Serves metrics.k8s.io/v1beta1 (get and list)."""

    def __init__(self, store: Store, behaviours: Behaviours, access: Access, clock: Clock) -> None:
        self._store = store
        self._behaviours = behaviours
        self._access = access
        self._clock = clock

    def __call__(self, request: Request, account: Account, target: Target) -> Reply | Stream | None:
        """Answer a request for metrics; None for anything else."""
        if (target.group, target.version) != (_GROUP, _VERSION):
            return None
        if target.plural not in {"pods", "nodes"} or target.subresource:
            raise errors.no_such_path()
        if request.method != "GET":
            raise errors.method_not_allowed()
        served = POD_METRICS if target.plural == "pods" else NODE_METRICS
        measured = resources.PODS if target.plural == "pods" else resources.NODES
        measure: Callable[[Entry], Json | None] = self._pod if target.plural == "pods" else self._node
        self._access.demand(account, target.attributes("get" if target.name else "list"))
        collection = self._store.collection(measured)
        if target.name:
            entry = collection.entries.get((target.namespace, target.name))
            found = measure(entry) if entry is not None else None
            if found is None:
                raise errors.not_found(served, f"{target.namespace}/{target.name}".strip("/"))
            return _reply({"kind": served.kind, "apiVersion": served.api_version, **found})
        wanted = read_options(request, measured, target.namespace).selection
        items = [measure(entry) for entry in collection.ordered() if wanted.matches(entry)]
        listed: Json = {"kind": f"{served.kind}List", "apiVersion": served.api_version, "metadata": {}}
        return _reply({**listed, "items": [one for one in items if one is not None]})

    def _pod(self, entry: Entry) -> Json | None:
        if entry.fields["status.phase"] != "Running":
            return None
        pod = entry.read()
        usage = []
        for name, cpu, memory in self._used(entry.uid, pod):
            usage.append({"name": name, "usage": {"cpu": f"{int(cpu * 1e6)}n", "memory": f"{int(memory * 1024)}Ki"}})
        return {**self._header(entry), "containers": usage} if usage else None

    def _used(self, uid: str, pod: Json) -> Iterator[tuple[str, float, float]]:
        """Yield the containers that run, with millicores and MiB in use."""
        began = {
            one["name"]: one["state"]["running"].get("startedAt", "")
            for one in pod["status"].get("containerStatuses", ())
            if "running" in one["state"]
        }
        for one in pod["spec"]["containers"]:
            if one["name"] not in began:
                continue
            asked = one.get("resources", {}).get("requests", {})
            cpu, memory = millicores(asked.get("cpu", "20m")), mebibytes(asked.get("memory", "32Mi"))
            share = self._share(f"{uid}/{one['name']}")
            behaviour = self._behaviours.of(one["image"])
            hoarded = 0.0
            if behaviour.hoard:
                hoarded = behaviour.hoarded(self._slot() - parse_stamp(began[one["name"]]))
            yield one["name"], cpu * share * behaviour.appetite, memory * (0.5 + share / 2) + hoarded

    def _node(self, entry: Entry) -> Json | None:
        node = entry.look()
        ready = next((one["status"] for one in node["status"]["conditions"] if one["type"] == "Ready"), "True")
        if ready == "Unknown":
            return None
        size = node["status"]["capacity"]
        share = self._share(entry.uid) * 0.7
        most_cpu, most_memory = millicores(size["cpu"]), mebibytes(size["memory"])
        more_cpu, more_memory = self._taken(entry.name) if self._behaviours.greedy else (0.0, 0.0)
        cpu = int(min(0.97 * most_cpu, most_cpu * share + more_cpu))
        memory = int(min(0.97 * most_memory, most_memory * (0.3 + share / 2) + more_memory))
        return {**self._header(entry), "usage": {"cpu": f"{cpu}m", "memory": f"{memory}Mi"}}

    def _taken(self, node: str) -> tuple[float, float]:
        """Return the millicores and MiB that greedy pods use on a node."""
        cpu = memory = 0.0
        for entry in self._store.collection(resources.PODS).ordered():
            if entry.fields["spec.nodeName"] != node:
                continue
            pod = entry.look()
            if any(self._behaviours.of(one["image"]).appetite > 1 for one in pod["spec"]["containers"]):
                for _, cores, mebis in self._used(entry.uid, pod):
                    cpu, memory = cpu + cores, memory + mebis
        return cpu, memory

    def _header(self, entry: Entry) -> Json:
        moment = self._slot()
        metadata: Json = {"name": entry.name, "creationTimestamp": stamp(self._clock.now()), "labels": entry.labels}
        if entry.namespace:
            metadata["namespace"] = entry.namespace
        return {"metadata": metadata, "timestamp": stamp(moment), "window": f"{_WINDOW}s"}

    def _slot(self) -> int:
        return int(self._clock.now() // _WINDOW * _WINDOW)

    def _share(self, key: str) -> float:
        """Return 0.1 to 0.9 of what is requested, moving slowly and with a little noise."""
        base = zlib.crc32(key.encode()) / 0xFFFFFFFF
        wave = math.sin(self._slot() / 600 + base * 6.28)
        noise = zlib.crc32(f"{key}@{self._slot()}".encode()) / 0xFFFFFFFF
        return 0.5 + 0.25 * (base - 0.5) + 0.2 * wave + 0.075 * (noise - 0.5)


def _reply(body: Json) -> Reply:
    return Reply(200, encode(body), {"Content-Type": "application/json"})
