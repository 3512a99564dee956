"""What a bookmark carries beside its version: the zero values that the server's types write even when empty."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.rehearsal import resources

if TYPE_CHECKING:
    from services.rehearsal.jsonic import Json

_GENERATION = "deprecated.daemonset.template.generation"
_EMPTY: Json = {"spec": {}, "status": {}}
_TEMPLATE: Json = {"metadata": {}, "spec": {"containers": None}}
_SELECTED: Json = {"replicas": 0, "selector": None, "template": _TEMPLATE}
_NO_ADDRESS: Json = {"spec": {}, "status": {"loadBalancer": {}}}
_NAMES: Json = {"plural": "", "kind": ""}
_NODE_INFO = (
    "machineID",
    "systemUUID",
    "bootID",
    "kernelVersion",
    "osImage",
    "containerRuntimeVersion",
    "kubeletVersion",
    "kubeProxyVersion",
    "operatingSystem",
    "architecture",
)
_NODE_STATUS: Json = {
    "daemonEndpoints": {"kubeletEndpoint": {"Port": 0}},
    "nodeInfo": dict.fromkeys(_NODE_INFO, ""),
}
_EVENT: Json = {
    "involvedObject": {},
    "source": {},
    "firstTimestamp": None,
    "lastTimestamp": None,
    "eventTime": None,
    "reportingComponent": "",
    "reportingInstance": "",
}
_EVENT_V1: Json = {
    "eventTime": None,
    "regarding": {},
    "deprecatedSource": {},
    "deprecatedFirstTimestamp": None,
    "deprecatedLastTimestamp": None,
}
_DAEMON_COUNTS = ("currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled", "numberReady")
_BUDGET_COUNTS = ("disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods")

_ZERO: dict[str, Json] = {
    resources.NAMESPACES.key: _EMPTY,
    resources.NODES.key: {"spec": {}, "status": _NODE_STATUS},
    resources.PODS.key: {"spec": {"containers": None}, "status": {}},
    resources.EVENTS.key: _EVENT,
    resources.EVENTS_V1.key: _EVENT_V1,
    resources.SERVICES.key: _NO_ADDRESS,
    resources.CLAIMS.key: {"spec": {"resources": {}}, "status": {}},
    resources.QUOTAS.key: _EMPTY,
    resources.DEPLOYMENTS.key: {"spec": {**_SELECTED, "strategy": {}}, "status": {}},
    resources.REPLICA_SETS.key: {"spec": _SELECTED, "status": {"replicas": 0}},
    resources.STATEFUL_SETS.key: {
        "spec": {**_SELECTED, "serviceName": "", "updateStrategy": {}},
        "status": {"replicas": 0, "availableReplicas": 0},
    },
    resources.DAEMON_SETS.key: {
        "spec": {"selector": None, "template": _TEMPLATE, "updateStrategy": {}},
        "status": dict.fromkeys(_DAEMON_COUNTS, 0),
    },
    resources.CONTROLLER_REVISIONS.key: {"data": None, "revision": 0},
    resources.JOBS.key: {"spec": {"template": _TEMPLATE}, "status": {}},
    resources.CRON_JOBS.key: {
        "spec": {"schedule": "", "jobTemplate": {"metadata": {}, "spec": {"template": _TEMPLATE}}},
        "status": {},
    },
    resources.ENDPOINT_SLICES.key: {"addressType": "", "endpoints": None, "ports": None},
    resources.INGRESSES.key: _NO_ADDRESS,
    resources.AUTOSCALERS.key: {
        "spec": {"scaleTargetRef": {"kind": "", "name": ""}, "maxReplicas": 0},
        "status": {"desiredReplicas": 0, "currentMetrics": None},
    },
    resources.BUDGETS.key: {"spec": {}, "status": dict.fromkeys(_BUDGET_COUNTS, 0)},
    resources.LEASES.key: {"spec": {}},
    resources.DEFINITIONS.key: {
        "spec": {"group": "", "names": _NAMES, "scope": "", "versions": None},
        "status": {"conditions": None, "acceptedNames": _NAMES, "storedVersions": None},
    },
}


def bookmark_object(resource: resources.Resource, metadata: Json) -> Json:
    """Return the object of a bookmark, without kind and apiVersion."""
    if resource is resources.DAEMON_SETS:
        metadata = {**metadata, "annotations": {_GENERATION: "0", **metadata.get("annotations", {})}}
    return {"metadata": metadata, **_ZERO.get(resource.key, {})}
