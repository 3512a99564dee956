"""Argo Rollouts on an estate: the custom resource and two workloads that are delivered by it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.rehearsal import resources
from services.rehearsal.clock import stamp
from services.rehearsal.columns.registry import register_custom
from services.rehearsal.simulation.behaviour import Behaviour
from services.rehearsal.simulation.rollouts import RolloutController

if TYPE_CHECKING:
    from services.rehearsal.estate.blueprint import Blueprint
    from services.rehearsal.jsonic import Json
    from services.rehearsal.simulation.kubelet import Kubelet
    from services.rehearsal.simulation.world import World

CANARY, BLUE_GREEN = "storefront", "receipts"
_COLUMNS = (
    ("Desired", "integer", ".spec.replicas"),
    ("Current", "integer", ".status.replicas"),
    ("Up-to-date", "integer", ".status.updatedReplicas"),
    ("Available", "integer", ".status.availableReplicas"),
    ("Age", "date", ".metadata.creationTimestamp"),
)


def furnish(world: World, kubelet: Kubelet, plan: Blueprint) -> None:
    """Serve Rollouts; create a canary of five pods and a blue-green workload of two in the first team's namespace."""
    resource = resources.ROLLOUTS
    world.store.add_resource(resource)
    world.controllers["Rollout"] = RolloutController(world, kubelet)
    definition = world.store.create(resources.DEFINITIONS, _definition(world.now))
    register_custom(resource, definition)
    namespace = next(iter(plan.teams))
    steps = [{"setWeight": 20}, {"pause": {}}, {"setWeight": 60}, {"pause": {"duration": "10s"}}]
    canary = {"canary": {"maxSurge": 1, "maxUnavailable": 0, "steps": steps}}
    switch = {"blueGreen": {"activeService": BLUE_GREEN, "autoPromotionEnabled": False, "scaleDownDelaySeconds": 30}}
    for name, replicas, strategy in ((CANARY, 5, canary), (BLUE_GREEN, 2, switch)):
        image = f"{plan.registry}/{namespace}/{name}"
        world.behaviours.habit(image, Behaviour(ready_after=5.0))
        world.behaviours.expect(f"{image}:v1.0.0", Behaviour(ready_after=5.0))
        world.behaviours.expect(f"{image}:v1.1.0", Behaviour(ready_after=5.0))
        world.store.create(resource, _rollout(namespace, name, replicas, strategy, f"{image}:v1.0.0"))


def _rollout(namespace: str, name: str, replicas: int, strategy: Json, image: str) -> Json:
    labels = {"app.kubernetes.io/name": name}
    container = {
        "name": name,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "resources": {"requests": {"cpu": "20m", "memory": "32Mi"}},
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
    }
    spec = {
        "containers": [container],
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 30,
        "dnsPolicy": "ClusterFirst",
        "securityContext": {},
        "schedulerName": "default-scheduler",
    }
    return {
        "metadata": {"name": name, "namespace": namespace, "generation": 1, "labels": labels},
        "spec": {
            "replicas": replicas,
            "revisionHistoryLimit": 10,
            "selector": {"matchLabels": labels},
            "strategy": strategy,
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
        "status": {},
    }


def _definition(now: float) -> Json:
    resource = resources.ROLLOUTS
    names = {
        "plural": resource.plural,
        "singular": resource.singular,
        "kind": resource.kind,
        "listKind": f"{resource.kind}List",
        "shortNames": list(resource.short),
    }
    columns = [{"name": name, "type": kind, "jsonPath": path} for name, kind, path in _COLUMNS]
    version = {
        "name": resource.version,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
        "subresources": {
            "scale": {
                "specReplicasPath": ".spec.replicas",
                "statusReplicasPath": ".status.HPAReplicas",
                "labelSelectorPath": ".status.selector",
            },
            "status": {},
        },
        "additionalPrinterColumns": columns,
    }
    established = {
        "type": "Established",
        "status": "True",
        "reason": "InitialNamesAccepted",
        "message": "the initial names have been accepted",
        "lastTransitionTime": stamp(now),
    }
    return {
        "metadata": {"name": f"{resource.plural}.{resource.group}"},
        "spec": {
            "group": resource.group,
            "names": names,
            "scope": "Namespaced",
            "conversion": {"strategy": "None"},
            "versions": [version],
        },
        "status": {"acceptedNames": names, "storedVersions": [resource.version], "conditions": [established]},
    }
