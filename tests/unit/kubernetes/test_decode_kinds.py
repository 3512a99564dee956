"""What each kind's row says, field by field, from the JSON a server sends."""

from __future__ import annotations

import json
from typing import Any

import pytest

from services.kubernetes.decode import Undecodable, decode_list
from services.kubernetes.decode_tables import (
    decode_discovery,
    decode_resource_list,
    decode_table,
    decode_table_event,
)
from services.model.ref import Resource
from services.model.severity import Severity
from services.model.workload import Owner

AT = "2026-01-01T00:00:00Z"
EPOCH = 1_767_225_600.0
INGRESS = Resource("networking.k8s.io", "v1", "ingresses", "Ingress")


def read(table: str, spec: Any = None, status: Any = None, **meta: Any) -> Any:
    top = meta.pop("top", {})
    item = {
        "metadata": {"name": "a", "namespace": "shop", "creationTimestamp": AT, **meta},
        **({"spec": spec} if spec is not None else {}),
        **({"status": status} if status is not None else {}),
        **top,
    }
    page = decode_list(table, json.dumps({"metadata": {}, "items": [item]}).encode(), "c")
    assert not page.quarantined
    (row,) = page.rows.values()
    return row


def template(*images: str) -> dict[str, Any]:
    return {"spec": {"containers": [{"name": "x", "image": image} for image in images]}}


def test_a_deployment() -> None:
    row = read(
        "deployments.apps",
        spec={
            "replicas": 5,
            "paused": True,
            "progressDeadlineSeconds": 600,
            "template": template("r/a:v1", "r/b:v2"),
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%"}},
            "selector": {
                "matchLabels": {"b": "2", "a": "1"},
                "matchExpressions": [
                    {"key": "tier", "operator": "In", "values": ["y", "x"]},
                    {"key": "env", "operator": "NotIn", "values": ["dev"]},
                    {"key": "on", "operator": "Exists"},
                    {"key": "off", "operator": "DoesNotExist"},
                ],
            },
        },
        status={
            "observedGeneration": 3,
            "replicas": 6,
            "readyReplicas": 4,
            "updatedReplicas": 2,
            "availableReplicas": 3,
            "terminatingReplicas": 1,
            "conditions": [
                {
                    "type": "Progressing",
                    "status": "True",
                    "reason": "ReplicaSetUpdated",
                    "lastTransitionTime": AT,
                    "lastUpdateTime": "2026-01-01T00:01:00Z",
                }
            ],
        },
        generation=4,
        labels={"app": "cart"},
        annotations={"deployment.kubernetes.io/revision": "42", "kubernetes.io/change-cause": "why", "x": "y"},
        managedFields=[
            {"manager": "ci", "time": AT, "fieldsV1": {"f:spec": {"f:template": {}}}},
            {"manager": "hpa", "time": "2026-02-01T00:00:00Z", "fieldsV1": {"f:spec": {"f:replicas": {}}}},
            {"manager": "kcm", "subresource": "status", "time": AT, "fieldsV1": {"f:status": {"f:template": {}}}},
        ],
    )
    assert (row.spec_replicas, row.desired, row.replicas, row.ready, row.updated, row.available) == (5, 5, 6, 4, 2, 3)
    assert (row.generation, row.observed_generation, row.revision, row.change_cause) == (4, 3, "42", "why")
    assert (row.images, row.paused, row.partition, row.terminating) == (("r/a:v1", "r/b:v2"), True, 0, 1)
    assert row.selector == "a=1,b=2,tier in (x,y),env notin (dev),on,!off"
    assert (row.changed_by, row.changed_at, row.created_at) == ("ci", EPOCH, EPOCH)
    assert row.scaled_by == "hpa"
    (condition,) = row.conditions
    assert (condition.changed_at, condition.updated_at, condition.reason) == (EPOCH, EPOCH + 60, "ReplicaSetUpdated")
    assert row.labels == ("app=cart",)


def test_unset_replicas_count_as_one() -> None:
    row = read("deployments.apps", spec={})
    assert (row.spec_replicas, row.desired, row.partition) == (None, 1, None)


