"""A canary whose traffic is shared out by a mesh and a load balancer: what the screen says is what they were told.

The controller writes the shares into their objects, and nobody need serve them: Istio's VirtualService, the
TrafficSplit of the Service Mesh Interface, and the action of an AWS load balancer in its Ingress, all of one Rollout.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from services.kubernetes.diagnosis import diagnose
from services.model.delivery import Delivery
from tests.contract.handed import as_json, eventually
from tests.contract.twins import IMAGE, Stage, rollout
from tests.contract.watched import apply
from tests.controlplane import manifests
from tests.controlplane.plane import ControlPlane
from tui.presenters.delivery import present_delivery
from tui.presenters.lens import Lens

KINDS = (
    ("networking.istio.io", "v1alpha3", "virtualservices", "VirtualService"),
    ("networking.istio.io", "v1alpha3", "destinationrules", "DestinationRule"),
    ("split.smi-spec.io", "v1alpha1", "trafficsplits", "TrafficSplit"),
)
STABLE, CANARY, EDGE = "front-stable", "front-canary", "front-edge"
STEPS: list[dict[str, Any]] = [
    {"setWeight": 20},
    {"pause": {}},
    {"experiment": {"templates": [{"name": "beside", "specRef": "canary", "weight": 10}]}},
    {"setWeight": 60},
    {"pause": {}},
]


@pytest.fixture(scope="module")
def routers(plane: ControlPlane) -> Iterator[None]:
    """The kinds that meshes are told by, without the meshes."""
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    made: dict[str, str] = {}
    for group, version, plural, kind in KINDS:
        served = {"name": version, "served": True, "storage": True, "schema": schema}
        names = {"plural": plural, "singular": kind.lower(), "kind": kind}
        spec = {"group": group, "scope": "Namespaced", "names": names, "versions": [served]}
        definition = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "spec": spec}
        made[f"crd/{plural}.{group}"] = json.dumps(definition | {"metadata": {"name": f"{plural}.{group}"}})
    plane.kubectl("apply", "-f", "-", stdin="\n---\n".join(made.values()))
    plane.kubectl("wait", "--for=condition=Established", *made, "--timeout=180s")
    yield
    plane.kubectl("delete", *made, "--wait=false")


async def make(stage: Stage, namespace: str, replicas: int = 5, **strategy: object) -> None:
    """Make a Rollout with all three, its Services, and the objects that two of them are written into."""
    for name in (STABLE, CANARY):
        service = manifests.service(namespace, name)
        service["spec"]["selector"] = {"app": "ours"}
        await apply(stage.plane, service)
    shares = [{"destination": {"host": STABLE}, "weight": 100}, {"destination": {"host": CANARY}, "weight": 0}]
    mesh = {
        "apiVersion": "networking.istio.io/v1alpha3",
        "kind": "VirtualService",
        "metadata": {"name": "front", "namespace": namespace},
        "spec": {"hosts": ["front"], "http": [{"name": "primary", "route": shares}]},
    }
    edge = manifests.ingress(namespace, STABLE)
    edge["metadata"]["name"] = EDGE
    backend = edge["spec"]["rules"][0]["http"]["paths"][0]["backend"]
    backend["service"]["port"] = {"name": "use-annotation"}
    edge["metadata"]["annotations"] = {"kubernetes.io/ingress.class": "alb"}
    routing = {
        "istio": {"virtualService": {"name": "front", "routes": ["primary"]}},
        "alb": {"ingress": EDGE, "servicePort": 80},
        "smi": {"trafficSplitName": "front"},
    }
    services = {"stableService": STABLE, "canaryService": CANARY}
    canary = {**services, "trafficRouting": routing, "steps": STEPS, "abortScaleDownDelaySeconds": 1, **strategy}
    await apply(stage.plane, mesh, edge, rollout(namespace, "ours", {"canary": canary}, replicas))


async def told(stage: Stage) -> list[dict[str, int]]:
    """Return what each of the three was told, by the names of Services in percent; an experiment's is "beside"."""
    mesh = await as_json(stage.plane, stage.namespace, "virtualservices.networking.istio.io", "front")
    edge = await as_json(stage.plane, stage.namespace, "ingresses.networking.k8s.io", EDGE)
    split = await as_json(stage.plane, stage.namespace, "trafficsplits.split.smi-spec.io", "front")
    action = json.loads(edge["metadata"]["annotations"][f"alb.ingress.kubernetes.io/actions.{STABLE}"])
    (route,) = mesh["spec"]["http"]
    found = [
        {one["destination"]["host"]: one.get("weight", 0) for one in route["route"]},
        {one["ServiceName"]: int(one["Weight"]) for one in action["ForwardConfig"]["TargetGroups"]},
        {one["service"]: int(one["weight"]) for one in split["spec"]["backends"]},
    ]
    return [{(name if name in (STABLE, CANARY) else "beside"): share for name, share in one.items()} for one in found]


