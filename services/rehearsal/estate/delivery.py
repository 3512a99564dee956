"""Argo Rollouts on an estate: the custom resource, and workloads that are delivered by it in each way there is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.rehearsal import resources
from services.rehearsal.clock import stamp
from services.rehearsal.columns.registry import register_custom
from services.rehearsal.simulation.behaviour import Behaviour
from services.rehearsal.simulation.following import wake_followers
from services.rehearsal.simulation.rollouts import RolloutController

if TYPE_CHECKING:
    from services.rehearsal.estate.blueprint import Blueprint
    from services.rehearsal.jsonic import Json
    from services.rehearsal.simulation.kubelet import Kubelet
    from services.rehearsal.simulation.world import World

CANARY, BLUE_GREEN = "storefront", "receipts"
FOLLOWING, FOLLOWED = "catalogue", "catalogue-app"
"""A Rollout that takes its template from a Deployment, and that Deployment, which has no pods of its own."""

ROUTED = "landing"
"""A canary whose traffic nginx shares out."""
_COLUMNS = (
    ("Desired", "integer", ".spec.replicas"),
    ("Current", "integer", ".status.replicas"),
    ("Up-to-date", "integer", ".status.updatedReplicas"),
    ("Available", "integer", ".status.availableReplicas"),
    ("Age", "date", ".metadata.creationTimestamp"),
)


def furnish(world: World, kubelet: Kubelet, plan: Blueprint) -> None:
    """Serve Rollouts; create some in the first team's namespace.

    A canary of five pods, a blue-green workload of two, one that follows a Deployment, and one behind a router.
    """
    resource = resources.ROLLOUTS
    world.store.add_resource(resource)
    world.controllers["Rollout"] = RolloutController(world, kubelet)
    definition = world.store.create(resources.DEFINITIONS, _definition(world.now))
    register_custom(resource, definition)
    namespace = next(iter(plan.teams))
    steps = [{"setWeight": 20}, {"pause": {}}, {"setWeight": 60}, {"pause": {"duration": "10s"}}]
    canary = {"canary": {"maxSurge": 1, "maxUnavailable": 0, "steps": steps}}
    switch = {"blueGreen": {"activeService": BLUE_GREEN, "autoPromotionEnabled": False, "scaleDownDelaySeconds": 30}}
    routing = {"nginx": {"stableIngress": ROUTED}}
    routed = {"canaryService": f"{ROUTED}-canary", "stableService": f"{ROUTED}-stable", "trafficRouting": routing}
    shared = {"canary": {**routed, "steps": steps}}
    _edge(world, namespace, plan.company)
    kinds = ((CANARY, 5, canary), (BLUE_GREEN, 2, switch), (FOLLOWING, 4, canary), (ROUTED, 4, shared))
    for name, replicas, strategy in kinds:
        image = f"{plan.registry}/{namespace}/{name}"
        world.behaviours.habit(image, Behaviour(ready_after=5.0))
        world.behaviours.expect(f"{image}:v1.0.0", Behaviour(ready_after=5.0))
        world.behaviours.expect(f"{image}:v1.1.0", Behaviour(ready_after=5.0))
        made = _rollout(namespace, name, replicas, strategy, f"{image}:v1.0.0")
        if name == FOLLOWING:
            world.store.create(resources.DEPLOYMENTS, _followed(made))
            world.enqueue("Deployment", namespace, FOLLOWED)
        world.store.create(resource, made)
    wake_followers(world)


def _followed(rollout: Json) -> Json:
    """Move the template of a Rollout into a Deployment without pods, and return that."""
    spec = rollout["spec"]
    metadata = {key: rollout["metadata"][key] for key in ("namespace", "generation", "labels")} | {"name": FOLLOWED}
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}}
    made = {"template": spec.pop("template"), "selector": spec.pop("selector")}
    spec["workloadRef"] = {"apiVersion": "apps/v1", "kind": "Deployment", "name": FOLLOWED}
    made |= {"replicas": 0, "revisionHistoryLimit": 10, "progressDeadlineSeconds": 600, "strategy": strategy}
    return {"metadata": {**metadata, "annotations": {}}, "spec": made, "status": {}}


def _edge(world: World, namespace: str, company: str) -> None:
    """Create the Ingress that the routed canary is reached by, and the Services of both its versions."""
    labels = {"app.kubernetes.io/name": ROUTED}
    for role in ("stable", "canary"):
        ports = [{"name": "http", "port": 80, "targetPort": 8080, "protocol": "TCP"}]
        spec = {"type": "ClusterIP", "selector": labels, "ports": ports}
        metadata = {"name": f"{ROUTED}-{role}", "namespace": namespace, "labels": labels}
        world.store.create(resources.SERVICES, {"metadata": metadata, "spec": spec, "status": {"loadBalancer": {}}})
    backend = {"service": {"name": f"{ROUTED}-stable", "port": {"number": 80}}}
    paths = [{"path": "/", "pathType": "Prefix", "backend": backend}]
    rule = {"host": f"www.{company}.example", "http": {"paths": paths}}
    metadata = {"name": ROUTED, "namespace": namespace, "labels": labels}
    spec = {"ingressClassName": "nginx", "rules": [rule]}
    world.store.create(resources.INGRESSES, {"metadata": metadata, "spec": spec, "status": {"loadBalancer": {}}})


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