def test_a_statefulset_and_a_daemonset() -> None:
    sts = read(
        "statefulsets.apps",
        spec={"replicas": 3, "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}},
        status={"currentRevision": "a", "updateRevision": "b", "currentReplicas": 2},
    )
    assert (sts.partition, sts.current_revision, sts.update_revision, sts.current) == (2, "a", "b", 2)
    counts = {"desiredNumberScheduled": 4, "currentNumberScheduled": 3, "updatedNumberScheduled": 2}
    daemon = read(
        "daemonsets.apps",
        spec={"updateStrategy": {"type": "OnDelete"}},
        status={**counts, "numberAvailable": 1, "numberReady": 1},
        annotations={"deprecated.daemonset.template.generation": "7"},
    )
    assert (daemon.desired, daemon.replicas, daemon.updated, daemon.available, daemon.ready) == (4, 3, 2, 1, 1)
    assert (daemon.strategy, daemon.revision, daemon.spec_replicas) == ("OnDelete", "7", None)


def test_a_replicaset_is_a_revision() -> None:
    row = read(
        "replicasets.apps",
        spec={"replicas": 0, "template": template("r/a:v1")},
        ownerReferences=[
            {"kind": "X", "name": "n", "uid": "n"},
            {"kind": "Deployment", "name": "d", "uid": "u", "controller": True},
        ],
        annotations={"deployment.kubernetes.io/revision": "6", "deployment.kubernetes.io/revision-history": "3,5"},
        labels={"pod-template-hash": "abc", "app": "a"},
    )
    assert (row.owner, row.revision, row.revision_history) == (Owner("Deployment", "d", "u"), 6, "3,5")
    assert (row.desired, row.images, row.template_hash) == (0, ("r/a:v1",), "abc")
    assert read("replicasets.apps", annotations={"deployment.kubernetes.io/revision": "x"}).revision == 0


@pytest.mark.parametrize(
    ("ready", "more", "cordoned", "status", "severity"),
    [
        ("True", [], False, "Ready", Severity.OK),
        ("True", [], True, "Ready,SchedulingDisabled", Severity.NOTICE),
        ("True", [{"type": "DiskPressure", "status": "True"}], False, "Ready", Severity.WARN),
        ("Unknown", [], False, "NotReady", Severity.CRIT),
        ("", [], False, "Unknown", Severity.CRIT),
    ],
)
def test_a_node(ready: str, more: list[Any], cordoned: bool, status: str, severity: Severity) -> None:
    conditions = ([{"type": "Ready", "status": ready, "lastHeartbeatTime": AT}] if ready else []) + more
    row = read(
        "nodes",
        spec={"unschedulable": cordoned, "taints": [{"key": "k", "value": "v", "effect": "NoSchedule"}]},
        status={
            "conditions": conditions,
            "addresses": [{"type": "InternalIP", "address": "10.0.0.1"}],
            "nodeInfo": {"kubeletVersion": "v1.36.3"},
            "allocatable": {"cpu": "3920m", "memory": "1Gi", "pods": "110"},
        },
        labels={"node-role.kubernetes.io/worker": "", "node-role.kubernetes.io/control-plane": "", "x": "y"},
    )
    assert (row.status, row.severity, row.roles) == (status, severity, "control-plane,worker")
    assert (row.version, row.internal_ip, row.taints) == ("v1.36.3", "10.0.0.1", ("k=v:NoSchedule",))
    assert (row.cpu_allocatable, row.memory_allocatable, row.pods_allocatable) == (3920, 2**30, 110)


@pytest.mark.parametrize(
    ("condition", "deleting", "status", "severity"),
    [
        ("Complete", False, "Complete", Severity.OK),
        ("Failed", False, "Failed", Severity.WARN),
        ("Suspended", False, "Suspended", Severity.OK),
        ("FailureTarget", False, "FailureTarget", Severity.WARN),
        ("Suspended", True, "Terminating", Severity.OK),
        ("", False, "Running", Severity.OK),
    ],
)
def test_a_job(condition: str, deleting: bool, status: str, severity: Severity) -> None:
    conditions = [{"type": condition, "status": "True", "reason": "R", "lastTransitionTime": AT}] if condition else []
    more = {"deletionTimestamp": AT} if deleting else {}
    row = read("jobs.batch", spec={"template": template("r/a:1")}, status={"conditions": conditions}, **more)
    assert (row.status, row.severity, row.images) == (status, severity, ("r/a:1",))
    assert row.finished_at == (EPOCH if status in ("Complete", "Failed", "FailureTarget") else 0)


def test_a_cron_job() -> None:
    row = read(
        "cronjobs.batch",
        spec={"schedule": "* * * * *", "suspend": True, "jobTemplate": {"spec": {"template": template("r/a:1")}}},
        status={"active": [{}, {}], "lastScheduleTime": AT, "lastSuccessfulTime": AT},
    )
    assert (row.schedule, row.suspended, row.active, row.images) == ("* * * * *", True, 2, ("r/a:1",))
    assert (row.last_scheduled_at, row.last_succeeded_at) == (EPOCH, EPOCH)


def test_an_event_takes_its_times_from_where_they_are() -> None:
    about = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "namespace": "shop", "name": "x", "uid": "u"}
    old = read(
        "events",
        top={
            "involvedObject": about,
            "count": 4,
            "firstTimestamp": AT,
            "lastTimestamp": "2026-01-01T00:05:00Z",
            "message": " hi\n",
        },
    )
    assert (old.first_at, old.at, old.count, old.message) == (EPOCH, EPOCH + 300, 4, "hi")
    assert (old.about.group, old.about.kind, old.about.uid, old.about.cluster) == ("apps", "ReplicaSet", "u", "c")
    series = {"count": 9, "lastObservedTime": "2026-01-01T00:00:10.500000Z"}
    new = read(
        "events", top={"eventTime": "2026-01-01T00:00:00.000000Z", "series": series, "reportingComponent": "sched"}
    )
    assert (new.first_at, new.at, new.count, new.component) == (EPOCH, EPOCH + 10.5, 9, "sched")


