"""What a template does not bring back: config that changed, schemas that migrated, pods that block a StatefulSet."""

from __future__ import annotations

from typing import Any

import pytest

from services.kubernetes.undo_risks import (
    ConfigChange,
    Reference,
    blocking_pods,
    changed_since,
    left_at,
    migrations,
    references,
)
from services.kubernetes.wire import epoch

T1, T2, T3 = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z"


def test_every_way_to_read_config_is_found_once() -> None:
    spec = {
        "volumes": [
            {"name": "a", "configMap": {"name": "files"}},
            {"name": "b", "secret": {"secretName": "certs"}},
            {"name": "c", "projected": {"sources": [{"configMap": {"name": "more"}}, {"secret": {"name": "keys"}}]}},
            {"name": "d", "emptyDir": {}},
        ],
        "initContainers": [{"name": "i", "envFrom": [{"secretRef": {"name": "init"}}]}],
        "containers": [
            {
                "name": "web",
                "envFrom": [{"configMapRef": {"name": "files"}}],
                "env": [
                    {"name": "A", "valueFrom": {"configMapKeyRef": {"name": "flags", "key": "a"}}},
                    {"name": "B", "valueFrom": {"secretKeyRef": {"name": "db", "key": "b"}}},
                    {"name": "C", "value": "plain"},
                ],
            }
        ],
    }
    found = {(one.kind, one.name) for one in references({"spec": spec})}
    assert found == {
        ("ConfigMap", "files"),
        ("ConfigMap", "more"),
        ("ConfigMap", "flags"),
        ("Secret", "certs"),
        ("Secret", "keys"),
        ("Secret", "init"),
        ("Secret", "db"),
    }


def test_config_that_was_written_after_the_revision_ran_is_told() -> None:
    def config(created: str, *times: tuple[str, str]) -> dict[str, Any]:
        fields = [{"time": time, "manager": who} for time, who in times]
        return {"metadata": {"creationTimestamp": created, "managedFields": fields}}

    gone, edited = Reference("Secret", "gone"), Reference("ConfigMap", "edited")
    found = {
        gone: None,
        edited: config(T1, (T1, "helm"), (T3, "bob")),
        Reference("ConfigMap", "old"): config(T1, (T1, "helm")),
        Reference("Secret", "anew"): config(T3),
    }
    assert changed_since(found, epoch(T2)) == (
        ConfigChange(edited, epoch(T3), "bob"),
        ConfigChange(Reference("Secret", "anew"), epoch(T3), ""),
        ConfigChange(gone),
    )
    # a release writes its config a moment before its workload: what was left half a minute later is still the older
    assert [one.reference for one in changed_since(found, epoch(T3) + 30)] == [
        edited,
        Reference("Secret", "anew"),
        gone,
    ]
    assert changed_since(found, epoch(T3) + 3600) == (ConfigChange(gone),)
    assert changed_since(found, 0.0) == (ConfigChange(gone),)  # nobody knows since when


ARGO = "rollout.argoproj.io"


def replicaset(
    number: int, created: str, was: str = "", moved: str = "", of: str = "deployment.kubernetes.io"
) -> dict[str, Any]:
    annotations = {f"{of}/revision": str(number)}
    annotations |= {f"{of}/revision-history": was} if was else {}
    owned = {"f:metadata": {"f:annotations": {f"f:{of}/revision": {}}}}
    fields = [{"time": moved, "fieldsV1": owned}, {"time": T1, "fieldsV1": {"f:spec": {}}}] if moved else []
    return {"metadata": {"creationTimestamp": created, "annotations": annotations, "managedFields": fields}}


@pytest.mark.parametrize(
    ("holders", "wanted"),
    [
        ([replicaset(1, T1), replicaset(2, T2), replicaset(3, T3)], T2),
        ([replicaset(1, T1)], ""),
        # number 4 was made first of all, and taken again last
        ([replicaset(1, T2), replicaset(4, T1, was="1", moved=T3)], T3),
        ([replicaset(1, T1, of=ARGO), replicaset(2, T2, of=ARGO)], T2),
        ([replicaset(1, T2, of=ARGO), replicaset(4, T1, was="1", moved=T3, of=ARGO)], T3),
        (
            [
                {"data": {}, "revision": 1, "metadata": {}},
                {"data": {}, "revision": 2, "metadata": {"creationTimestamp": T3}},
            ],
            T3,
        ),
    ],
)
def test_a_revision_ran_until_the_next_took_over(holders: list[Any], wanted: str) -> None:
    assert left_at(holders, 1) == (epoch(wanted) if wanted else 0.0)


