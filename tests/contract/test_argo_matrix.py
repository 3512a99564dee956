"""Every action on a Rollout with all that a console has, on the real controller: refused when things moved, undone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from services.model.action import Ended, Outcome
from services.model.ref import ARGO_ROLLOUTS
from tests.contract.consoles import Operator, changed, merge, operator
from tests.contract.handed import as_json, eventually
from tests.contract.twins import IMAGE, STEPS, rollout
from tests.contract.watched import apply
from tests.controlplane.deliveries import Deliveries
from tests.controlplane.plane import ControlPlane

MOVED: dict[str, Any] = {"spec": {"revisionHistoryLimit": 7}}
ORDERED, ASKED = ("patch", "rollouts/status", 200), ("patch", "rollouts", 200)


class Front:
    """A Rollout of three pods with an operator at it."""

    def __init__(self, alice: Operator, plane: ControlPlane, namespace: str) -> None:
        self.alice, self.plane, self.namespace = alice, plane, namespace
        self.place = ARGO_ROLLOUTS.path(namespace, "front")

    async def make(self) -> None:
        """Make it, and wait until it is Healthy."""
        await apply(self.plane, rollout(self.namespace, "front", {"canary": {"steps": STEPS}}, 3))
        await self.until(phase="Healthy")

    async def until(self, **status: object) -> None:
        """Wait until its status has these fields."""

        async def seen() -> bool:
            found = (await as_json(self.plane, self.namespace, "rollouts.argoproj.io", "front")).get("status", {})
            return all((found.get(name) or False) == value for name, value in status.items())

        await eventually(seen, f"{status}")

    async def does(self, action: str, **given: str) -> Ended:
        """Do it once the controller has seen what there is, and expect it to be verified."""
        await eventually(self._seen, "a spec that was seen")
        target = await self.alice.target(ARGO_ROLLOUTS, self.namespace, "front")
        return await self.alice.does(action, target, **given)

    async def tried(
        self, action: str, *asked: tuple[str, str, int], moved: dict[str, Any] = MOVED, **given: str
    ) -> Ended:
        """Rehearse it, be refused where it moved meanwhile, do it; the server has been asked for `asked`, no more."""
        so_far = len(self.done())
        target = await self.alice.target(ARGO_ROLLOUTS, self.namespace, "front")
        plan = await self.alice.plan(action, target, **given)
        assert "the server would take it" in {one.text for one in plan.facts}
        before = (await as_json(self.plane, self.namespace, "rollouts.argoproj.io", "front"))["spec"]
        await merge(self.plane, self.place, moved)
        ended = await self.alice.confirm(plan)
        assert ended.outcome is Outcome.CANCELLED, ended
        assert "nothing was changed" in ended.text
        assert len(self.done()) == so_far
        back = {name: before.get(name) for name in moved["spec"]}
        await merge(self.plane, self.place, {"spec": back})
        ended = await self.does(action, **given)
        assert self.done(so_far + len(asked))[so_far:] == list(asked)
        return ended

    def done(self, count: int = 0) -> list[tuple[str, str, int]]:
        """Return what the server did for us; lost races, which are sent again, left out."""
        return [one for one in changed(self.plane, self.place, count) if one[2] < 400]

    async def _seen(self) -> bool:
        found = await as_json(self.plane, self.namespace, "rollouts.argoproj.io", "front")
        return bool(found["status"].get("observedGeneration") == str(found["metadata"]["generation"]))

    async def undone(self, ended: Ended, by: str) -> Ended:
        """Undo it by the action that it offers."""
        assert ended.undo is not None
        assert ended.undo.action == by
        return await self.alice.undoes(ended)


@pytest.fixture
async def front(
    plane: ControlPlane, argo: Deliveries, namespace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Front]:
    monkeypatch.setattr("services.actions.guard.BURST", 10**9)  # it would be taken for a runaway, and it is one
    async with operator(plane, tmp_path) as alice, asyncio.timeout(400):
        made = Front(alice, plane, namespace)
        await made.make()
        yield made


async def test_a_delivery_is_ordered_refused_and_taken_back(front: Front) -> None:
    ended = await front.tried("set-image", ASKED, image=f"{IMAGE}:2")
    await front.undone(ended, "set-image")
    await front.until(phase="Healthy")
    await front.does("set-image", image=f"{IMAGE}:2")

    ended = await front.tried("pause", ASKED)
    await front.undone(ended, "resume")
    await front.does("pause")
    ended = await front.tried("resume", ASKED)
    await front.undone(ended, "pause")
    await front.does("resume")
    await front.until(phase="Paused", message="CanaryPauseStep", currentStepIndex=1)

    ended = await front.tried("promote", ORDERED)
    await front.until(currentStepIndex=3)
    await front.undone(ended, "abort")
    await front.until(phase="Degraded", abort=True)
    ended = await front.tried("retry", ORDERED)
    await front.undone(ended, "abort")
    await front.does("retry")
    await front.until(phase="Paused", currentStepIndex=1)
    ended = await front.tried("abort", ORDERED)
    await front.undone(ended, "retry")
    await front.until(phase="Paused", currentStepIndex=1)

    ended = await front.tried("promote-full", ORDERED)
    await front.until(phase="Healthy")
    await front.undone(ended, "rollback")
    found = await as_json(front.plane, front.namespace, "rollouts.argoproj.io", "front")
    assert found["spec"]["template"]["spec"]["containers"][0]["image"] == f"{IMAGE}:1"


async def test_a_rollout_is_scaled_restarted_and_rolled_back_refused_and_taken_back(front: Front) -> None:
    scaled = ("patch", "rollouts/scale", 200)
    ended = await front.tried("scale", scaled, moved={"spec": {"replicas": 5}}, replicas="4")
    await front.undone(ended, "scale")
    assert (await front.tried("restart", ASKED)).undo is None

    await front.does("set-image", image=f"{IMAGE}:2")
    ended = await front.tried("rollback", ASKED)
    await front.until(phase="Healthy")
    found = await as_json(front.plane, front.namespace, "rollouts.argoproj.io", "front")
    assert found["spec"]["template"]["spec"]["containers"][0]["image"] == f"{IMAGE}:1"
    await front.undone(ended, "rollback")
    found = await as_json(front.plane, front.namespace, "rollouts.argoproj.io", "front")
    assert found["spec"]["template"]["spec"]["containers"][0]["image"] == f"{IMAGE}:2"
    await front.until(phase="Paused", currentStepIndex=1)