def test_a_pods_requests_are_what_the_scheduler_counts() -> None:
    def container(cpu: str, memory: str, **more: Any) -> dict[str, Any]:
        return {"name": "x", "resources": {"requests": {"cpu": cpu, "memory": memory}}, **more}

    pod = read(
        "pods",
        spec={
            "containers": [
                container("100m", "64Mi"),
                {"name": "y", "resources": {"limits": {"cpu": 1, "memory": "1Gi"}}},
            ],
            "initContainers": [container("2", "1Mi"), container("50m", "10Mi", restartPolicy="Always")],
        },
    )
    assert (pod.cpu_request, pod.memory_request) == (2000, 2**30 + 74 * 2**20)
    assert (pod.cpu_limit, pod.memory_limit) == (1000, 2**30)


def row_of(*cells: Any, **meta: Any) -> dict[str, Any]:
    return {"cells": list(cells), "object": {"metadata": {"name": "web", "namespace": "shop", "uid": "u", **meta}}}


def test_a_table_of_any_kind() -> None:
    body = {
        "metadata": {"resourceVersion": "9", "continue": "more"},
        "columnDefinitions": [{"name": "Name", "type": "string", "priority": 0}, {"name": "Deep", "priority": 1}],
        "rows": [row_of("web", None, True, 3, 1.5, 2.0, {"a": [1]}, creationTimestamp=AT), {"cells": ["lost"]}],
    }
    table = decode_table(INGRESS, json.dumps(body).encode(), "c")
    assert [(column.name, column.type, column.priority) for column in table.info.columns] == [
        ("Name", "string", 0),
        ("Deep", "string", 1),
    ]
    assert (table.resource_version, table.continue_token) == ("9", "more")
    (row,) = table.rows.values()
    assert row.cells == ("web", "", "true", "3", "1.5", "2", '{"a":[1]}')
    assert (row.ref.kind, row.ref.key, row.ref.uid, row.created_at) == ("Ingress", "shop/web", "u", EPOCH)


def test_a_watch_of_any_kind() -> None:
    def line(kind: str, obj: Any) -> bytes:
        return json.dumps({"type": kind, "object": obj}).encode()

    event = decode_table_event(INGRESS, line("MODIFIED", {"rows": [row_of("web", resourceVersion="12")]}), "c")
    assert (event.type, event.key, event.obj.cells, event.resource_version) == ("MODIFIED", "shop/web", ("web",), "12")
    mark = decode_table_event(
        INGRESS, line("BOOKMARK", {"rows": [{"object": {"metadata": {"resourceVersion": "13"}}}]}), "c"
    )
    assert (mark.type, mark.resource_version) == ("BOOKMARK", "13")
    gone = decode_table_event(INGRESS, line("ERROR", {"code": 410, "message": "old"}), "c")
    assert (gone.status_code, gone.message) == (410, "old")
    with pytest.raises(Undecodable):
        decode_table_event(INGRESS, line("ADDED", {"rows": []}), "c")


def test_the_kinds_a_server_knows() -> None:
    resource = {
        "resource": "ingresses",
        "responseKind": {"kind": "Ingress"},
        "scope": "Namespaced",
        "shortNames": ["ing"],
    }
    versions = [{"version": "v1", "resources": [resource]}, {"version": "v1beta1", "resources": [resource]}]
    body = {"items": [{"metadata": {"name": "networking.k8s.io"}, "versions": versions}]}
    (found,) = decode_discovery(json.dumps(body).encode())
    assert (found.resource, found.short_names) == (INGRESS, ("ing",))
    old = {
        "groupVersion": "v1",
        "resources": [{"name": "nodes", "kind": "Node"}, {"name": "nodes/status", "kind": "Node"}],
    }
    (node,) = decode_resource_list(json.dumps(old).encode())
    assert (node.resource.group, node.resource.version, node.resource.namespaced) == ("", "v1", False)