def pod_spec(*init: dict[str, Any]) -> dict[str, Any]:
    return {"spec": {"initContainers": list(init), "containers": [{"name": "web", "image": "web:1"}]}}


@pytest.mark.parametrize(
    ("container", "suspected"),
    [
        ({"name": "migrate", "image": "web:2"}, True),
        ({"name": "init", "image": "web:2", "command": ["alembic", "upgrade", "head"]}, True),
        ({"name": "init", "image": "web:2", "args": ["rake", "db:migrate"]}, True),
        ({"name": "init", "image": "flyway/flyway:10"}, True),
        ({"name": "init", "image": "x", "args": ["bundle exec rake  db:version"]}, True),
        ({"name": "init", "image": "x", "command": ["npx", "prisma", "db", "push"]}, True),
        ({"name": "wait-for-db", "image": "busybox", "command": ["sh", "-c", "nc -z db 5432"]}, False),
        ({"name": "proxy", "image": "istio/init:1"}, False),
    ],
)
def test_init_containers_that_look_like_a_migration(container: dict[str, Any], suspected: bool) -> None:
    found = migrations(pod_spec(container), pod_spec())
    assert bool(found) is suspected
    assert not suspected or found[0].where == f"init container {container['name']}"
    assert migrations(pod_spec(container), pod_spec(container)) == ()  # both run it alike


def test_jobs_of_the_release_that_look_like_a_migration() -> None:
    def job(name: str, created: str, release: str, *args: str) -> dict[str, Any]:
        pod = {"spec": {"containers": [{"name": "job", "image": "web:2", "args": list(args)}]}}
        metadata = {"name": name, "creationTimestamp": created, "labels": {"app.kubernetes.io/instance": release}}
        return {"metadata": metadata, "spec": {"template": pod}}

    jobs = [
        job("web-db-migrate", T3, "web"),
        job("web-hook", T3, "web", "liquibase", "update"),
        job("report", T3, "web", "make", "report"),
        job("old-migrate", T1, "web"),
        job("other-migrate", T3, "other"),
    ]
    labels = {"app.kubernetes.io/instance": "web"}
    found = migrations(pod_spec(), pod_spec(), jobs, labels, epoch(T3))
    assert [one.where for one in found] == ["job web-db-migrate", "job web-hook"]


def statefulset(**changes: Any) -> dict[str, Any]:
    spec = {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}, **changes.pop("spec", {})}
    status = {"observedGeneration": 3, "updateRevision": "db-good", **changes.pop("status", {})}
    return {"metadata": {"uid": "s1", "generation": 3}, "spec": spec, "status": status}


def pod(ordinal: int, revision: str, ready: bool = False, owner: str = "s1", **metadata: Any) -> dict[str, Any]:
    about = {
        "name": f"db-{ordinal}",
        "labels": {"controller-revision-hash": revision},
        "ownerReferences": [{"uid": owner}],
        **metadata,
    }
    return {"metadata": about, "status": {"conditions": [{"type": "Ready", "status": str(ready)}]}}


BAD = [pod(0, "db-good", ready=True), pod(2, "db-bad"), pod(1, "db-bad")]


@pytest.mark.parametrize(
    ("set_", "pods", "wanted"),
    [
        (statefulset(), BAD, ["db-1", "db-2"]),
        (statefulset(), [pod(2, "db-bad", ready=True)], []),
        (statefulset(), [pod(2, "db-good")], []),
        (statefulset(), [pod(2, "db-bad", deletionTimestamp=T1)], []),
        (statefulset(), [pod(2, "db-bad", owner="other")], []),
        (statefulset(spec={"podManagementPolicy": "Parallel"}), BAD, []),
        (statefulset(spec={"podManagementPolicy": "OrderedReady"}), BAD, ["db-1", "db-2"]),
        (statefulset(spec={"updateStrategy": {"type": "OnDelete"}}), BAD, []),
        (statefulset(spec={"updateStrategy": {"rollingUpdate": {"partition": 2}}}), BAD, ["db-2"]),
        (statefulset(status={"observedGeneration": 2}), BAD, []),
    ],
)
def test_the_pods_that_block_an_ordered_stateful_set(set_: Any, pods: list[Any], wanted: list[str]) -> None:
    assert [one["metadata"]["name"] for one in blocking_pods(set_, pods)] == wanted


def test_before_the_roll_back_the_wanted_revision_is_named() -> None:
    unseen = statefulset(status={"observedGeneration": 2, "updateRevision": "db-bad"})
    assert [one["metadata"]["name"] for one in blocking_pods(unseen, BAD, "db-good")] == ["db-1", "db-2"]