async def shown(stage: Stage) -> tuple[Delivery, str]:
    """Return how a Rollout is delivered, and the line of its traffic on the screen."""
    workload = await stage.workload()
    assert workload.delivery is not None
    lines = present_delivery(diagnose(workload, (), (), 0.0), (), {}, Lens(0.0), "R")
    text = ["".join(span.text for span in line) for line in lines]
    return workload.delivery, "\n".join(one.partition("TRAFFIC")[2].strip() for one in text if "TRAFFIC" in one)


async def test_the_share_on_the_screen_is_what_a_mesh_and_a_load_balancer_were_told(
    stage: Stage, routers: None
) -> None:
    await make(stage, stage.namespace)
    await stage.until("ours", "Healthy")
    assert (await shown(stage))[1] == ""

    ended = await stage.run("set-image", image=f"{IMAGE}:2")
    assert "CanaryPauseStep, step 1/5, 20 %" in ended.text
    delivery, line = await shown(stage)
    assert (delivery.router, delivery.routed, delivery.besides) == ("istio, alb, smi", 20, 0)
    assert line == "istio, alb, smi gives the canary 20 %, the stable version 80 %"
    assert await told(stage) == [{STABLE: 80, CANARY: 20}] * 3

    # an experiment has its share of the stable version's
    await stage.run("promote")

    async def experimenting() -> bool:
        return (await shown(stage))[0].besides == 10

    await eventually(experimenting, "the experiment's share")
    assert (await shown(stage))[1].endswith("gives the canary 20 %, the stable version 70 %, experiments 10 %")
    assert await told(stage) == [{STABLE: 70, CANARY: 20, "beside": 10}] * 3
    await stage.run("promote")
    await stage.until("ours", "Paused - CanaryPauseStep", "step 4")
    assert (await shown(stage))[1].endswith("gives the canary 60 %, the stable version 40 %")
    assert await told(stage) == [{STABLE: 40, CANARY: 60}] * 3

    ended = await stage.run("abort")
    assert "the stable version serves everything" in ended.text or "revision 1 serves everything" in ended.text
    assert await told(stage) == [{STABLE: 100, CANARY: 0}] * 3
    assert (await shown(stage))[1].endswith("gives the canary 0 %, the stable version 100 %")
    await stage.run("rollback")
    await stage.until("ours", "Healthy")

    # a version that never comes up gets nothing, whatever its step asks for
    await stage.theirs("set", "image", "ours", f"ours={IMAGE}:bad-crash")
    await stage.until("ours", "Progressing", "step 0")
    delivery, line = await shown(stage)
    assert (delivery.routed, delivery.weight) == (0, 20)
    assert line.endswith("gives the canary 0 %, the stable version 100 %   the step asks for 20 %")
    assert await told(stage) == [{STABLE: 100, CANARY: 0}] * 3


async def test_a_way_back_is_over_when_nothing_goes_to_what_was_left(stage: Stage, routers: None) -> None:
    """Where the stable version shrinks as the canary grows, it has to grow first: the controller calls that Healthy."""
    steps = [{"setWeight": 80}, {"pause": {}}]
    await make(stage, stage.namespace, 10, steps=steps, dynamicStableScale=True, abortScaleDownDelaySeconds=None)
    await stage.until("ours", "Healthy")
    await stage.run("set-image", image=f"{IMAGE}:2")
    assert await told(stage) == [{STABLE: 20, CANARY: 80}] * 3
    await stage.run("rollback")
    assert await told(stage) == [{STABLE: 100, CANARY: 0}] * 3
    assert (await shown(stage))[1] == ""
