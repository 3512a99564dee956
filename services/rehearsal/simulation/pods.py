"""Pods as objects: how one is made from a template and how its status follows from its containers."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import TYPE_CHECKING

from services.rehearsal import fields
from services.rehearsal.clock import stamp
from services.rehearsal.estate.templates import suffix
from services.rehearsal.jsonic import Json
from services.rehearsal.simulation import managed

if TYPE_CHECKING:
    import random

    from services.rehearsal.store import Entry

_TOLERATIONS = [
    {"key": f"node.kubernetes.io/{key}", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
    for key in ("not-ready", "unreachable")
]
_PRIORITIES = {"system-node-critical": 2_000_001_000, "system-cluster-critical": 2_000_000_000}
_STATUS_FIELDS: Json = {
    "f:status": {
        "f:conditions": {
            f'k:{{"type":"{kind}"}}': {
                ".": {},
                **{f"f:{one}": {} for one in ("lastProbeTime", "lastTransitionTime", "status", "type")},
            }
            for kind in ("ContainersReady", "Initialized", "PodReadyToStartContainers", "Ready")
        },
        **{
            f"f:{one}": {}
            for one in ("containerStatuses", "hostIP", "hostIPs", "phase", "podIP", "podIPs", "startTime")
        },
    }
}


def owner_reference(api_version: str, kind: str, owner: Json) -> Json:
    """Return the controller reference to an owner."""
    return {
        "apiVersion": api_version,
        "kind": kind,
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def build(
    template: Json,
    namespace: str,
    name: str,
    *,
    owner: Json | None,
    extra_labels: dict[str, str],
    rng: random.Random,
    now: float,
) -> Json:
    """Return a new pod of a template, not yet on a node; `owner` is its controller reference."""
    spec = {**template["spec"]}
    volume = f"kube-api-access-{suffix(rng)}"
    mount = {"name": volume, "readOnly": True, "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}
    spec["containers"] = [{**one, "volumeMounts": [*one.get("volumeMounts", ()), mount]} for one in spec["containers"]]
    spec["volumes"] = [
        *spec.get("volumes", ()),
        {"name": volume, "projected": {"defaultMode": 420, "sources": _SOURCES}},
    ]
    spec["tolerations"] = [*spec.get("tolerations", ()), *_TOLERATIONS]
    spec.update(
        priority=_PRIORITIES.get(spec.get("priorityClassName", ""), 0),
        preemptionPolicy="PreemptLowerPriority",
        enableServiceLinks=True,
    )
    metadata: Json = {
        "name": name,
        "namespace": namespace,
        "generation": 1,
        "creationTimestamp": stamp(now),
        "labels": {**template["metadata"].get("labels", {}), **extra_labels},
        "annotations": {**template["metadata"].get("annotations", {})},
    }
    if owner is not None:
        metadata["generateName"] = name[: name.rindex("-") + 1] if "-" in name else f"{name}-"
        metadata["ownerReferences"] = [owner]
    metadata["managedFields"] = [
        managed.entry("kube-controller-manager", stamp(now), managed.template_fields(template), "v1"),
        managed.entry("kubelet", stamp(now), _STATUS_FIELDS, "v1", "status"),
    ]
    return {
        "metadata": metadata,
        "spec": spec,
        "status": {"phase": "Pending", "qosClass": "Burstable", "observedGeneration": 1},
    }


_SOURCES = [
    {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
    {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
    {
        "downwardAPI": {
            "items": [{"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}]
        }
    },
]


def set_condition(
    conditions: list[Json], kind: str, status: str, now: float, *, reason: str = "", message: str = ""
) -> None:
    """Set one condition; its transition time moves only when its status changes."""
    found = next((one for one in conditions if one["type"] == kind), None)
    if found is None:
        found = {"type": kind, "status": "", "lastProbeTime": None, "lastTransitionTime": "", "observedGeneration": 1}
        conditions.append(found)
    if found["status"] != status:
        found["status"] = status
        found["lastTransitionTime"] = stamp(now)
    for key, text in (("reason", reason), ("message", message)):
        if text:
            found[key] = text
        else:
            found.pop(key, None)


def container_status(container: Json, state: Json) -> Json:
    """Return the status of a container that has not run yet."""
    return {
        "name": container["name"],
        "image": container["image"],
        "imageID": "",
        "lastState": {},
        "ready": False,
        "restartCount": 0,
        "started": False,
        "state": state,
    }


@lru_cache(maxsize=8192)
def image_id(image: str) -> str:
    """Return the digest reference of an image."""
    return f"{image.rsplit(':', 1)[0]}@sha256:{hashlib.sha256(image.encode()).hexdigest()}"


def container_id(rng: random.Random) -> str:
    """Return a new container's id."""
    return f"containerd://{rng.getrandbits(256):064x}"


