"""Reads a workload's revisions out of its ReplicaSets or ControllerRevisions, and says how two of them differ.

Source: kubectl pkg/polymorphichelpers/history.go, pkg/util/deployment.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from services.kubernetes.wire import epoch
from services.kubernetes.yamltext import MASK
from services.model.workload import Revision

REVISION = "deployment.kubernetes.io/revision"
HISTORY = "deployment.kubernetes.io/revision-history"
DELIVERED = "rollout.argoproj.io/revision"
DELIVERED_BEFORE = "rollout.argoproj.io/revision-history"
CAUSE = "kubernetes.io/change-cause"
HASH = "pod-template-hash"
HASHES = (HASH, "rollouts-pod-template-hash")
"""The labels by which controllers tell the pods of two templates apart: the Deployment's, the Rollout's."""

HELD_BY_REPLICASETS = ("Deployment", "Rollout")
INFERRED = "inferred"
"""The mark of a revision that the cluster alone shows to have been good."""

NAMED = ("name", "containerPort", "mountPath", "key", "ip", "topologyKey")
"""Fields by which list entries are matched, first that fits: containers and variables by their name."""

_SECRET_NAME = re.compile(r"token|secret|passw|pwd|key|credential|dsn|auth", re.IGNORECASE)


class TemplateChange(Struct, frozen=True):
    """One field that differs; "" where it is missing on that side."""

    path: str
    old: str
    new: str


def revisions(workload_raw: bytes, items_raw: bytes, kind: str) -> list[Revision]:
    """Return the revisions, newest first.

    `workload_raw` is the workload's JSON, `items_raw` a List of ReplicaSets (Deployment, Rollout) or of
    ControllerRevisions (StatefulSet, DaemonSet); what another controller owns is left out. Raises msgspec.DecodeError.
    """
    workload = _object(msgspec.json.decode(workload_raw))
    uid = _at(workload, "metadata", "uid")
    items = [_object(item) for item in _list(_object(msgspec.json.decode(items_raw)).get("items"))]
    owned = [item for item in items if _owner(item) == uid]
    held = kind in HELD_BY_REPLICASETS
    found = [_replicaset(item, workload) for item in owned] if held else _controlled(owned, workload)
    found = [one for one in found if one.number > 0]
    return sorted(found, key=lambda one: one.number, reverse=True)


def _replicaset(item: dict[str, Any], workload: dict[str, Any]) -> Revision:
    meta, status = _object(item.get("metadata")), _object(item.get("status"))
    annotations = _object(meta.get("annotations"))
    number = _number(annotations.get(REVISION, annotations.get(DELIVERED)))
    template = _object(_at(item, "spec", "template"))
    labels = _object(_at(template, "metadata", "labels"))
    for name in HASHES:
        labels.pop(name, None)
    marks = _object(_at(workload, "metadata", "annotations"))
    current = number == _number(marks.get(REVISION, marks.get(DELIVERED)))
    ready = int(status.get("readyReplicas") or 0)
    return Revision(
        number,
        str(meta.get("name") or ""),
        str(meta.get("uid") or ""),
        _images(template),
        epoch(meta.get("creationTimestamp")),
        current,
        str(annotations.get(CAUSE) or ""),
        _writer(workload if current else item),
        str(annotations.get(HISTORY) or annotations.get(DELIVERED_BEFORE) or ""),
        ready,
        int(_at(item, "spec", "replicas") or 0),
        "" if current else _inferred(item, ready, str(_at(workload, "status", "stableRS") or "")),
        msgspec.json.encode(template, order="sorted"),
    )


def _inferred(item: dict[str, Any], ready: int, stable: str) -> str:
    """Return "inferred" for an old ReplicaSet that the cluster itself shows to have been good.

    One that still has ready pods serves now. One that was rolled back to has been chosen by somebody as good: its
    number moved on. Of a Rollout's it is the `stable` one alone (its pod template hash): what was given up on the way
    may have pods too.
    """
    if stable:
        return INFERRED if _at(item, "metadata", "labels", HASHES[1]) == stable else ""
    chosen = _object(_at(item, "metadata", "annotations")).get(HISTORY)
    return INFERRED if ready or chosen else ""


def _controlled(items: list[dict[str, Any]], workload: dict[str, Any]) -> list[Revision]:
    """Return the revisions of a StatefulSet or DaemonSet.

    A StatefulSet names as current the last revision that was rolled out to its end, until the next one is.
    """
    newest = max((_number(item.get("revision")) for item in items), default=0)
    status = _object(workload.get("status"))
    names = {status.get("updateRevision"), status.get("currentRevision")} - {None}
    live = _object(_at(workload, "spec", "template"))
    found = []
    for item in items:
        meta = _object(item.get("metadata"))
        number = _number(item.get("revision"))
        current = meta.get("name") == status.get("updateRevision") if names else number == newest
        template = _object(_at(item, "data", "spec", "template")) or live
        template.pop("$patch", None)
        found.append(
            Revision(
                number,
                str(meta.get("name") or ""),
                str(meta.get("uid") or ""),
                _images(template),
                epoch(meta.get("creationTimestamp")),
                current,
                str(_object(meta.get("annotations")).get(CAUSE) or ""),
                _writer(workload) if current else "",
                "",
                int(status.get("readyReplicas") or status.get("numberReady") or 0) if current else 0,
                _wanted(workload) if current else 0,
                INFERRED if not current and meta.get("name") == status.get("currentRevision") else "",
                msgspec.json.encode(template, order="sorted"),
            )
        )
    return found


def _wanted(workload: dict[str, Any]) -> int:
    scheduled = _at(workload, "status", "desiredNumberScheduled")
    return int(scheduled if scheduled is not None else _at(workload, "spec", "replicas") or 0)


def _writer(item: dict[str, Any]) -> str:
    """Return who last wrote the pod template, from managedFields; controllers are nobody."""
    latest, who = "", ""
    for entry in _list(_at(item, "metadata", "managedFields")):
        fields = _object(_object(entry).get("fieldsV1"))
        if "f:template" in _object(fields.get("f:spec")):
            at, manager = str(_object(entry).get("time") or ""), str(_object(entry).get("manager") or "")
            if at >= latest and manager != "kube-controller-manager":
                latest, who = at, manager
    return who


def diff_templates(old: bytes, new: bytes) -> list[TemplateChange]:
    """Return the fields in which two pod templates differ; values of variables that look secret are masked."""
    before = _flat(msgspec.json.decode(old)) if old else {}
    after = _flat(msgspec.json.decode(new)) if new else {}
    paths = [*before, *(path for path in after if path not in before)]
    return [
        TemplateChange(path, before.get(path, ""), after.get(path, ""))
        for path in paths
        if before.get(path) != after.get(path)
    ]


def _flat(value: object, path: str = "", secret: bool = False) -> dict[str, str]:
    return dict(_leaves(value, path, secret))


def _leaves(value: object, path: str, secret: bool) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        hidden = secret or ("value" in value and _SECRET_NAME.search(str(value.get("name", ""))) is not None)
        for key, inner in value.items():
            step = f"[{key}]" if "." in key or "/" in key else key
            joined = f"{path}.{step}" if path and not step.startswith("[") else f"{path}{step}"
            yield from _leaves(inner, joined, hidden and key == "value")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _leaves(inner, f"{path}[{_label(inner, index)}]", secret)
    else:
        yield path, _masked(value) if secret else _text(value)


def _label(entry: object, index: int) -> str:
    if isinstance(entry, Mapping):
        for name in NAMED:
            if name in entry:
                return str(entry[name])
    return str(index)


def _masked(value: object) -> str:
    """Return a mask that differs when the value does, without telling the value."""
    return f"{MASK} (#{hashlib.sha256(_text(value).encode()).hexdigest()[:6]})"


def _text(value: object) -> str:
    if value is None:
        return "null"
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _images(template: dict[str, Any]) -> tuple[str, ...]:
    containers = _list(_at(template, "spec", "containers"))
    return tuple(str(_object(one).get("image") or "") for one in containers)


def _owner(item: dict[str, Any]) -> object:
    for reference in _list(_at(item, "metadata", "ownerReferences")):
        if _object(reference).get("controller"):
            return _object(reference).get("uid")
    return None


def _number(value: object) -> int:
    try:
        return int(str(value))
    except ValueError:
        return 0


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _at(value: object, *path: str) -> Any:  # noqa: ANN401 - JSON
    for step in path:
        value = _object(value).get(step)
    return value
