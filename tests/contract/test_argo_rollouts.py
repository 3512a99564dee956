"""What is done to a Rollout is what `kubectl argo rollouts` does to its twin, on the real controller."""

from __future__ import annotations

import json

import pytest

from services.actions.registry import BY_ID, action
from services.actions.spec import Refused
from services.kubernetes.analysis import analysis_of
from services.kubernetes.writing import WriteFault, WriteProblem
from services.model.action import Progress, Target
from services.model.ref import ANALYSISRUNS, ARGO_ROLLOUTS, Ref
from services.model.severity import Severity
from services.model.workload import Rollout
from services.ports import Snapshot
from tests.contract.handed import eventually
from tests.contract.twins import IMAGE, STEPS, TWINS, Stage, rollout
from tests.contract.watched import apply, kubectl, watched
from tests.controlplane import manifests
from tui.presenters.delivery import judged, present_delivery, replicasets_of
from tui.presenters.lens import Lens

JUDGED = [{"setWeight": 50}, {"analysis": {"templates": [{"templateName": "answers"}]}}, {"pause": {}}]


async def test_a_canary_is_promoted_aborted_retried_and_undone_as_the_plugin_does_it(stage: Stage) -> None:
    await stage.make({"canary": {"steps": STEPS, "maxSurge": 1, "maxUnavailable": 0}})
    assert await stage.offered() == set()

    await stage.image("2")
    await stage.both("Paused - CanaryPauseStep", "step 1")
    assert await stage.offered() == {"promote", "promote-full", "abort"}
    ended = await stage.run("promote")
    assert "went on to step" in ended.text
    await stage.theirs("promote", "theirs")
    await stage.both("Paused - CanaryPauseStep", "step 3")

    ended = await stage.run("abort")
    assert f"the spec still names {IMAGE}:2: roll it back to revision 1" in ended.text
    await stage.theirs("abort", "theirs")
    await stage.both("Degraded - RolloutAborted", "step 0")
    assert await stage.offered() == {"promote-full", "retry"}

    await stage.run("retry")
    await stage.theirs("retry", "rollout", "theirs")
    await stage.both("Paused - CanaryPauseStep", "step 1")

    await stage.run("abort")
    await stage.theirs("abort", "theirs")
    await stage.both("Degraded - RolloutAborted")
    plan = await stage.plan("rollback")
    assert plan.parameters["to"] == "1"
    await stage.run("rollback")
    await stage.theirs("undo", "theirs")
    await stage.both("Healthy", "step 4")
    assert (await stage.workload()).images == (f"{IMAGE}:1",)
    assert await stage.offered() == set()


async def test_a_canary_is_promoted_in_full_restarted_and_held_as_the_plugin_does_it(stage: Stage) -> None:
    await stage.make({"canary": {"steps": STEPS}}, replicas=2)
    await stage.image("2")
    await stage.both("Paused - CanaryPauseStep", "step 1")
    await stage.run("pause")
    await stage.theirs("pause", "theirs")
    await stage.both("Paused - manually paused")
    # held by hand and by a step: one promotion ends both. The plugin ends the pause first, and a controller that looks
    # in between pauses anew; so its twin is let go before
    await stage.run("promote")
    let_go = ("patch", "rollouts.argoproj.io", "theirs", "--type=merge", '-p={"spec":{"paused":false}}')
    await kubectl(stage.plane, "-n", stage.namespace, *let_go)
    await stage.until("theirs", "Paused - CanaryPauseStep")
    await stage.theirs("promote", "theirs")
    await stage.both("Paused - CanaryPauseStep", "step 3")
    await stage.run("promote-full")
    await stage.theirs("promote", "theirs", "--full")
    await stage.both("Healthy", "step 4")
    await stage.run("restart")
    await stage.theirs("restart", "theirs")
    await stage.both("Healthy")
    # an abort is taken back by a promotion in full
    await stage.image("3")
    await stage.both("Paused", "step 1")
    await stage.run("abort")
    await stage.theirs("abort", "theirs")
    await stage.both("Degraded")
    await stage.run("promote-full")
    await stage.theirs("promote", "theirs", "--full")
    await stage.both("Healthy", "step 4")


async def test_blue_and_green_are_promoted_and_aborted_as_the_plugin_does_it(stage: Stage) -> None:
    services = [manifests.service(stage.namespace, name) for name in ("active", "preview")]
    for name in TWINS:
        for service in services:
            made = json.loads(json.dumps(service))
            made["metadata"]["name"] = f"{name}-{service['metadata']['name']}"
            made["spec"]["selector"] = {"app": name}
            await apply(stage.plane, made)
    for name in TWINS:
        strategy = {
            "activeService": f"{name}-active",
            "previewService": f"{name}-preview",
            "autoPromotionEnabled": False,
            "abortScaleDownDelaySeconds": 1,
        }
        await apply(stage.plane, rollout(stage.namespace, name, {"blueGreen": strategy}, 2))
    await stage.both("Healthy")
    assert await stage.offered() == set()
    await stage.image("2")
    await stage.both("Paused - BlueGreenPause")
    assert await stage.offered() == {"promote", "promote-full", "abort"}
    ended = await stage.run("abort")
    assert "the spec still names" in ended.text
    await stage.theirs("abort", "theirs")
    await stage.both("Degraded - RolloutAborted")
    await stage.run("retry")
    await stage.theirs("retry", "rollout", "theirs")
    await stage.both("Paused - BlueGreenPause")
    ended = await stage.run("promote")
    assert "revision 2" in ended.text
    await stage.theirs("promote", "theirs")
    await stage.both("Healthy")
    # the old pods stay for 30 s: going back to them is instant

    async def instant() -> bool:
        return any("going back is instant" in one.text for one in (await stage.plan("rollback")).facts)

    await eventually(instant, "that the old pods stay for a while")
    await stage.run("rollback")
    await stage.theirs("undo", "theirs")
    await stage.both("Healthy")
    await stage.image("3")
    await stage.both("Paused - BlueGreenPause")
    await stage.run("promote-full")
    await stage.theirs("promote", "theirs", "--full")
    await stage.both("Healthy")