def start_containers(pod: Json, rng: random.Random, now: float) -> None:
    """Put every container that is not running into the running state."""
    for status in pod["status"]["containerStatuses"]:
        if "running" not in status["state"]:
            run_container(status, rng, now)


def run_container(status: Json, rng: random.Random, now: float) -> None:
    """Put one container into the running state."""
    status["state"] = {"running": {"startedAt": stamp(now)}}
    status["imageID"] = image_id(status["image"])
    status["containerID"] = container_id(rng)
    status["started"] = True
    status["ready"] = False


def terminate(status: Json, exit_code: int, reason: str, now: float, message: str = "") -> Json:
    """Put a running container into the terminated state and return that state."""
    started = status["state"].get("running", {}).get("startedAt") or stamp(now)
    terminated: Json = {
        "exitCode": exit_code,
        "reason": reason,
        "startedAt": started,
        "finishedAt": stamp(now),
        "containerID": status.get("containerID", ""),
    }
    if message:
        terminated["message"] = message
    status["state"] = {"terminated": terminated}
    status["ready"] = False
    status["started"] = False
    return terminated


def refresh(pod: Json, now: float) -> None:
    """Work out phase and conditions from the containers."""
    status = pod["status"]
    statuses = status.get("containerStatuses", [])
    conditions = status.setdefault("conditions", [])
    _set_phase(pod, statuses)
    unready = [one["name"] for one in statuses if not one["ready"]]
    if status["phase"] == "Succeeded":
        reason, message = "PodCompleted", ""
    elif status["phase"] == "Failed":
        reason, message = "PodFailed", ""
    else:
        reason, message = "ContainersNotReady", f"containers with unready status: [{' '.join(unready)}]"
    for kind in ("Ready", "ContainersReady"):
        if unready:
            set_condition(conditions, kind, "False", now, reason=reason, message=message)
        else:
            set_condition(conditions, kind, "True", now)


def _set_phase(pod: Json, statuses: list[Json]) -> None:
    if not statuses:
        return
    states = [one["state"] for one in statuses]
    if pod["spec"]["restartPolicy"] != "Always" and all("terminated" in state for state in states):
        failed = any(state["terminated"]["exitCode"] for state in states)
        pod["status"]["phase"] = "Failed" if failed else "Succeeded"
    elif any("running" in one["state"] or "terminated" in one["state"] or one["lastState"] for one in statuses):
        pod["status"]["phase"] = "Running"
    else:
        pod["status"]["phase"] = "Pending"


def is_ready(pod: Json) -> bool:
    """Tell whether the pod's Ready condition is true."""
    return any(one["type"] == "Ready" and one["status"] == "True" for one in pod["status"].get("conditions", ()))


def is_active(pod: Json) -> bool:
    """Tell whether a pod counts for its controller: neither finished nor being deleted."""
    return pod["status"]["phase"] not in {"Succeeded", "Failed"} and "deletionTimestamp" not in pod["metadata"]


def counts(entry: Entry) -> bool:
    """Tell whether a stored pod counts for its controller, as `is_active` does, without decoding it."""
    return entry.fields["status.phase"] not in {"Succeeded", "Failed"} and not entry.fields[fields.LEAVING]


def ready_since(entry: Entry) -> str:
    """Return when a stored pod became ready, or an empty string while it is not."""
    return entry.fields[fields.READY_SINCE]
