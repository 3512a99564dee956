"""Which fields of each resource a field selector may name, and their values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from services.rehearsal import resources

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.rehearsal.jsonic import Json

_PATHS: dict[str, tuple[str, ...]] = {
    resources.PODS.key: (
        "spec.nodeName",
        "status.phase",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "spec.hostNetwork",
        "status.podIP",
        "status.nominatedNodeName",
    ),
    resources.EVENTS.key: (
        "involvedObject.kind",
        "involvedObject.namespace",
        "involvedObject.name",
        "involvedObject.uid",
        "involvedObject.apiVersion",
        "involvedObject.resourceVersion",
        "involvedObject.fieldPath",
        "reason",
        "reportingComponent",
        "type",
    ),
    resources.NODES.key: ("spec.unschedulable",),
    resources.NAMESPACES.key: ("status.phase",),
    resources.SECRETS.key: ("type",),
    resources.REPLICA_SETS.key: ("status.replicas",),
    resources.JOBS.key: ("status.successful",),
}
READY_SINCE, LEAVING = ".readySince", ".leaving"
"""Kept beside the selectable fields of pods, so that controllers need not decode each pod; no selector names them."""
_RENAMED = {"status.successful": "status.succeeded"}
_DEFAULTS = {"spec.unschedulable": "false", "spec.hostNetwork": "false", "status.successful": "0"}


def stored_label(resource: resources.Resource, label: str) -> str:
    """Return the label under which a selectable field is kept: newer events name the fields of core events anew."""
    if resource is not resources.EVENTS_V1:
        return label
    if label == "reportingController":
        return "reportingComponent"
    return label.replace("regarding.", "involvedObject.", 1) if label.startswith("regarding.") else label


def supported(resource: resources.Resource) -> frozenset[str]:
    """Return the field labels that a selector on this resource may name."""
    common = ("metadata.name", "metadata.namespace") if resource.namespaced else ("metadata.name",)
    paths = _PATHS.get(resource.key, ())
    extra = ("source",) if resource is resources.EVENTS else ()
    if resource is resources.EVENTS_V1:
        kept = _PATHS[resources.EVENTS.key]
        paths = ("reportingController", *(one.replace("involvedObject", "regarding") for one in kept))
    return frozenset((*common, *paths, *extra))


def has_own(resource: resources.Resource) -> bool:
    """Tell whether a resource has selectable fields beside name and namespace."""
    return resource.key in _PATHS or resource is resources.EVENTS_V1


def extractor(resource: resources.Resource) -> Callable[[Json], dict[str, str]]:
    """Return a function from an object to the values of its selectable fields, beside name and namespace."""
    paths = [
        (label, _RENAMED.get(label, label).split("."), _DEFAULTS.get(label, ""))
        for label in _PATHS.get(resource.key, ())
    ]

    def extract(obj: Json) -> dict[str, str]:
        values = {label: _dig(obj, path, default) for label, path, default in paths}
        if resource is resources.PODS:
            values[READY_SINCE], values[LEAVING] = _ready_since(obj), obj["metadata"].get("deletionTimestamp", "")
        if resource is resources.EVENTS:
            values["source"] = obj.get("source", {}).get("component", "") or obj.get("reportingComponent", "")
        return values

    return extract if paths else _nothing


def _ready_since(pod: Json) -> str:
    for one in pod["status"].get("conditions", ()) if "status" in pod else ():
        if one["type"] == "Ready" and one["status"] == "True":
            return str(one["lastTransitionTime"])
    return ""


def _nothing(_: Json) -> dict[str, str]:
    return {}


def _dig(obj: Json, path: list[str], default: str) -> str:
    value: Any = obj
    for step in path:
        if not isinstance(value, dict) or step not in value:
            return default
        value = value[step]
    if isinstance(value, bool):
        return "true" if value else "false"
    return default if value is None else str(value)
