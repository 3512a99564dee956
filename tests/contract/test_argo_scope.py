"""A Rollout is scaled and given images; one that follows a Deployment is changed there: on the real controller."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.actions.registry import action
from services.actions.spec import Refused
from services.kubernetes.writing import WriteFault, WriteProblem
from services.model.action import Ended, Outcome, Progress
from services.model.action import Stage as Point
from services.model.ref import ARGO_ROLLOUTS, DEPLOYMENTS, REPLICASETS
from services.model.severity import Severity
from services.model.workload import Rollout
from services.ports import Snapshot
from tests.contract.consoles import operator
from tests.contract.handed import as_json
from tests.contract.twins import IMAGE, STEPS, TWINS, Stage, following, rollout
from tests.contract.watched import apply, kubectl, watched
from tests.controlplane import manifests
from tui.presenters.delivery import present_delivery, replicasets_of
from tui.presenters.lens import Lens


async def said_nothing(_progress: Progress) -> None:
    return


async def test_a_canary_is_scaled_and_given_an_image_as_kubectl_and_the_plugin_do_it(stage: Stage) -> None:
    await stage.make({"canary": {"steps": STEPS}})
    ended = await stage.run("set-image", image=f"{IMAGE}:2")
    assert f"delivers {IMAGE}:2: CanaryPauseStep, step 1/4, 20 %" in ended.text
    await stage.theirs("set", "image", "theirs", f"theirs={IMAGE}:2")
    await stage.both("Paused - CanaryPauseStep", "step 1")
    # in the middle of a delivery both versions are sized anew
    ended = await stage.run("scale", replicas="8")
    assert ended.text.endswith("has 8 replicas")
    scale = ("-n", stage.namespace, "scale", "rollouts.argoproj.io/theirs", "--replicas=8", "--current-replicas=5")
    await kubectl(stage.plane, *scale)
    await stage.both("Paused - CanaryPauseStep", "step 1")
    plan = await stage.plan("scale", replicas="4")
    assert any(one.label == "delivery" for one in plan.facts)
    with pytest.raises(Refused, match="Expected 5 replicas, and there are 8"):
        await stage.plan("scale", replicas="4", **{"from": "5"})
    # somebody scales in between: what was meant for 8 is not done to 6
    await kubectl(stage.plane, "-n", stage.namespace, "scale", "rollouts.argoproj.io/ours", "--replicas=6")
    with pytest.raises(WriteProblem) as problem:
        await action("scale").execute(plan, stage.hands, said_nothing)
    assert problem.value.kind is WriteFault.CHANGED
    await stage.run("scale", replicas="0")
    await stage.run("scale", replicas="3")
    # what scales by itself is said
    target = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": "ours"}
    scaler = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "front", "namespace": stage.namespace},
        "spec": {"scaleTargetRef": target, "minReplicas": 2, "maxReplicas": 9},
    }
    await apply(stage.plane, scaler)
    said = [one for one in (await stage.plan("scale", replicas="5")).facts if one.label == "scaler"]
    assert [(one.severity, one.text) for one in said] == [
        (Severity.WARN, "HPA front (2 to 9) sets the replicas and will undo this")
    ]
    with pytest.raises(Refused, match="has no container sidecar: it has ours"):
        await stage.plan("set-image", image=f"{IMAGE}:3", container="sidecar")


async def test_an_image_that_is_not_to_be_had_ends_the_watch_early(stage: Stage) -> None:
    made = rollout(stage.namespace, "ours", {"canary": {"steps": STEPS}}, 2)
    await apply(stage.plane, made)
    await stage.until("ours", "Healthy")
    doing, plan = action("set-image"), await stage.plan("set-image", image=f"{IMAGE}:bad-crash")
    await doing.execute(plan, stage.hands, said_nothing)
    ended = await doing.verify(plan, stage.hands, said_nothing)
    assert ended.outcome is Outcome.FAILED, ended.text
    assert "what was stable before still serves" in ended.text


async def test_a_rollout_that_follows_a_deployment_is_changed_there_as_the_plugin_does_it(stage: Stage) -> None:
    for name in TWINS:
        await apply(stage.plane, *following(stage.namespace, name, {"canary": {"steps": STEPS}}, 3))
    await stage.both("Healthy")
    plan = await stage.plan("set-image", image=f"{IMAGE}:2")
    assert [one.path for one in plan.writes] == [f"/apis/apps/v1/namespaces/{stage.namespace}/deployments/ours-app"]
    assert any(one.text == "deployment/ours-app, whose template it follows" for one in plan.facts)
    await stage.run("set-image", image=f"{IMAGE}:2")
    await stage.theirs("set", "image", "theirs", f"theirs={IMAGE}:2")
    await stage.both("Paused - CanaryPauseStep", "step 1")

    await stage.run("abort")
    await stage.theirs("abort", "theirs")
    await stage.both("Degraded - RolloutAborted")
    tables = ("rollouts.argoproj.io", "replicasets.apps", "deployments.apps", "statefulsets.apps", "daemonsets.apps")
    async with watched(stage.plane.kubeconfig(), *tables, namespaces=(stage.namespace,)) as looking:

        def row(snapshot: Snapshot) -> Rollout | None:
            found = snapshot.tables.get("rollouts", {}).get(f"Rollout/{stage.namespace}/ours")
            return found if isinstance(found, Rollout) else None

        seen = await looking.until(lambda seen: (found := row(seen)) and "aborted" in found.what, "the abort")
        found = row(seen)
        assert found is not None
        assert (found.workload.images, found.previous_images) == ((f"{IMAGE}:2",), (f"{IMAGE}:1",))
        lines = present_delivery(found, replicasets_of(seen, found.ref), {}, Lens(0.0), "R")
        text = "\n".join("".join(span.text for span in line) for line in lines)
        assert "template of deployment/ours-app" in text
        assert "undo to revision 1" in text

    plan = await stage.plan("rollback")
    assert plan.parameters["to"] == "1"
    assert plan.touches == 3
    await stage.run("rollback")
    await stage.theirs("undo", "theirs")
    await stage.both("Healthy", "step 4")
    assert (await stage.plan("rollback", to="2")).parameters["to"] == "2"

    await stage.run("restart")
    await stage.theirs("restart", "theirs")
    await stage.both("Healthy")
    await stage.run("scale", replicas="4")
    await kubectl(stage.plane, "-n", stage.namespace, "scale", "rollouts.argoproj.io/theirs", "--replicas=4")
    await stage.both("Healthy")
    # where the Deployment has pods of its own, they are replaced beside the steps: that is said
    await kubectl(stage.plane, "-n", stage.namespace, "scale", "deployment/ours-app", "--replicas=1")
    plan = await stage.plan("set-image", image=f"{IMAGE}:3")
    assert any("has 1 pods of its own" in one.text for one in plan.facts)
    # nothing is sent to a Deployment that somebody has changed since
    await kubectl(stage.plane, "-n", stage.namespace, "set", "image", "deployment/ours-app", f"*={IMAGE}:4")
    with pytest.raises(WriteProblem) as problem:
        await action("set-image").execute(plan, stage.hands, said_nothing)
    assert problem.value.kind is WriteFault.CHANGED
    await kubectl(stage.plane, "-n", stage.namespace, "delete", "deployment/ours-app")
    with pytest.raises(Refused, match=r"deployment .*/ours-app is gone"):
        await stage.plan("rollback")


async def test_a_rollout_that_follows_a_replica_set_is_changed_there(stage: Stage) -> None:
    followed, made = following(stage.namespace, "ours", {"canary": {"steps": STEPS}}, 3)
    spec = {name: followed["spec"][name] for name in ("replicas", "selector", "template")}
    made["spec"]["workloadRef"]["kind"] = "ReplicaSet"
    await apply(stage.plane, followed | {"kind": "ReplicaSet", "spec": spec}, made)
    await stage.until("ours", "Healthy")
    plan = await stage.plan("set-image", image=f"{IMAGE}:2")
    assert [one.path for one in plan.writes] == [f"/apis/apps/v1/namespaces/{stage.namespace}/replicasets/ours-app"]
    assert [one.resource for one in plan.rights] == [REPLICASETS]
    await stage.run("set-image", image=f"{IMAGE}:2")
    await stage.until("ours", "Paused - CanaryPauseStep", "step 1")
    await stage.run("abort")
    await stage.until("ours", "Degraded - RolloutAborted")
    await stage.run("rollback")
    await stage.until("ours", "Healthy")
    found = await as_json(stage.plane, stage.namespace, "replicasets.apps", "ours-app")
    assert found["spec"]["template"]["spec"]["containers"][0]["image"] == f"{IMAGE}:1"


async def test_a_rollout_and_the_deployment_that_it_follows_are_one_lock(stage: Stage, tmp_path: Path) -> None:
    """Whoever acts on the one keeps everybody away from the other: both are the same pod template."""
    await apply(stage.plane, *following(stage.namespace, "ours", {"canary": {"steps": STEPS}}, 1))
    await stage.until("ours", "Healthy")
    async with operator(stage.plane, tmp_path) as alice, operator(stage.plane, tmp_path, name="bob") as bob:
        rollout = await alice.target(ARGO_ROLLOUTS, stage.namespace, "ours")
        deployment = await bob.target(DEPLOYMENTS, stage.namespace, "ours-app")
        theirs = await bob.plan("set-image", deployment, image=f"{IMAGE}:3")
        kept_away: list[Ended] = []

        async def meanwhile(progress: Progress) -> None:
            if progress.stage is Point.EXECUTE and not kept_away:
                kept_away.append(await bob.confirm(theirs))

        alice.meanwhile = meanwhile
        await alice.does("set-image", rollout, image=f"{IMAGE}:2")
        assert [one.outcome for one in kept_away] == [Outcome.CANCELLED]
        assert "admin@bastion-alice is at it" in kept_away[0].text
        found = await as_json(stage.plane, stage.namespace, "deployments.apps", "ours-app")
        assert found["spec"]["template"]["spec"]["containers"][0]["image"] == f"{IMAGE}:2"


async def test_a_router_is_told_of_the_share_and_an_abort_and_its_undo_take_it_back(stage: Stage) -> None:
    """The router is an Ingress object alone: the controller writes its canary beside it, and nobody need serve it."""
    sized = [{"setCanaryScale": {"replicas": 2}}, {"setWeight": 20}, {"pause": {}}, {"setWeight": 60}, {"pause": {}}]
    for name in TWINS:
        for role in ("stable", "canary"):
            service = manifests.service(stage.namespace, f"{name}-{role}")
            service["spec"]["selector"] = {"app": name}
            await apply(stage.plane, service)
        ingress = manifests.ingress(stage.namespace, f"{name}-stable")
        ingress["metadata"]["name"] = f"{name}-front"
        ingress["metadata"]["annotations"] = {"kubernetes.io/ingress.class": "nginx"}
        routing = {"nginx": {"stableIngress": ingress["metadata"]["name"]}}
        services = {"canaryService": f"{name}-canary", "stableService": f"{name}-stable"}
        canary = {**services, "trafficRouting": routing, "steps": sized, "abortScaleDownDelaySeconds": 1}
        await apply(stage.plane, ingress, rollout(stage.namespace, name, {"canary": canary}, 4))
    await stage.both("Healthy")
    ended = await stage.run("set-image", image=f"{IMAGE}:2")
    assert "CanaryPauseStep, step 2/5, 20 %" in ended.text
    await stage.theirs("set", "image", "theirs", f"theirs={IMAGE}:2")
    await stage.both("Paused - CanaryPauseStep", "step 2")
    assert await weight_of(stage) == "20"
    delivery = (await stage.workload()).delivery
    assert delivery is not None
    assert (delivery.router, delivery.routed, delivery.canary_scale) == ("nginx", 20, "setCanaryScale{replicas: 2}")
    # all of the stable version stays beside two of the canary
    assert (await stage.workload()).replicas == 6
    await stage.run("promote")
    await stage.theirs("promote", "theirs")
    await stage.both("Paused - CanaryPauseStep", "step 4")
    assert await weight_of(stage) == "60"

    await stage.run("abort")
    await stage.theirs("abort", "theirs")
    await stage.both("Degraded - RolloutAborted", "step 0")
    assert await weight_of(stage) == "0"
    delivery = (await stage.workload()).delivery
    assert delivery is not None
    assert (delivery.routed, delivery.canary_scale) == (0, "")
    await stage.run("rollback")
    await stage.theirs("undo", "theirs")
    await stage.both("Healthy")
    assert (await stage.workload()).images == (f"{IMAGE}:1",)
    assert await weight_of(stage) == "0"


async def weight_of(stage: Stage) -> str:
    """Return the share that the canary's Ingress of ours is written with."""
    found = await as_json(stage.plane, stage.namespace, "ingresses.networking.k8s.io", "ours-ours-front-canary")
    weight: str = found["metadata"]["annotations"]["nginx.ingress.kubernetes.io/canary-weight"]
    return weight
