"""Events as controllers and kubelets write them: repeated ones are counted, old ones are forgotten after an hour."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from services.rehearsal import resources
from services.rehearsal.clock import stamp
from services.rehearsal.jsonic import Json

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.rehearsal.simulation.timeline import Timeline
    from services.rehearsal.store import Store

LIFE = 3600.0
_SWEEP = 60.0
EventType = Literal["Normal", "Warning"]


class Recorder:
    """Writes core/v1 events."""

    def __init__(self, store: Store, timeline: Timeline) -> None:
        self._store = store
        self._timeline = timeline
        self._known: dict[tuple[str, str, str, str], tuple[str, str, float]] = {}
        self._serial = 0
        self.rewrite: Callable[[str], str] = str
        """Applied to every message; hostile estates put nasty text in here."""

    def start(self) -> None:
        """Begin to forget old events."""
        self._timeline.after(_SWEEP, self._sweep)

    def write(
        self,
        resource: resources.Resource,
        obj: Json,
        kind: EventType,
        *,
        reason: str,
        message: str,
        component: str,
        host: str = "",
    ) -> None:
        """Record that something happened to an object."""
        metadata = obj["metadata"]
        namespace = metadata.get("namespace") or "default"
        key = (metadata["uid"], reason, message, component)
        known = self._known.get(key)
        if known is not None and self._repeat(known, key):
            return
        self._serial += 1
        now = self._timeline.now
        name = f"{metadata['name']}.{int(now * 1000) * 1_000_000 + self._serial % 1_000_000:x}"
        involved: Json = {
            "kind": resource.kind,
            "namespace": metadata.get("namespace", ""),
            "name": metadata["name"],
            "uid": metadata["uid"],
            "apiVersion": resource.api_version,
            "resourceVersion": metadata["resourceVersion"],
        }
        if not involved["namespace"]:
            del involved["namespace"]
        source: Json = {"component": component, **({"host": host} if host else {})}
        moment = stamp(now)
        self._store.create(
            resources.EVENTS,
            {
                "metadata": {"name": name, "namespace": namespace, "managedFields": _managed(component, moment)},
                "involvedObject": involved,
                "reason": reason,
                "message": self.rewrite(message),
                "source": source,
                "firstTimestamp": moment,
                "lastTimestamp": moment,
                "count": 1,
                "type": kind,
                "eventTime": None,
                "reportingComponent": component,
                "reportingInstance": host,
            },
        )
        self._known[key] = (namespace, name, now)

    def _repeat(self, known: tuple[str, str, float], key: tuple[str, str, str, str]) -> bool:
        namespace, name, _ = known
        event = self._store.get(resources.EVENTS, namespace, name)
        if event is None:
            return False
        event["count"] += 1
        event["lastTimestamp"] = stamp(self._timeline.now)
        self._store.update(resources.EVENTS, event)
        self._known[key] = (namespace, name, self._timeline.now)
        return True

    def _sweep(self) -> None:
        horizon = self._timeline.now - LIFE
        for key, (namespace, name, last) in list(self._known.items()):
            if last < horizon:
                self._store.delete(resources.EVENTS, namespace, name)
                del self._known[key]
        self._timeline.after(_SWEEP, self._sweep)


def _managed(component: str, moment: str) -> list[Json]:
    fields: Json = {
        f"f:{name}": {}
        for name in (
            "count",
            "firstTimestamp",
            "involvedObject",
            "lastTimestamp",
            "message",
            "reason",
            "source",
            "type",
        )
    }
    return [
        {
            "manager": component,
            "operation": "Update",
            "apiVersion": "v1",
            "time": moment,
            "fieldsType": "FieldsV1",
            "fieldsV1": fields,
        }
    ]