async def test_a_failed_measurement_is_told_and_the_way_out_of_the_abort_it_made(stage: Stage) -> None:
    job = manifests.job_template("check", f"{IMAGE}:fail", "1s")
    job["spec"]["backoffLimit"] = 0
    metric = {"name": "answers", "failureLimit": 0, "count": 1, "provider": {"job": job}}
    await apply(
        stage.plane,
        {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "AnalysisTemplate",
            "metadata": {"name": "answers", "namespace": stage.namespace},
            "spec": {"metrics": [metric]},
        },
        rollout(stage.namespace, "ours", {"canary": {"steps": JUDGED}}, 1),
    )
    await stage.until("ours", "Healthy")
    kubeconfig = stage.plane.kubeconfig()
    tables = ("rollouts.argoproj.io", "replicasets.apps", "deployments.apps", "statefulsets.apps", "daemonsets.apps")
    async with watched(kubeconfig, *tables, namespaces=(stage.namespace,)) as looking:
        key = f"Rollout/{stage.namespace}/ours"

        def row(snapshot: Snapshot) -> Rollout | None:
            found = snapshot.tables.get("rollouts", {}).get(key)
            return found if isinstance(found, Rollout) else None

        await looking.until(lambda seen: (found := row(seen)) and found.done and not found.what, "a healthy row")
        await stage.theirs("set", "image", "ours", f"ours={IMAGE}:2")
        seen = await looking.until(lambda seen: (found := row(seen)) and "aborted" in found.what, "the abort")
        found = row(seen)
        assert found is not None
        assert (found.severity, found.what) == (Severity.WARN, "aborted: spec still names front:2")
        assert found.cause.endswith(f"aborted: the spec still names {IMAGE}:2; undo to revision 1")
        assert 'Metric "answers" assessed' in found.cause
        (named,) = judged(found)
        run = analysis_of(await looking.session.get_raw(ANALYSISRUNS, stage.namespace, named.name))
        assert (run.phase, run.metrics[0].name, run.metrics[0].failed) == (named.phase, "answers", 1)
        lines = present_delivery(found, replicasets_of(seen, found.ref), {named.name: run}, Lens(0.0), "R")
        text = "\n".join("".join(span.text for span in line) for line in lines)
        for words in (
            "STEPS",
            "STABLE",
            "rev 1",
            "ANALYSIS",
            "answers Failed",
            "ABORTED",
            "undo to revision 1   R undoes",
        ):
            assert words in text
        await stage.run("rollback")
        await looking.until(lambda seen: (found := row(seen)) and found.done and not found.cause, "healthy again")


async def test_orders_hold_to_what_was_shown(stage: Stage) -> None:
    await stage.make({"canary": {"steps": STEPS}}, replicas=1)
    await stage.image("2")
    await stage.both("Paused - CanaryPauseStep", "step 1")
    plan = await stage.plan("promote")

    async def note(_progress: Progress) -> None:
        return

    # somebody else has promoted it since: the next pause is not ended by what was meant for this one
    await stage.theirs("promote", "ours")
    await stage.until("ours", "Paused - CanaryPauseStep", "step 3")
    with pytest.raises(WriteProblem) as problem:
        await action("promote").execute(plan, stage.hands, note)
    assert problem.value.kind is WriteFault.CHANGED
    await stage.until("ours", "Paused - CanaryPauseStep", "step 3")
    # an abort is about the version, not about the step: it holds though the version of the object moved on
    plan = await stage.plan("abort")
    await kubectl(stage.plane, "-n", stage.namespace, "annotate", "rollouts.argoproj.io/ours", "seen=yes")
    await action("abort").execute(plan, stage.hands, note)
    await stage.until("ours", "Degraded - RolloutAborted")
    with pytest.raises(WriteProblem):
        await action("abort").execute(plan, stage.hands, note)
    gone = Target(Ref("c", ARGO_ROLLOUTS.group, "Rollout", stage.namespace, "ours", "another-uid"), ARGO_ROLLOUTS)
    with pytest.raises(Refused, match="made anew"):
        await action("retry").plan(gone, {}, stage.hands)
    assert all(BY_ID[name].subresource == "status" for name in ("promote", "promote-full", "abort", "retry"))
