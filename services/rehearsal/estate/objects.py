"""The objects of an estate at rest, from its plan: namespaces, nodes and workloads' specs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.rehearsal.clock import micro_stamp, stamp
from services.rehearsal.estate import templates
from services.rehearsal.simulation import managed

if TYPE_CHECKING:
    from services.rehearsal.estate.blueprint import App, NodePlan, Release
    from services.rehearsal.jsonic import Json

KUBELET = "v1.36.3"
CAUSE = "kubernetes.io/change-cause"


def namespace(name: str, created: float, team: str = "") -> Json:
    """Return a namespace."""
    labels = {"kubernetes.io/metadata.name": name, **({"team": team} if team else {})}
    return {
        "metadata": {"name": name, "creationTimestamp": stamp(created), "labels": labels},
        "spec": {"finalizers": ["kubernetes"]},
        "status": {"phase": "Active"},
    }


def node(plan: NodePlan, created: float, now: float) -> Json:
    """Return a healthy node."""
    size = {
        "cpu": str(plan.cpu // 1000),
        "memory": f"{plan.memory * 1024}Ki",
        "pods": str(plan.pods),
        "ephemeral-storage": "104845292Ki",
    }
    allocatable = {**size, "cpu": f"{plan.cpu - 100}m", "memory": f"{(plan.memory - 1024) * 1024}Ki"}
    labels = {
        "kubernetes.io/hostname": plan.name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "node.kubernetes.io/instance-type": f"m7i.{plan.cpu // 4000 if plan.cpu > 4000 else ''}xlarge",
        "karpenter.sh/capacity-type": "spot" if plan.pool == "batch" else "on-demand",
        "topology.kubernetes.io/region": plan.zone[:-1],
        "topology.kubernetes.io/zone": plan.zone,
        "pool": plan.pool,
    }
    fields: Json = {"f:status": {"f:conditions": {}, "f:allocatable": {}, "f:capacity": {}}}
    return {
        "metadata": {
            "name": plan.name,
            "creationTimestamp": stamp(created),
            "labels": labels,
            "annotations": {"node.alpha.kubernetes.io/ttl": "0"},
            "managedFields": [managed.entry("kubelet", stamp(now), fields, "v1", "status")],
        },
        "spec": {"podCIDR": "10.244.0.0/24", "providerID": f"cloud:///{plan.zone}/i-{plan.name}"},
        "status": {
            "addresses": [
                {"type": "InternalIP", "address": plan.address},
                {"type": "Hostname", "address": plan.name},
            ],
            "capacity": size,
            "allocatable": allocatable,
            "conditions": node_conditions(created, now),
            "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
            "nodeInfo": _node_info(plan),
        },
    }


def node_conditions(since: float, heartbeat: float) -> list[Json]:
    """Return the conditions of a healthy node."""
    rows = (
        ("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
        ("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
        ("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
        ("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
    )
    return [
        {
            "type": kind,
            "status": status,
            "lastHeartbeatTime": stamp(heartbeat),
            "lastTransitionTime": stamp(since),
            "reason": reason,
            "message": message,
        }
        for kind, status, reason, message in rows
    ]


def _node_info(plan: NodePlan) -> Json:
    return {
        "architecture": "amd64",
        "bootID": f"boot-{plan.name}",
        "containerRuntimeVersion": "containerd://2.2.1",
        "kernelVersion": "6.12.41-cloud-amd64",
        "kubeProxyVersion": "",
        "kubeletVersion": KUBELET,
        "machineID": plan.name,
        "operatingSystem": "linux",
        "osImage": "Debian GNU/Linux 13 (trixie)",
        "systemUUID": f"uuid-{plan.name}",
    }


def lease(node_name: str, created: float, now: float, uid: str) -> Json:
    """Return the heartbeat lease of a node."""
    owner = {"apiVersion": "v1", "kind": "Node", "name": node_name, "uid": uid}
    return {
        "metadata": {
            "name": node_name,
            "namespace": "kube-node-lease",
            "creationTimestamp": stamp(created),
            "ownerReferences": [owner],
        },
        "spec": {"holderIdentity": node_name, "leaseDurationSeconds": 40, "renewTime": micro_stamp(now)},
    }


def _metadata(app: App, release: Release, started: float, api_version: str, template: Json) -> Json:
    fields = {
        "f:metadata": {"f:labels": {}, "f:annotations": {}},
        "f:spec": {"f:template": managed.template_fields(template)},
    }
    moment = stamp(started - release.age)
    return {
        "name": app.name,
        "namespace": app.namespace,
        "generation": len(app.releases) + app.releases[0].revision,
        "creationTimestamp": stamp(started - app.releases[0].age),
        "labels": templates.labels(app),
        "annotations": {CAUSE: release.cause},
        "managedFields": [
            managed.entry(release.actor, moment, fields, api_version),
            managed.entry("kube-controller-manager", moment, {"f:status": {"f:conditions": {}}}, api_version, "status"),
        ],
    }


def deployment(app: App, release: Release, started: float) -> Json:
    """Return a Deployment as it stood after one of its releases; `started` is when the estate begins."""
    template = templates.template(app, app.image_of(release.tag))
    strategy: Json = {"type": "Recreate"}
    if not app.recreate:
        rolling = {"maxSurge": app.max_surge, "maxUnavailable": app.max_unavailable}
        strategy = {"type": "RollingUpdate", "rollingUpdate": rolling}
    return {
        "metadata": _metadata(app, release, started, "apps/v1", template),
        "spec": {
            "replicas": app.replicas,
            "selector": {"matchLabels": templates.selector(app)},
            "template": template,
            "strategy": strategy,
            "revisionHistoryLimit": 10,
            "progressDeadlineSeconds": app.deadline,
        },
        "status": {},
    }


def stateful_set(app: App, release: Release, started: float) -> Json:
    """Return a StatefulSet as it stood after one of its releases."""
    template = templates.template(app, app.image_of(release.tag))
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data"},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "20Gi"}},
            "storageClassName": "fast",
            "volumeMode": "Filesystem",
        },
        "status": {"phase": "Pending"},
    }
    return {
        "metadata": _metadata(app, release, started, "apps/v1", template),
        "spec": {
            "replicas": app.replicas,
            "selector": {"matchLabels": templates.selector(app)},
            "template": template,
            "serviceName": app.name,
            "podManagementPolicy": "OrderedReady",
            "revisionHistoryLimit": 10,
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}},
            "volumeClaimTemplates": [claim],
            "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"},
        },
        "status": {},
    }


def daemon_set(app: App, release: Release, started: float) -> Json:
    """Return a DaemonSet as it stood after one of its releases."""
    template = templates.template(app, app.image_of(release.tag))
    metadata = _metadata(app, release, started, "apps/v1", template)
    metadata["annotations"]["deprecated.daemonset.template.generation"] = str(metadata["generation"])
    return {
        "metadata": metadata,
        "spec": {
            "selector": {"matchLabels": templates.selector(app)},
            "template": template,
            "revisionHistoryLimit": 10,
            "updateStrategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxUnavailable": app.max_unavailable, "maxSurge": 0},
            },
        },
        "status": {},
    }


def cron_job(app: App, release: Release, started: float) -> Json:
    """Return a CronJob."""
    template = templates.template(app, app.image_of(release.tag))
    job = {
        "metadata": {"labels": templates.labels(app)},
        "spec": {
            "backoffLimit": 2,
            "completions": 1,
            "parallelism": 1,
            "completionMode": "NonIndexed",
            "manualSelector": False,
            "podReplacementPolicy": "TerminatingOrFailed",
            "suspend": False,
            "template": template,
        },
    }
    return {
        "metadata": _metadata(app, release, started, "batch/v1", template),
        "spec": {
            "schedule": app.schedule,
            "concurrencyPolicy": "Forbid",
            "suspend": False,
            "successfulJobsHistoryLimit": 2,
            "failedJobsHistoryLimit": 1,
            "jobTemplate": job,
        },
        "status": {},
    }
