"""Gives a canary its share of the traffic where a Rollout names nginx for it: in its status, and by an Ingress.

Source: argo-rollouts v1.10 rollout/trafficrouting/nginx.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.rehearsal import resources
from services.rehearsal.jsonic import clone
from services.rehearsal.simulation import pods

if TYPE_CHECKING:
    from services.rehearsal.jsonic import Json
    from services.rehearsal.simulation.world import World

_ANNOTATION = "nginx.ingress.kubernetes.io/canary"


def routed(rollout: Json) -> str:
    """Return the Ingress that the stable version of a Rollout is reached by, "" where no router is named."""
    canary = rollout["spec"]["strategy"].get("canary") or {}
    nginx = (canary.get("trafficRouting") or {}).get("nginx") or {}
    return str(nginx.get("stableIngress", ""))


def share(world: World, rollout: Json, weight: int, *, canary: str, stable: str) -> None:
    """Send `weight` percent to the canary: `canary` and `stable` are the hashes of the pod templates."""
    strategy = rollout["spec"]["strategy"]["canary"]
    rollout["status"].setdefault("canary", {})["weights"] = {
        "canary": {"podTemplateHash": canary, "serviceName": strategy["canaryService"], "weight": weight},
        "stable": {"podTemplateHash": stable, "serviceName": strategy["stableService"], "weight": 100 - weight},
    }
    namespace, name = rollout["metadata"]["namespace"], rollout["metadata"]["name"]
    beside = f"{name}-{routed(rollout)}-canary"
    annotations = {_ANNOTATION: "true", f"{_ANNOTATION}-weight": str(weight)}
    present = world.store.get(resources.INGRESSES, namespace, beside)
    if present is not None:
        present["metadata"]["annotations"] = annotations
        world.store.update(resources.INGRESSES, present)
        return
    front = world.store.get(resources.INGRESSES, namespace, routed(rollout))
    if front is None:
        return
    spec = clone(front["spec"])
    for rule in spec.get("rules", ()):
        for path in rule["http"]["paths"]:
            path["backend"]["service"]["name"] = strategy["canaryService"]
    owner = pods.owner_reference("argoproj.io/v1alpha1", "Rollout", rollout)
    metadata = {"name": beside, "namespace": namespace, "annotations": annotations, "ownerReferences": [owner]}
    world.store.create(resources.INGRESSES, {"metadata": metadata, "spec": spec, "status": {}})
