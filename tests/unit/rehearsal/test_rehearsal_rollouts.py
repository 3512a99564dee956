"""Argo Rollouts on an estate: canary and blue-green, moved by the patches that its own command-line tool sends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from rehearsal_client import TABLE, Client, Json
from rehearsal_writes import MERGE, OPS, first_container, live, patch, send

from services.rehearsal.clock import stamp
from services.rehearsal.estate.delivery import BLUE_GREEN, CANARY, FOLLOWED, FOLLOWING, ROUTED
from services.rehearsal.server import Options, Rehearsal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from services.rehearsal.clock import ManualClock

SKIPPED: Json = {"status": {"pauseConditions": None}}


class Rollouts:
    """Rollouts on an estate that has come to rest."""

    def __init__(self, estate: Rehearsal, clock: ManualClock, client: Client) -> None:
        self.estate = estate
        self.client = client
        self._clock = clock
        self.namespace = next(iter(estate.plan.teams))

    def path(self, name: str) -> str:
        return f"/apis/argoproj.io/v1alpha1/namespaces/{self.namespace}/rollouts/{name}"

    async def image(self, path: str, tag: str) -> None:
        """Give the first container of whatever has a pod template another tag."""
        container = first_container(await self.client.json(path))
        image = f"{container['image'].rsplit(':', 1)[0]}:{tag}"
        change = [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": image}]
        await patch(self.client, path, change, OPS)

    async def get(self, name: str, seconds: float = 60) -> Json:
        """Return a Rollout after so many seconds."""
        live(self.estate, self._clock, seconds)
        return await self.client.json(self.path(name))

    async def release(self, name: str, tag: str) -> None:
        await self.image(self.path(name), tag)

    async def pods(self, name: str) -> dict[str, int]:
        """Return how many pods run each tag."""
        selector = f"app.kubernetes.io/name={name}"
        listed = await self.client.json(f"/api/v1/namespaces/{self.namespace}/pods", labelSelector=selector)
        tags = [one["spec"]["containers"][0]["image"].rsplit(":", 1)[1] for one in listed["items"]]
        return {tag: tags.count(tag) for tag in sorted(set(tags))}


@pytest.fixture
async def rollouts(clock: ManualClock) -> AsyncIterator[Rollouts]:
    async with Rehearsal(Options(past=0, size="tiny", rollouts=True, life=False), clock) as estate:
        client = Client(estate)
        made = Rollouts(estate, clock, client)
        for name in (CANARY, BLUE_GREEN, FOLLOWING, ROUTED):
            found = await made.get(name)
            assert (found["status"]["phase"], found["status"]["stableRS"]) == (
                "Healthy",
                found["status"]["currentPodHash"],
            )
        yield made
        await client.http.aclose()


async def test_a_canary_pauses_and_is_promoted(rollouts: Rollouts) -> None:
    await rollouts.release(CANARY, "v1.1.0")
    paused = (await rollouts.get(CANARY))["status"]
    assert (paused["phase"], paused["message"], paused["currentStepIndex"]) == ("Paused", "CanaryPauseStep", 1)
    assert paused["pauseConditions"][0]["reason"] == "CanaryPauseStep"
    assert await rollouts.pods(CANARY) == {"v1.0.0": 4, "v1.1.0": 1}
    await patch(rollouts.client, f"{rollouts.path(CANARY)}/status", SKIPPED, MERGE)
    done = (await rollouts.get(CANARY, 120))["status"]
    assert (done["phase"], done["currentStepIndex"], done["stableRS"]) == ("Healthy", 4, done["currentPodHash"])
    assert await rollouts.pods(CANARY) == {"v1.1.0": 5}


async def test_an_abort_keeps_the_bad_version_in_the_spec_until_it_is_undone(rollouts: Rollouts) -> None:
    before = await rollouts.get(CANARY)
    await rollouts.release(CANARY, "v2.0.0-crash")
    await rollouts.get(CANARY)
    await patch(rollouts.client, f"{rollouts.path(CANARY)}/status", {"status": {"abort": True}}, MERGE)
    aborted = await rollouts.get(CANARY)
    assert (aborted["status"]["phase"], aborted["status"]["message"].partition(":")[0]) == (
        "Degraded",
        "RolloutAborted",
    )
    assert first_container(aborted)["image"].endswith("v2.0.0-crash")
    assert await rollouts.pods(CANARY) == {"v1.0.0": 5}
    await patch(rollouts.client, f"{rollouts.path(CANARY)}/status", {"status": {"abort": False}}, MERGE)
    again = (await rollouts.get(CANARY, 30))["status"]
    assert (again["phase"], again["currentStepIndex"]) == ("Progressing", 0)
    template = before["spec"]["template"]
    await patch(
        rollouts.client, rollouts.path(CANARY), [{"op": "replace", "path": "/spec/template", "value": template}], OPS
    )
    undone = await rollouts.get(CANARY)
    assert undone["status"]["phase"] == "Healthy"
    revision = "rollout.argoproj.io/revision"
    assert int(undone["metadata"]["annotations"][revision]) == int(before["metadata"]["annotations"][revision]) + 2


async def test_a_full_promotion_skips_what_is_left(rollouts: Rollouts) -> None:
    await rollouts.release(CANARY, "v1.1.0")
    await rollouts.get(CANARY)
    await patch(rollouts.client, f"{rollouts.path(CANARY)}/status", {"status": {"promoteFull": True}}, MERGE)
    assert (await rollouts.get(CANARY, 40))["status"]["phase"] == "Healthy"
    assert await rollouts.pods(CANARY) == {"v1.1.0": 5}


async def test_one_that_follows_a_deployment_is_delivered_by_what_is_written_there(rollouts: Rollouts) -> None:
    followed = f"/apis/apps/v1/namespaces/{rollouts.namespace}/deployments/{FOLLOWED}"
    assert await rollouts.pods(FOLLOWING) == {"v1.0.0": 4}
    assert (await rollouts.client.json(followed))["spec"]["replicas"] == 0
    await rollouts.image(followed, "v1.1.0")
    paused = await rollouts.get(FOLLOWING)
    assert not {"template", "selector"} & paused["spec"].keys()
    assert paused["status"]["message"] == "CanaryPauseStep"
    seen, made = paused["status"]["workloadObservedGeneration"], (await rollouts.client.json(followed))["metadata"]
    assert seen == str(made["generation"])
    assert await rollouts.pods(FOLLOWING) == {"v1.0.0": 3, "v1.1.0": 1}
    await patch(rollouts.client, f"{rollouts.path(FOLLOWING)}/status", {"status": {"abort": True}}, MERGE)
    assert (await rollouts.get(FOLLOWING))["status"]["phase"] == "Degraded"
    await rollouts.image(followed, "v1.0.0")
    undone = (await rollouts.get(FOLLOWING))["status"]
    assert (undone["phase"], await rollouts.pods(FOLLOWING)) == ("Healthy", {"v1.0.0": 4})


async def test_one_that_follows_a_replica_set_takes_its_template_from_there(rollouts: Rollouts) -> None:
    sets = f"/apis/apps/v1/namespaces/{rollouts.namespace}/replicasets"
    model = await rollouts.client.json(rollouts.path(CANARY))
    template, selector = model["spec"].pop("template"), model["spec"].pop("selector")
    labels = {"app.kubernetes.io/name": "old-front"}
    template["metadata"]["labels"] = selector["matchLabels"] = labels
    bare = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": "old-front"}}
    await send(
        rollouts.client, "POST", sets, bare | {"spec": {"replicas": 0, "selector": selector, "template": template}}
    )
    spec = {**model["spec"], "workloadRef": {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "old-front"}}
    made = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": {"name": "old-front"}, "spec": spec}
    await send(rollouts.client, "POST", rollouts.path("").rstrip("/"), made)
    assert (await rollouts.get("old-front"))["status"]["phase"] == "Healthy"
    await rollouts.image(f"{sets}/old-front", "v1.1.0")
    assert (await rollouts.get("old-front"))["status"]["message"] == "CanaryPauseStep"
    assert await rollouts.pods("old-front") == {"v1.0.0": 4, "v1.1.0": 1}


async def test_a_router_is_told_of_the_share_and_an_abort_takes_it_back(rollouts: Rollouts) -> None:
    async def shares() -> tuple[int, str, dict[str, int]]:
        status = (await rollouts.get(ROUTED))["status"]
        beside = f"/apis/networking.k8s.io/v1/namespaces/{rollouts.namespace}/ingresses/{ROUTED}-{ROUTED}-canary"
        written = (await rollouts.client.json(beside))["metadata"]["annotations"]
        weight = written["nginx.ingress.kubernetes.io/canary-weight"]
        return status["canary"]["weights"]["canary"]["weight"], weight, await rollouts.pods(ROUTED)

    assert await shares() == (0, "0", {"v1.0.0": 4})
    await rollouts.release(ROUTED, "v1.1.0")
    assert await shares() == (20, "20", {"v1.0.0": 4, "v1.1.0": 1})
    await patch(rollouts.client, f"{rollouts.path(ROUTED)}/status", SKIPPED, MERGE)
    live_on = (await rollouts.get(ROUTED, 5))["status"]
    assert live_on["canary"]["weights"]["stable"]["weight"] in (40, 80)
    await patch(rollouts.client, f"{rollouts.path(ROUTED)}/status", {"status": {"abort": True}}, MERGE)
    assert await shares() == (0, "0", {"v1.0.0": 4})
    await patch(rollouts.client, f"{rollouts.path(ROUTED)}/status", {"status": {"abort": False}}, MERGE)
    assert (await shares())[:2] == (20, "20")
    await patch(rollouts.client, f"{rollouts.path(ROUTED)}/status", {"status": {"promoteFull": True}}, MERGE)
    assert await shares() == (0, "0", {"v1.1.0": 4})


async def test_pausing_by_hand_stops_a_canary(rollouts: Rollouts) -> None:
    await patch(rollouts.client, rollouts.path(CANARY), {"spec": {"paused": True}}, MERGE)
    await rollouts.release(CANARY, "v1.1.0")
    held = (await rollouts.get(CANARY))["status"]
    assert (held["phase"], held["message"]) == ("Paused", "manually paused")
    await patch(rollouts.client, rollouts.path(CANARY), {"spec": {"paused": False}}, MERGE)
    assert (await rollouts.get(CANARY))["status"]["message"] == "CanaryPauseStep"


async def test_blue_green_switches_when_it_is_told_and_keeps_the_old_a_while(rollouts: Rollouts) -> None:
    before = (await rollouts.get(BLUE_GREEN))["status"]["blueGreen"]["activeSelector"]
    await rollouts.release(BLUE_GREEN, "v1.1.0")
    waiting = (await rollouts.get(BLUE_GREEN))["status"]
    assert (waiting["phase"], waiting["message"]) == ("Paused", "BlueGreenPause")
    assert waiting["blueGreen"]["activeSelector"] == before != waiting["blueGreen"]["previewSelector"]
    assert await rollouts.pods(BLUE_GREEN) == {"v1.0.0": 2, "v1.1.0": 2}
    await patch(rollouts.client, f"{rollouts.path(BLUE_GREEN)}/status", SKIPPED, MERGE)
    switched = (await rollouts.get(BLUE_GREEN, 10))["status"]
    assert switched["blueGreen"]["activeSelector"] == waiting["blueGreen"]["previewSelector"]
    assert await rollouts.pods(BLUE_GREEN) == {"v1.0.0": 2, "v1.1.0": 2}
    await rollouts.get(BLUE_GREEN, 60)
    assert await rollouts.pods(BLUE_GREEN) == {"v1.1.0": 2}


async def test_a_restart_replaces_every_pod_without_a_new_revision(rollouts: Rollouts) -> None:
    before = await rollouts.get(CANARY)
    pods = f"/api/v1/namespaces/{rollouts.namespace}/pods"
    selector = f"app.kubernetes.io/name={CANARY}"
    old = {one["metadata"]["uid"] for one in (await rollouts.client.json(pods, labelSelector=selector))["items"]}
    moment = stamp(rollouts.estate.clock.now())
    await patch(rollouts.client, rollouts.path(CANARY), {"spec": {"restartAt": moment}}, MERGE)
    after = await rollouts.get(CANARY, 200)
    assert after["status"]["restartedAt"] == moment
    assert after["status"]["currentPodHash"] == before["status"]["currentPodHash"]
    listed = (await rollouts.client.json(pods, labelSelector=selector))["items"]
    assert len(listed) == 5
    assert not old & {one["metadata"]["uid"] for one in listed}


async def test_they_are_listed_printed_and_scaled_like_any_resource(rollouts: Rollouts) -> None:
    table = await rollouts.client.json("/apis/argoproj.io/v1alpha1/rollouts", TABLE)
    names = [one["name"] for one in table["columnDefinitions"]]
    assert names == ["Name", "Desired", "Current", "Up-to-date", "Available", "Age"]
    assert sorted(row["cells"][0] for row in table["rows"]) == sorted((CANARY, BLUE_GREEN, FOLLOWING, ROUTED))
    await patch(rollouts.client, f"{rollouts.path(CANARY)}/scale", {"spec": {"replicas": 3}}, MERGE)
    assert (await rollouts.get(CANARY))["status"]["availableReplicas"] == 3
    strategic = await send(
        rollouts.client, "PATCH", rollouts.path(CANARY), {}, "application/strategic-merge-patch+json"
    )
    assert strategic.status_code == 415
    await rollouts.estate.watchtower.station.prepare()
